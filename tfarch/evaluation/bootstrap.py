"""Where a mean would lie had other groups been collected: the bootstrap over groups of rows that stand or fall together (Efron 1979; Field and Welsh 2007).

Ten wordings of one question are not ten questions: drawn one by one they would make an interval too narrow.
"""

from __future__ import annotations

import numpy as np


def mean_interval(values: np.ndarray, groups: np.ndarray, *, seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """The 95 % interval of the mean of `values`: percentiles over draws of as many groups as there are, with replacement.

    Of two ways that were measured on the same rows, the differences `[n]` are such values: the interval of their mean is that of the paired difference.

    Args:
        values: `[n]`.
        groups: the group of each row, `[n]`.
    """
    place = np.unique(groups, return_inverse=True)[1]
    sums, counts = np.bincount(place, weights=values), np.bincount(place)
    drawn = np.random.default_rng(seed).integers(0, len(sums), (draws, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)
