"""Streams in which nothing is the matter, to count false alarms on: drawn from the baseline's model.

Every bucket is a negative binomial. Where news comes in clumps that last for hours, the buckets of a day rise and fall together; without that there are too few
long runs of high counts: in a simulation 1.9 false alarms where one a week was asked. What carries from one day into the next is left out.
"""

from __future__ import annotations

import numpy as np


def draw_counts(rng: np.random.Generator, mean: np.ndarray, size: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Negative binomial counts, int64 `shape`: Poisson of a gamma-distributed mean, or plain Poisson where `size` is infinite."""
    return rng.poisson(mean * _clumps(rng, size, shape))


def gamma_poisson(
    rng: np.random.Generator, mean: np.ndarray, size: np.ndarray, buckets: int, streams: int, *, day_size: np.ndarray, a_day: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts int32 `[buckets, streams, topics]` and their means, where 1 stands for streams.

    All streams begin in the same bucket of the period, a random one.

    Args:
        mean: over a period, `[period, topics]`, again and again.
        size: of a bucket's negative binomial, `[topics]`.
        day_size: of the gamma distribution, of mean 1, that all buckets of a day are multiplied by, `[topics]`; infinite where they are
            independent. At least `size`, which it is a part of.
        a_day: buckets.
    """
    means = np.roll(mean, -int(rng.integers(len(mean))), axis=0)[np.arange(buckets) % len(mean)][:, None, :]
    counts = np.empty((buckets, streams, means.shape[2]), np.int32)
    levels = _clumps(rng, day_size, (-(-buckets // a_day), *counts.shape[1:]))
    with np.errstate(divide="ignore"):
        own = 1.0 / np.maximum((1.0 + 1.0 / size) / (1.0 + 1.0 / day_size) - 1.0, 0.0)  # what is left of the dispersion within a day
    block = max(1, 1_000_000 // (streams * means.shape[2]))  # buckets drawn at once, for a few MB of doubles
    for start in range(0, buckets, block):
        drawn = counts[start : start + block]
        of_days = levels[np.arange(start, start + len(drawn)) // a_day]
        drawn[:] = draw_counts(rng, means[start : start + block] * of_days, own, drawn.shape)
    return counts, means


def _clumps(rng: np.random.Generator, size: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Gamma-distributed multipliers of mean 1 and variance 1 / size, float64 `shape`; 1 where `size` is infinite, and plain ones where all are."""
    even = np.isinf(size)
    if np.all(even):
        return np.broadcast_to(1.0, shape)
    shapes = np.where(even, 1.0, size)
    clumps = rng.standard_gamma(np.broadcast_to(shapes, shape)) / shapes
    return np.where(even, 1.0, clumps)
