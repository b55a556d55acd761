"""Tables in few bytes: of vectors at a byte a number, each row with a scale of its own, symmetric, so that its largest number is 127 steps from 0; whole numbers in as many
bytes as the largest needs."""

from __future__ import annotations

import numpy as np


def to_int8(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Steps int8 `[rows, width]` and the scale of each row float32 `[rows]`; no number is off by more than half a step.

    >>> steps, scales = to_int8(np.array([[0.5, -1.0], [0.0, 0.0]], np.float32))
    >>> steps.tolist()
    [[64, -127], [0, 0]]
    """
    scales = np.abs(table).max(axis=1, initial=0.0).astype(np.float32) / np.float32(127.0)
    steps = np.rint(table / np.where(scales > 0.0, scales, 1.0)[:, None])
    return np.clip(steps, -127, 127).astype(np.int8), scales


def from_int8(steps: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """What such a table stands for, float32 `[rows, width]`."""
    return steps.astype(np.float32) * scales.astype(np.float32)[:, None]


def smallest_int(values: np.ndarray) -> np.ndarray:
    """The same whole numbers as int8, int16 or int32: the first that has them all.

    >>> smallest_int(np.array([5, -128])).dtype, smallest_int(np.array([128])).dtype
    (dtype('int8'), dtype('int16'))
    """
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    kind = next(kind for kind in (np.int8, np.int16, np.int32) if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return values.astype(kind)
