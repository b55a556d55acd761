"""Texts as the states that an encoder's lower layers gave: where these layers stay as they are, a text passes through them once, however often it is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfarch.data.tokens import Ragged


@dataclass(frozen=True)
class States(Ragged):
    """States of n texts, one of each token.

    values: float16 `[total, width]`, the texts' states one after another.
    offsets: int64 `[n + 1]`; text i has `values[offsets[i]:offsets[i + 1]]`.
    """

    values: np.ndarray
    offsets: np.ndarray

    def signature(self) -> dict[str, tuple[tuple[int | None, ...], str]]:
        """Shape and type of each array of `padded`; None is a size that differs from batch to batch."""
        return {"states": ((None, None, self.values.shape[1]), "float16"), "mask": ((None, None), "int32")}

    def padded(self, rows: Sequence[int], length: int) -> dict[str, np.ndarray]:
        """A model's inputs for `rows`: states float16 `[rows, length, width]` and mask int32 `[rows, length]`; a longer text is cut, a row of -1 is all padding."""
        states = np.zeros((len(rows), length, self.values.shape[1]), np.float16)
        mask = np.zeros((len(rows), length), np.int32)
        for place, row in enumerate(rows):
            if row >= 0:
                own = self.values[self.offsets[row] : self.offsets[row + 1]][:length]
                states[place, : len(own)] = own
                mask[place, : len(own)] = 1
        return {"states": states, "mask": mask}
