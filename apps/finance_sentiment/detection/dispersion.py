"""What of a history is usual, and how much its counts scatter: the days to leave out, and the dispersion of buckets and of days."""

from __future__ import annotations

import warnings

import numpy as np

_WEEK = 7  # days
_EXTREME = 3.5  # robust standard deviations (Iglewicz and Hoaglin 1993)
SMALLEST_SIZE, LARGEST_SIZE = 0.05, 1000.0  # the largest is Poisson for all that can be told at counts of a few
_LIKENESS = 0.5  # assumed standard deviation of topics' dispersions about their common one, relative to it


def ordinary_days(observed: np.ndarray, expected: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Which days of each topic are no surge and no outage, bool `[n, topics]` for days 0 to n - 1.

    A day's total Y is compared with its expectation E on Anscombe's scale, 2 sqrt(Y + 3/8) - 2 sqrt(E + 3/8), of deviation 1 for Poisson
    counts (Anscombe 1948). A day is extreme when it is 3.5 robust deviations from the topic's median over the week before and after it, where
    the deviation is 1.4826 times the median absolute one, and 1 at least: news in clumps has a larger one and loses no more days, and what
    lasts for longer than a week is the usual.

    Args:
        observed, expected: `[buckets, topics]`; 0 and 0 in buckets that were not observed.
        days: the day of each bucket, int `[buckets]`.
    """
    totals, expectations = (np.zeros((int(days.max()) + 1, observed.shape[1])) for _ in range(2))
    np.add.at(totals, days, observed)
    np.add.at(expectations, days, expected)
    residual = np.where(expectations > 0.0, 2.0 * (np.sqrt(totals + 0.375) - np.sqrt(expectations + 0.375)), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of weeks without a day that was observed
        residual -= np.stack([np.nanmedian(residual[max(0, day - _WEEK) : day + _WEEK + 1], axis=0) for day in range(len(residual))])
        deviation = np.maximum(1.4826 * np.nan_to_num(np.nanmedian(np.abs(residual), axis=0)), 1.0)
    return ~(np.abs(residual) > _EXTREME * deviation)


def dispersion_size(observed: np.ndarray, expected: np.ndarray, seen: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    """The size r `[topics]` of negative binomials of variance m + m^2 / r, between `SMALLEST_SIZE` and `LARGEST_SIZE`.

    By moments: 1 / r = sum((y - m)^2 / (1 - h) - y) / sum(m^2), the squared residuals weighted as in the score test of Dean and Lawless
    (1989) and not as Pearson's, where single items in quiet hours, with m far below 1, drown the rest. Each topic's 1 / r is drawn to that
    of all together, the more the less it has: their weights are its precision, sum(m^2) / 2, and that of topics alike to within a half.

    Args:
        observed, expected: y and m, `[buckets, topics]`.
        seen: the buckets that count, bool, of that shape.
        leverage: h, by how much the residuals are smaller for the expectation having been fitted to them, of that shape.
    """
    squares = np.where(seen, expected**2, 0.0).sum(axis=0)
    excess = np.where(seen, (observed - expected) ** 2 / (1.0 - leverage) - observed, 0.0).sum(axis=0)
    common = max(float(excess.sum() / squares.sum()), 1.0 / LARGEST_SIZE)
    prior = 1.0 / (_LIKENESS * common) ** 2
    inverse = (excess / 2.0 + prior * common) / (squares / 2.0 + prior)
    return 1.0 / np.clip(inverse, 1.0 / LARGEST_SIZE, 1.0 / SMALLEST_SIZE)


def dispersion_of_days(observed: np.ndarray, expected: np.ndarray, size: np.ndarray, seen: np.ndarray, days: np.ndarray) -> np.ndarray:
    """How much the buckets of a day rise and fall together: the size d `[topics]` of a gamma distribution that all of them share; infinite: not at all.

    By moments: the variance of a day's total is M + Q / r + (M^2 - Q) / d, with M the sum of its means m and Q that of their squares. Each
    topic's 1 / d is drawn to that of all together as `dispersion_size` does it, and is no more than 1 / r, which it is a part of.

    Args:
        observed, expected: y and m, `[buckets, topics]`.
        size: r of a bucket, `[topics]`.
        seen: the buckets that count, bool, of that shape.
        days: the day of each bucket, int `[buckets]`.
    """
    totals, means, squares = (np.zeros((int(days.max()) + 1, observed.shape[1])) for _ in range(3))
    for sums, values in ((totals, observed), (means, expected), (squares, expected**2)):
        np.add.at(sums, days, np.where(seen, values, 0.0))
    alone = means + squares / size  # variance of a day whose buckets are independent
    pairs = (means**2 - squares).sum(axis=0)
    excess = ((totals - means) ** 2 - alone).sum(axis=0)
    if not pairs.sum() > 0.0:
        return np.full(size.shape, np.inf)  # a bucket is a day
    common = float(excess.sum() / pairs.sum())
    if common <= 1.0 / LARGEST_SIZE:
        return np.full(size.shape, np.inf)
    precision, prior = pairs**2 / (2.0 * (alone**2).sum(axis=0)), 1.0 / (_LIKENESS * common) ** 2
    inverse = (precision * excess / np.maximum(pairs, 1e-300) + prior * common) / (precision + prior)
    return 1.0 / np.clip(inverse, 1.0 / LARGEST_SIZE, 1.0 / size)
