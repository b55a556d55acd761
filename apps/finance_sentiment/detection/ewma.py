"""EWMA: the exponentially weighted moving average of the standardised count, in its own standard deviations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.detection.detector import Detector, bounded, detector, standardised


@detector("ewma")
@dataclass(frozen=True)
class Ewma(Detector):
    """Z = (1 - l) Z + l z (Roberts 1959), divided by its asymptotic deviation sqrt(l / (2 - l)) (Lucas and Saccucci 1990).

    One-sided, Z does not fall below 0 (a reflecting barrier, Crowder and Hamilton 1992), so that a surge after a quiet night need not make
    up for the night first; two-sided, the statistic is |Z|, for a change either way.

    The asymptotic deviation and not the exact one of the t-th bucket, which is smaller at first: the exact one would judge the first bucket
    after every restart as a chart of single counts does, where one clump of news is many deviations; and the published run lengths are of
    the asymptotic one.
    """

    smoothing: float = 0.1  # l: the weight of the present bucket
    two_sided: bool = False

    def __post_init__(self):
        bounded("ewma", "smoothing", self.smoothing, 0.0, 1.0)

    def step(self, state: np.ndarray, count: np.ndarray, mean: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        average = (1.0 - self.smoothing) * state[..., 0] + self.smoothing * standardised(count, mean, size)
        if not self.two_sided:
            average = np.maximum(average, 0.0)
        return average[..., None], np.abs(average) / math.sqrt(self.smoothing / (2.0 - self.smoothing))
