"""CUSUMs of the log-likelihood ratio of counts: the mean is `ratio` times what is usual, against that it is as usual.

For a mean that does not vary no procedure with as few false alarms is quicker, in the worst case, for a rise by just that ratio
(Moustakides 1986); for one that does they know that an hour with usually 0.2 items says little when it has none and much when it has two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.detection.detector import Detector, bounded, detector

_LEAST_DISPERSION = 1e-12  # 1 / size that stands for 0: the formula then differs from Poisson's by as little


def log_likelihood_ratio(count: np.ndarray, mean: np.ndarray, size: np.ndarray, ratio: float) -> np.ndarray:
    """That a negative binomial of this size has `ratio` times the mean, against the mean itself; of the shape that the arguments broadcast to."""
    dispersion = np.maximum(1.0 / np.asarray(size, np.float64), _LEAST_DISPERSION)
    usual, raised = dispersion * mean, dispersion * mean * ratio
    weight = math.log(ratio) + np.log1p(usual) - np.log1p(raised)
    return count * weight - np.log1p((raised - usual) / (1.0 + usual)) / dispersion


def odds_of_calm(counts: np.ndarray, mean: np.ndarray, size: float, ratio: float) -> float:
    """Logarithm of the odds that the mean is the usual one again and no longer `ratio` times as high, since the moment that says so best.

    Page's test (1954) for the change back, of counts `[buckets]` of means `[buckets]`.
    """
    against = np.concatenate([[0.0], np.cumsum(-log_likelihood_ratio(counts, mean, np.float64(size), ratio))])
    return float(against[-1] - against.min())


@detector("poisson_cusum")
@dataclass(frozen=True)
class PoissonCusum(Detector):
    """S = max(0, S + c log q - (q - 1) m) for count c, mean m and ratio q: Lucas (1985), in units of log-likelihood.

    Lucas' own S, for a mean that never changes, is this one divided by log q, with reference value (q - 1) m / log q. It ignores the
    dispersion: its threshold is still right when it is calibrated on over-dispersed streams, but single clumps weigh more than they should.
    """

    ratio: float = 2.0  # the rise of the mean that it is quickest for

    def __post_init__(self):
        bounded("poisson_cusum", "ratio", self.ratio, 1.0)

    def step(self, state: np.ndarray, count: np.ndarray, mean: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = np.maximum(state[..., 0] + count * math.log(self.ratio) - (self.ratio - 1.0) * mean, 0.0)
        return total[..., None].copy(), total


@detector("negative_binomial_cusum")
@dataclass(frozen=True)
class NegativeBinomialCusum(Detector):
    """S = max(0, S + c log(q (r + m) / (r + q m)) - r log((r + q m) / (r + m))) for count c, mean m, ratio q and size r.

    The log-likelihood ratio of two negative binomials of the same size (Höhle and Paul 2008); the more dispersed, the less a high count
    weighs. As r grows it becomes the Poisson CUSUM.
    """

    ratio: float = 2.0  # the rise of the mean that it is quickest for

    def __post_init__(self):
        bounded("negative_binomial_cusum", "ratio", self.ratio, 1.0)

    def step(self, state: np.ndarray, count: np.ndarray, mean: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total = np.maximum(state[..., 0] + log_likelihood_ratio(count, mean, size, self.ratio), 0.0)
        return total[..., None].copy(), total
