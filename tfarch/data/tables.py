"""The rows of a data set in memory: a `Table` per split, the rows that could not be used, and the `Dataset` that holds them all.

Everything after `tfarch.data.sources` (checks, tokenising, batches, evaluation) takes these, whatever file the rows came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Table:
    """The rows of one split, in file order.

    Args:
        texts: the texts as they stand in the file.
        labels: their labels, also as they stand.
        lines: the first physical line of each row in its file, from 1 (a CSV's header is line 1); of tfds, the number of the example.
        file: the file's name for a reader, without its folder.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    lines: tuple[int, ...]
    file: str

    def __post_init__(self):
        if not len(self.texts) == len(self.labels) == len(self.lines):
            raise ValueError(f"{len(self.texts)} texts, {len(self.labels)} labels and {len(self.lines)} lines make no table")

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, indices: Iterable[int]) -> Table:
        """The rows at `indices` (from 0), in the order given."""
        chosen = [int(index) for index in indices]
        texts, labels, lines = (tuple(column[index] for index in chosen) for column in (self.texts, self.labels, self.lines))
        return Table(texts, labels, lines, self.file)


@dataclass(frozen=True)
class BadRow:
    """A row that was skipped: its file's name, its first physical line from 1, and what is wrong with it."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True)
class Dataset:
    """All rows of a run.

    Args:
        name: the folder's, file's or tfds builder's name.
        train, valid, test: the rows of each part; out-of-scope rows are in them under `oos_label`.
        bad_rows: the rows that were skipped, in file order.
        sha256: hash of each source file by its name (of tfds: of each split's rows).
        split: a sentence for the reader on how validation and test came about.
        provenance: where the rows come from, ready for JSON.
        oos_label: label of out-of-scope rows; None where it is a class like any other.
        left_out: the training rows that `data.limit` and `data.shots` leave out.
        taken_out: "test", "valid" -> the training rows that were left out, as such a row of another task of the run has their text.
        held_elsewhere: normal forms of the texts that other tasks of the run are validated or tested on.
    """

    name: str
    train: Table
    valid: Table
    test: Table
    bad_rows: tuple[BadRow, ...]
    sha256: dict[str, str]
    split: str
    provenance: dict[str, Any]
    oos_label: str | None
    left_out: Table
    taken_out: Mapping[str, Table] = field(default_factory=dict)
    held_elsewhere: frozenset[str] = frozenset()

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The classes: labels of the training rows in sorted order, without the out-of-scope label."""
        return tuple(sorted(set(self.train.labels) - {self.oos_label}))

    @property
    def parts(self) -> dict[str, Table]:
        """The three tables by name."""
        return {"train": self.train, "valid": self.valid, "test": self.test}
