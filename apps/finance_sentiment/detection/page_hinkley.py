"""The Page-Hinkley test: it learns the mean from the stream itself, and watches for a rise above that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.detection.detector import Detector, bounded, detector, standardised


@detector("page_hinkley")
@dataclass(frozen=True)
class PageHinkley(Detector):
    """The sum of z - z̄ - d less its minimum so far (Page 1954, Hinkley 1971), z̄ being the mean of the standardised counts z until now.

    The sum less its minimum obeys G = max(0, G + z - z̄ - d), which is what is kept, beside how many buckets there were and their mean:
    sums that grow without end lose digits. A baseline that is wrong by a factor raises no alarm here; but a rise right after the start is
    learnt as usual.
    """

    drift: float = 0.25  # d, in standard deviations of a bucket: what is let pass

    def __post_init__(self):
        bounded("page_hinkley", "drift", self.drift, 0.0)

    @property
    def cells(self) -> int:
        return 3  # buckets, mean, statistic

    def step(self, state: np.ndarray, count: np.ndarray, mean: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        residual, buckets = standardised(count, mean, size), state[..., 0] + 1.0
        average = state[..., 1] + (residual - state[..., 1]) / buckets
        statistic = np.maximum(state[..., 2] + residual - average - self.drift, 0.0)
        return np.stack([buckets, average, statistic], axis=-1), statistic
