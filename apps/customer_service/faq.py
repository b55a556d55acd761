"""The app's FAQ: questions that are no intents, each with its answer, found by `tfarch.runtime.retrieval`.

- id: static_ip
  question: Can I have a static IP address?
  answer: Yes, ...
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tfarch.errors import InputError
from tfarch.runtime import Classifier
from tfarch.runtime.retrieval import NONE, Weights, Words, cosines, fit_weights, passages
from tfarch.runtime.scope import unit
from tfarch.settings import yaml_errors

FIELDS = 3  # of an entry that have text vectors: its question, its answer, both together
# Of the cosines to these, and of the words, for a company that has no queries yet: their sum and "none of them" as the sample's queries give (`fitted`), the
# fields alike, as which of them tells most differs from one FAQ to another.
DEFAULT_WEIGHTS = Weights((7.0, 7.0, 7.0, 5.0), 5.0)


@dataclass(frozen=True)
class Entry:
    """A question with its answer; `id` names it."""

    id: str
    question: str
    answer: str

    @property
    def text(self) -> str:
        """What is searched: the question and the answer."""
        return f"{self.question} {self.answer}"

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


class Faq:
    """Entries that can be searched.

    Args:
        entries: in their order.
        vectors: text vectors of the entries' fields, `[3, entries, width]`, by the classifier that will be asked (`entry_vectors`).
        weights: of the cosine to each field, of the words of question and answer, and of "none of them".
    """

    def __init__(self, entries: Sequence[Entry], vectors: np.ndarray, weights: Weights = DEFAULT_WEIGHTS):
        if vectors.shape[:2] != (FIELDS, len(entries)):
            raise ValueError(f"{len(entries)} entries and vectors {vectors.shape}")
        if len(weights.features) != FIELDS + 1:
            raise ValueError(f"{len(weights.features)} weights, not {FIELDS + 1}")
        self.entries, self.vectors, self.weights = tuple(entries), vectors, weights
        self._words = Words([entry.text for entry in entries]) if entries else None

    @classmethod
    def of(cls, entries: Sequence[Entry], classifier: Classifier, weights: Weights = DEFAULT_WEIGHTS) -> Faq:
        """The entries with the vectors that `classifier` gives them."""
        return cls(entries, entry_vectors(entries, classifier), weights)

    def probabilities(self, questions: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        """`[questions, entries + 1]`: the probability that each entry answers, the last column that none does."""
        if not self.entries:
            return np.ones((len(questions), 1))
        return self.weights.probabilities(self._features(questions, vectors))

    def fitted(self, questions: Sequence[str], ids: Sequence[str | None], vectors: np.ndarray) -> Faq:
        """The same entries with the weights that fit questions whose entry is known; the id None: no entry answers."""
        places = {entry.id: place for place, entry in enumerate(self.entries)}
        targets = np.array([NONE if name is None else places[name] for name in ids])
        return Faq(self.entries, self.vectors, fit_weights(self._features(questions, vectors), targets))

    def _features(self, questions: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        fields = [cosines(vectors, field) for field in self.vectors]
        return np.stack([*fields, self._words.scores(questions)], axis=2)


def entry_vectors(entries: Sequence[Entry], classifier: Classifier) -> np.ndarray:
    """Text vectors `[3, entries, width]` of the questions, the answers, and both together; a long answer has the mean of its passages' vectors."""
    pieces = [(place, passage) for place, entry in enumerate(entries) for passage in passages(entry.answer)]
    places = np.array([place for place, _ in pieces], np.int64)
    alone = unit(classifier.vectors([passage for _, passage in pieces]))
    together = unit(classifier.vectors([f"{entries[place].question} {passage}" for place, passage in pieces]))
    fields = np.zeros((FIELDS, len(entries), alone.shape[1]), np.float32)
    fields[0] = classifier.vectors([entry.question for entry in entries])
    for field, vectors in ((fields[1], alone), (fields[2], together)):
        np.add.at(field, places, vectors)
        field /= np.bincount(places, minlength=len(entries))[:, None]
    return fields


def read_faq(file: str | Path) -> tuple[Entry, ...]:
    """The entries of a YAML file.

    Raises:
        InputError: the file is missing or not as above; names the file, and the entry.
    """
    with yaml_errors(file):
        values = yaml.safe_load(Path(file).read_text(encoding="utf-8-sig"))
    return entries_of(values, file)


def entries_of(values: Any, file: str | Path | None = None) -> tuple[Entry, ...]:
    """The entries from plain values, checked as `read_faq` does."""
    if not isinstance(values, list):
        raise InputError("expected a list of entries with id, question and answer", file=file)
    entries: dict[str, Entry] = {}
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict) or set(value) != {"id", "question", "answer"}:
            raise InputError(f"entry {number}: expected id, question and answer, found {value!r}", file=file)
        for name, text in value.items():
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"entry {number}: {name} is {text!r}, not a text", file=file)
        entry = Entry(**{name: text.strip() for name, text in value.items()})
        if entry.id in entries:
            raise InputError(f"entry {number}: the id {entry.id!r} stands twice", file=file)
        entries[entry.id] = entry
    return tuple(entries.values())


def read_queries(file: str | Path, ids: Sequence[str]) -> list[tuple[str, str]]:
    """(text, id) of the rows of a CSV file with the columns text and id.

    Raises:
        InputError: the file cannot be read, lacks a column, or names an id that no entry has.
    """
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            if rows.fieldnames is None or not {"text", "id"} <= set(rows.fieldnames):
                raise InputError(f"has the columns {rows.fieldnames}; expected text and id", file=file, line=1)
            found = [(row["text"], row["id"], rows.line_num) for row in rows]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from error
    for _, name, line in found:
        if name not in ids:
            raise InputError(f"no entry has the id {name!r}", file=file, line=line)
    return [(text, name) for text, name, _ in found]
