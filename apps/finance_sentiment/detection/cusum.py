"""The tabular CUSUM of the standardised count: what exceeds the usual is summed up, and forgotten when it falls back to nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.detection.detector import Detector, bounded, detector, standardised


@detector("cusum")
@dataclass(frozen=True)
class Cusum(Detector):
    """Upper one-sided CUSUM (Page 1954): S = max(0, S + z - k), with z the standardised count of the bucket.

    It is quickest for a shift of 2 k standard deviations of a bucket. Of hourly counts of which most are 0, a standard deviation is more
    than is usual in the hour, so that for news the count CUSUMs (`count_cusum.py`) are the better choice and this one the simple one.
    """

    reference: float = 0.5  # k, in standard deviations of a bucket

    def __post_init__(self):
        bounded("cusum", "reference", self.reference, 0.0)

    def step(self, state: np.ndarray, count: np.ndarray, mean: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = np.maximum(state[..., 0] + standardised(count, mean, size) - self.reference, 0.0)
        return total[..., None].copy(), total
