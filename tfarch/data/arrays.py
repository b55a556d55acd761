"""Rows of plain arrays, for models that read no texts."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfarch.errors import InputError

TARGETS, ONE_INPUT = "y", "x"  # in an `.npz` file: what is asked of each row; the input of a model that has one


def read_npz(file: str | Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The arrays of an `.npz` file by name, and `y` apart from them.

    Raises:
        InputError: it cannot be read, or has no `y`.
    """
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot be read as .npz: {error}", file=file) from error
    if TARGETS not in arrays:
        raise InputError(f"lacks {TARGETS}; it holds {', '.join(arrays) or 'nothing'}", file=file)
    targets = arrays.pop(TARGETS)
    return arrays, targets


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
