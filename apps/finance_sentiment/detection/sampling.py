"""Streams in which nothing is the matter, to count false alarms on: drawn from the baseline's model, or put together of days that were.

Which when. `gamma_poisson` needs no more than a baseline, has as many different days as are drawn, and is right where the buckets of a
topic are independent given their means. `resampled_days` is for news that comes in clumps that last for hours: it keeps what happens within
a day together, and so the longer runs of high counts, which a model of single buckets lacks. It has nothing in it that the history had
not, and nothing that carries from one day into the next; and the days that raise alarms are the rare ones, so that it wants many. In a
simulation with clumps as long as a day, of one false alarm a week that was asked there were 1.9 with thresholds of `gamma_poisson`, and
0.7 to 1.4 with those of `resampled_days` from 120 days.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from apps.finance_sentiment.detection.week import buckets_of_a_day

# (generator, buckets, streams, topics) -> counts, int32 [buckets, streams, chosen topics], and their means, where 1 may stand for streams
Sampler = Callable[[np.random.Generator, int, int, slice], tuple[np.ndarray, np.ndarray]]


def draw_counts(rng: np.random.Generator, mean: np.ndarray, size: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Negative binomial counts, int64 `shape`: Poisson of a gamma-distributed mean, or plain Poisson where `size` is infinite."""
    poisson = np.isinf(size)
    if np.all(poisson):
        return rng.poisson(np.broadcast_to(mean, shape))
    shapes = np.where(poisson, 1.0, size)
    clumps = rng.standard_gamma(np.broadcast_to(shapes, shape)) / shapes
    return rng.poisson(mean * np.where(poisson, 1.0, clumps))


def gamma_poisson(mean: np.ndarray, size: np.ndarray) -> Sampler:
    """Draws every bucket on its own: negative binomials of mean `[period, topics]`, again and again, and size `[topics]`.

    All streams begin in the same bucket of the period, a random one.
    """

    def sample(rng: np.random.Generator, buckets: int, streams: int, topics: slice) -> tuple[np.ndarray, np.ndarray]:
        period = np.roll(mean[:, topics], -int(rng.integers(len(mean))), axis=0)
        means = period[np.arange(buckets) % len(period)][:, None, :]
        counts = np.empty((buckets, streams, means.shape[2]), np.int32)
        block = max(1, 1_000_000 // (streams * means.shape[2]))  # buckets drawn at once, for a few MB of doubles
        for start in range(0, buckets, block):
            drawn = counts[start : start + block]
            drawn[:] = draw_counts(rng, means[start : start + block], size[topics], drawn.shape)
        return counts, means

    return sample


def resampled_days(negatives: np.ndarray, mean: np.ndarray, *, bucket_seconds: int) -> Sampler:
    """Puts whole days of the history one after another, drawn with replacement, each with the means that it had.

    A detector sees each count beside its own mean, so that a Sunday is judged as one wherever it is put.

    Args:
        negatives: counts of the history `[buckets, topics]` from the beginning of a day; days that are no example of the usual are to be
            left out. A last day that is not whole is not used.
        mean: what was expected, of that shape.

    Raises:
        ValueError: shapes differ, there is no whole day, or the bucket is no divisor of one.
    """
    a_day = buckets_of_a_day(bucket_seconds)
    days = len(negatives) // a_day
    if negatives.shape != mean.shape or not days:
        raise ValueError(f"negatives {negatives.shape} and mean {mean.shape} have to be one or more days of {a_day} buckets, by topics")
    counted = negatives[: days * a_day].reshape(days, a_day, -1).astype(np.int32)
    expected = mean[: days * a_day].reshape(days, a_day, -1).astype(np.float32)

    def sample(rng: np.random.Generator, buckets: int, streams: int, topics: slice) -> tuple[np.ndarray, np.ndarray]:
        chosen = rng.integers(days, size=(-(-buckets // a_day), streams))

        def laid_out(history: np.ndarray) -> np.ndarray:  # [days, streams, buckets of a day, topics] -> [buckets, streams, topics]
            picked = history[:, :, topics][chosen].swapaxes(1, 2)
            return np.ascontiguousarray(picked.reshape(-1, *picked.shape[2:])[:buckets])

        return laid_out(counted), laid_out(expected)

    return sample
