"""The rule of thumb: how many times as many as expected came in over the last buckets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from apps.finance_sentiment.detection.detector import Detector, bounded, detector
from tfarch.errors import InputError


@detector("ratio")
@dataclass(frozen=True)
class Ratio(Detector):
    """(sum of counts + c) / (sum of means + c) over the last `window` buckets, or those since the start where there are fewer.

    The constant c keeps one item where 0.05 were expected from being twenty times the usual: with c = 1 it is 1.9 times. The state is two
    rings, counts and means, and the place in them that is written next.
    """

    neutral: ClassVar[float] = 1.0

    window: int = 24  # buckets: a day of hours
    constant: float = 1.0  # c, in items

    def __post_init__(self):
        if not isinstance(self.window, int) or self.window < 1:
            raise InputError(f"window of ratio is {self.window}", mend="a whole number of buckets, 1 or more")
        bounded("ratio", "constant", self.constant, 0.0)

    @property
    def cells(self) -> int:
        return 2 * self.window + 1

    def step(self, state: np.ndarray, count: np.ndarray, mean: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        state, window, shape = state.copy(), self.window, state.shape[:-1]
        place = state[..., -1].astype(np.intp)[..., None]
        np.put_along_axis(state, place, np.broadcast_to(count, shape)[..., None], axis=-1)
        np.put_along_axis(state, place + window, np.broadcast_to(mean, shape)[..., None], axis=-1)
        state[..., -1] = (place[..., 0] + 1) % window
        ones = np.ones(window)
        counted, expected = state[..., :window] @ ones, state[..., window:-1] @ ones  # sums, twice as fast as by sum()
        return state, (counted + self.constant) / (expected + self.constant)
