"""Training rows with their texts and vectors: the ones nearest to a text show what the model learnt its answer from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfarch.runtime.scope import unit


@dataclass(frozen=True)
class Neighbour:
    """A training row, and the cosine of its text vector to that of the text which is explained."""

    text: str
    label: str
    cosine: float

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a line of `predict --explain --json`."""
        return {"text": self.text, "label": self.label, "cosine": self.cosine}


@dataclass(frozen=True)
class KnownRows:
    """n training rows.

    vectors: their text vectors, of length 1, `[n, width]`.

    Raises:
        ValueError: the three do not fit one another.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    vectors: np.ndarray

    def __post_init__(self):
        if self.vectors.ndim != 2 or not len(self.texts) == len(self.labels) == len(self.vectors):
            raise ValueError(f"{len(self.texts)} texts, {len(self.labels)} labels and vectors {self.vectors.shape} make no rows")

    @classmethod
    def from_json(cls, text: str, vectors: np.ndarray) -> KnownRows:
        """The rows that `as_json` wrote, with their vectors.

        Raises:
            ValueError: it is not what was written, or the vectors are of other rows.
        """
        try:
            values = json.loads(text)
            return cls(tuple(values["texts"]), tuple(values["labels"]), vectors)
        except (KeyError, TypeError) as error:
            raise ValueError(f"holds no texts and labels: {error}") from error

    def as_json(self) -> str:
        """Texts and labels as JSON, ASCII alone: a text may hold what UTF-8 cannot."""
        return json.dumps({"texts": self.texts, "labels": self.labels}, indent=0)

    def with_rows(self, texts: Sequence[str], labels: Sequence[str], vectors: np.ndarray) -> KnownRows:
        """These and further rows, whose vectors `[m, width]` may have any length."""
        added = unit(vectors).astype(self.vectors.dtype)
        return KnownRows((*self.texts, *texts), (*self.labels, *labels), np.concatenate([self.vectors, added]))

    def nearest(self, vectors: np.ndarray, count: int) -> list[tuple[Neighbour, ...]]:
        """For each of the text vectors `[m, width]` the `count` rows of the highest cosine, the nearest first."""
        cosines = unit(vectors) @ self.vectors.astype(np.float32).T
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
        return [
            tuple(Neighbour(self.texts[row], self.labels[row], float(near[row])) for row in rows)
            for near, rows in zip(cosines, order, strict=True)
        ]
