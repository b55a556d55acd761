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

from collections.abc import Sequence

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


def ranks_among(scores: np.ndarray, candidates: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The ranks `[r]` of the right entries of one query among its candidates: what `ranks` gives, for catalogues too large for a table of all pairs.

    Args:
        scores: `[entries]`.
        candidates: bool `[entries]`.
        right: numbers of candidates, `[r]`.
    """
    rising, own = np.sort(scores[candidates]), scores[right]
    below, up_to = (np.searchsorted(rising, own, side) for side in ("left", "right"))
    return len(rising) - up_to + (up_to - below + 1) / 2


def padded(found: Sequence[np.ndarray]) -> np.ndarray:
    """Ranks `[n, r]` of queries that have different numbers of right entries, infinite where one has fewer."""
    table = np.full((len(found), max((len(each) for each in found), default=0) or 1), np.inf)
    for row, each in enumerate(found):
        table[row, : len(each)] = each
    return table


def reciprocal_rank(found: np.ndarray) -> np.ndarray:
    """1 / the rank of the first right entry `[n]`, 0 for a query without one; its mean is the MRR (Voorhees 1999)."""
    return 1.0 / found.min(axis=1)


def precision_at(found: np.ndarray, k: int) -> np.ndarray:
    """The share of the first k entries that is right `[n]`."""
    return (found <= k).sum(axis=1) / k


def hit_at(found: np.ndarray, k: int) -> np.ndarray:
    """Whether a right entry is among the first k, 1 or 0 `[n]`; its mean is the hit rate."""
    return (found <= k).any(axis=1).astype(np.float64)


def recall_at(found: np.ndarray, k: int) -> np.ndarray:
    """The share of all right entries that is among the first k `[n]`; it cannot be 1 where more than k are right. 0 for a query without one."""
    wanted = np.isfinite(found).sum(axis=1)
    return (found <= k).sum(axis=1) / np.maximum(wanted, 1)


def capped_recall_at(found: np.ndarray, k: int) -> np.ndarray:
    """As `recall_at`, of as many as k places can hold (Liang et al. 2018, "Variational Autoencoders for Collaborative Filtering", section 4.2) `[n]`."""
    wanted = np.minimum(np.isfinite(found).sum(axis=1), k)
    return (found <= k).sum(axis=1) / np.maximum(wanted, 1)


def average_precision_at(found: np.ndarray, k: int) -> np.ndarray:
    """The mean over all right entries of the precision down to each, 0 for those below the first k `[n]`; its mean is the MAP (Manning, Raghavan and Schütze
    2008, section 8.4)."""
    rising = np.sort(found, axis=1)
    precision = np.where(rising <= k, np.arange(1, found.shape[1] + 1) / rising, 0.0)
    return precision.sum(axis=1) / np.maximum(np.isfinite(found).sum(axis=1), 1)


def ndcg_at(found: np.ndarray, k: int) -> np.ndarray:
    """Normalised discounted cumulative gain of the first k entries `[n]` (Järvelin and Kekäläinen 2002, gains of 0 and 1, discount log2(1 + rank)): 1
    where no right entry could stand higher, 0 for a query without one.
    """
    gain = np.where(found <= k, 1.0 / np.log2(1.0 + found), 0.0).sum(axis=1)
    best = np.cumsum(1.0 / np.log2(1.0 + np.arange(1, k + 1)))
    wanted = np.minimum(np.isfinite(found).sum(axis=1), k)
    return np.where(wanted > 0, gain / best[np.maximum(wanted, 1) - 1], 0.0)
