"""Bursts looking back: stretches of a history in which negatives were a larger part of all than is usual (Kleinberg 2003, batched).

Where the detectors decide at each bucket with what came before, this one sees all of the history at once, and draws the line so that it
does not waver with every bucket. It is for showing what there was, and for judging detectors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfarch.errors import InputError


@dataclass(frozen=True)
class Burst:
    """Buckets `start` to `end` (exclusive) at intensity `level` or above, 1 the least.

    weight: by how much the cost is less there at that level than at the one below it: the evidence, in log-likelihood.
    """

    level: int
    start: int
    end: int
    weight: float


def bursts(negatives: np.ndarray, totals: np.ndarray, *, scaling: float = 2.0, gamma: float = 1.0, states: int = 2) -> list[Burst]:
    """The bursts of one topic by start, the longer first; a burst of a higher level lies in one of the level below.

    State i expects a share p_i = p_0 s^i of negatives, p_0 that of the whole history. The sequence of states is the one that costs least: a
    bucket with r of d negative costs -ln(C(d, r) p^r (1 - p)^(d - r)) in its state, a rise by j states j gamma ln n over n buckets, a fall
    nothing, and before the first bucket the state is 0 (Kleinberg 2003, sections 2 and 4). Of sequences that cost the same, the lower state
    is taken.

    Args:
        negatives, totals: r and d, `[n]`, by bucket.
        scaling: s, from a state's share of negatives to the next one's.
        gamma: what a rise costs.
        states: 2 or more.

    Raises:
        InputError: a setting that cannot be, or a highest state of which all or more would have to be negative.
        ValueError: shapes differ, or negatives are not between 0 and the totals.
    """
    negatives, totals = np.asarray(negatives, np.float64), np.asarray(totals, np.float64)
    if negatives.ndim != 1 or negatives.shape != totals.shape:
        raise ValueError(f"negatives {negatives.shape} and totals {totals.shape} have to be of one shape, [n]")
    if (negatives < 0.0).any() or (negatives > totals).any():
        raise ValueError("negatives have to be between 0 and the totals")
    if not (scaling > 1.0 and gamma >= 0.0 and states >= 2):
        raise InputError(f"scaling {scaling}, gamma {gamma}, {states} states", mend="above 1, 0 or more, and 2 or more")
    if not negatives.sum():
        return []
    share = float(negatives.sum() / totals.sum())
    if share * scaling ** (states - 1) >= 1.0:
        raise InputError(
            f"{share:.1%} are negative, and {states} states that scale by {scaling:g} go beyond all",
            mend="a smaller scaling or fewer states",
        )
    costs = state_costs(negatives, totals, share * scaling ** np.arange(states))
    path = cheapest_path(costs, gamma * math.log(len(negatives)))
    found = [
        Burst(level, start, end, float((costs[start:end, level - 1] - costs[start:end, level]).sum()))
        for level in range(1, states)
        for start, end in _stretches(path >= level)
    ]
    return sorted(found, key=lambda burst: (burst.start, -burst.end, burst.level))


def state_costs(negatives: np.ndarray, totals: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """`[n, states]`: -ln of the binomial probability of each bucket in each state, without its coefficient, which is the same in all."""
    return -(negatives[:, None] * np.log(shares) + (totals - negatives)[:, None] * np.log1p(-shares))


def cheapest_path(costs: np.ndarray, rise: float) -> np.ndarray:
    """The states, int `[n]`, that cost least by Viterbi's algorithm, each rise by one state costing `rise`, from state 0 on.

    Args:
        costs: of each bucket in each state, `[n, states]`.
    """
    level = np.arange(costs.shape[1])
    change = rise * np.maximum(level[None, :] - level[:, None], 0)  # [from, to]
    total, came_from = change[0] + costs[0], np.zeros(costs.shape, np.intp)
    for bucket in range(1, len(costs)):
        ways = total[:, None] + change
        came_from[bucket] = ways.argmin(axis=0)
        total = ways.min(axis=0) + costs[bucket]
    path = np.empty(len(costs), np.intp)
    path[-1] = total.argmin()
    for bucket in range(len(costs) - 1, 0, -1):
        path[bucket - 1] = came_from[bucket, path[bucket]]
    return path


def _stretches(inside: np.ndarray) -> Iterator[tuple[int, int]]:
    """(start, end) of each run of True, the end exclusive."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
