"""How far a few counts are believed: empirical-Bayes shrinkage of rates by hour of the week towards what is alike.

The hours of a week are 168, and a topic of 10 items a day has 3 in each of them over eight weeks. So every hour starts from what coarser
groups say, weekday or weekend, then hour of the day in either, then hour of the week, all topics together, and at last the topic's own; and
each step goes as far as it is believed.
"""

from __future__ import annotations

import numpy as np

from apps.finance_sentiment.detection.week import HOURS

_WEEKEND = (np.arange(HOURS) >= 120).astype(np.intp)
_GROUPS = (_WEEKEND, _WEEKEND * 24 + np.arange(HOURS) % 24, np.arange(HOURS))  # coarse to fine
_LEAST, _MOST = 4.0, 10_000.0  # items of prior evidence: from groups that stray by a half, as real ones seldom do, to groups all alike


def believed(observed: np.ndarray, expected: np.ndarray, clumping: float) -> tuple[np.ndarray, np.ndarray]:
    """By how much the expected counts of groups are to be multiplied, and the weight that the observed ones had in it, 0 to 1.

    Gamma-Poisson: the true multiplier of a group has a gamma prior of mean 1 and variance 1 / a, and (a + y) / (a + e) is its posterior
    mean (Clayton and Kaldor 1987). Over-dispersed counts tell as little as Poisson counts `clumping` times fewer. How strong the prior is,
    the groups say themselves, by moments: the variance of their multipliers is what squared deviations exceed those of chance by,
    1 / a = sum((y - e)^2 - f e) / sum(e^2).

    Args:
        observed, expected: y and e, of one shape; a group without data has 0 and 0, and multiplier 1.
        clumping: f, variance of the counts over their mean, 1 or more.
    """
    squares = float((expected**2).sum())
    if squares == 0.0:
        return np.ones(expected.shape), np.zeros(expected.shape)
    spread = float(((observed - expected) ** 2 - clumping * expected).sum()) / squares
    prior = min(max(1.0 / spread, _LEAST), _MOST) if spread > 0.0 else _MOST
    return (prior + observed / clumping) / (prior + expected / clumping), (expected / clumping) / (prior + expected / clumping)


def weekly_rates(counts: np.ndarray, exposures: np.ndarray, clumping: float) -> tuple[np.ndarray, np.ndarray]:
    """Expected counts of a bucket by hour of the week and topic, `[168, topics]`, above 0, and the weights of a cell's own counts in them.

    A topic without any item is taken to have half a one in all its history (Jeffreys' prior).

    Args:
        counts: items by hour of the week and topic, `[168, topics]`.
        exposures: buckets that they were counted in, of that shape.
        clumping: variance of the counts over their mean.
    """
    profile = np.ones(HOURS)
    pooled_weight = np.zeros(HOURS)
    for _ in range(3):  # level and profile need one another where topics miss different hours
        level = (counts.sum(axis=0) + 0.5) / np.maximum((exposures * profile[:, None]).sum(axis=0), 1e-9)
        profile = np.ones(HOURS)
        for group in _GROUPS:
            expected = np.bincount(group, (exposures * level * profile[:, None]).sum(axis=1))
            multiplier, weight = believed(np.bincount(group, counts.sum(axis=1)), expected, clumping)
            profile, pooled_weight = profile * multiplier[group], weight[group]
    expected = exposures * level * profile[:, None]
    multiplier, weight = believed(counts, expected, clumping)
    part = expected / np.maximum(expected.sum(axis=1, keepdims=True), 1e-300)  # of the pooled cell that is the topic's own
    return level * profile[:, None] * multiplier, weight + (1.0 - weight) * part * pooled_weight[:, None]
