"""How far up a ranking the right entries stand: the measures of search and recommendation, one figure for each query.

All are made of the ranks of the right entries, `[n, r]` from 1, infinite where a query has fewer than r of them. Entries of the same score share the mean
of the ranks that they take up: an order that the scores do not give is nobody's merit.

>>> found = ranks(np.array([[0.9, 0.1, 0.5], [0.2, 0.2, 0.7]]), np.array([2, 0]))
>>> found.tolist()
[[2.0], [2.5]]
>>> reciprocal_rank(found).tolist()
[0.5, 0.4]
"""

from __future__ import annotations

import numpy as np

NOTHING = -1  # in a row of right entries: there are no more


def ranks(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The ranks `[n, r]` of the right entries.

    Args:
        scores: `[n, entries]`, higher for what comes first.
        right: numbers of the entries that are right, `[n, r]` with `NOTHING` where there are fewer, or `[n]` where each query has one.
    """
    right = np.asarray(right).reshape(len(scores), -1)
    own = np.take_along_axis(scores, np.maximum(right, 0), axis=1)
    higher = (scores[:, None, :] > own[:, :, None]).sum(axis=2)
    equal = (scores[:, None, :] == own[:, :, None]).sum(axis=2)
    return np.where(right == NOTHING, np.inf, higher + (equal + 1) / 2)


def reciprocal_rank(found: np.ndarray) -> np.ndarray:
    """1 / the rank of the first right entry `[n]`, 0 for a query without one; its mean is the MRR (Voorhees 1999)."""
    return 1.0 / found.min(axis=1)


def precision_at(found: np.ndarray, k: int) -> np.ndarray:
    """The share of the first k entries that is right `[n]`."""
    return (found <= k).sum(axis=1) / k


def ndcg_at(found: np.ndarray, k: int) -> np.ndarray:
    """Normalised discounted cumulative gain of the first k entries `[n]` (Järvelin and Kekäläinen 2002, gains of 0 and 1, discount log2(1 + rank)): 1
    where no right entry could stand higher, 0 for a query without one.
    """
    gain = np.where(found <= k, 1.0 / np.log2(1.0 + found), 0.0).sum(axis=1)
    best = np.cumsum(1.0 / np.log2(1.0 + np.arange(1, k + 1)))
    wanted = np.minimum(np.isfinite(found).sum(axis=1), k)
    return np.where(wanted > 0, gain / best[np.maximum(wanted, 1) - 1], 0.0)
