"""Rows of plain arrays, for models that read no texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Arrays:
    """A model's inputs by name, `[n, ...]` each; in place of tokens in `Examples`, where each row has the length 1."""

    inputs: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    @property
    def lengths(self) -> np.ndarray:
        """Ones: all rows may share a batch, int64 `[n]`."""
        return np.ones(len(self), np.int64)

    def select(self, rows: np.ndarray) -> Arrays:
        """The rows of these numbers."""
        return Arrays({name: values[rows] for name, values in self.inputs.items()})

    def signature(self) -> dict[str, tuple[tuple[int | None, ...], str]]:
        """Shape and type of each array of `padded`; None is a size that differs from batch to batch."""
        return {name: ((None, *values.shape[1:]), values.dtype.name) for name, values in self.inputs.items()}

    def padded(self, rows: Sequence[int], length: int) -> dict[str, np.ndarray]:
        """The inputs for `rows`; a row of -1 is padding, which repeats the last one and weighs nothing."""
        return {name: values[rows] for name, values in self.inputs.items()}
