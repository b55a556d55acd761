"""How what is usual drifts: the level and the share of negatives of each topic, day by day, as a watch that follows them would have expected them.

Level: the discounted gamma-Poisson rate (Harvey and Fernandes 1989), items remembered over items expected in the same time; share: negatives
remembered over items remembered. How fast to forget, the history says: of several half-lives the one whose expectations of the next day fit best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

HALF_LIVES = (7.0, 14.0, 28.0, 56.0, 112.0, math.inf)  # days
_UNSURE = 2.0  # days of the common level that a topic starts from where nothing is known of it
_BURN_IN = 7  # days that say more of the start than of the half-life
_CLEARLY = 6.0  # of twice the logarithm of the likelihood, by how much forgetting has to fit better than not forgetting


@dataclass(frozen=True)
class Days:
    """A history by day and topic, `[days, topics]` each.

    items, negatives: that were counted.
    expected: items that were to be expected at the level 1, in what was recorded of the day.
    recorded: how much of the day that is, 0 to 1.
    """

    items: np.ndarray
    negatives: np.ndarray
    expected: np.ndarray
    recorded: np.ndarray

    def reversed(self) -> Days:
        return Days(self.items[::-1], self.negatives[::-1], self.expected[::-1], self.recorded[::-1])


@dataclass(frozen=True)
class Known:
    """What is remembered of each topic: items, items expected at level 1, and negatives, `[topics]` each."""

    items: np.ndarray
    expected: np.ndarray
    negatives: np.ndarray

    @property
    def level(self) -> np.ndarray:
        return self.items / self.expected

    @property
    def share(self) -> np.ndarray:
        return self.negatives / self.items


def followed(days: Days, half_life: float, begin: Known) -> tuple[np.ndarray, np.ndarray, Known]:
    """Level and share as they were expected before each day, `[days, topics]` each, and what is known after the last.

    Args:
        half_life: in days of observation.
    """
    level, share = np.empty_like(days.items), np.empty_like(days.items)
    items, expected, negatives = begin.items, begin.expected, begin.negatives
    kept = np.exp2(-days.recorded / half_life)
    for day in range(len(level)):
        level[day], share[day] = items / expected, negatives / items
        items = items * kept[day] + days.items[day]
        expected = expected * kept[day] + days.expected[day]
        negatives = negatives * kept[day] + days.negatives[day]
    return level, share, Known(items, expected, negatives)


def unsure(days: Days, share: np.ndarray, worth: float = _UNSURE) -> Known:
    """The level 1 and this share `[topics]`, as if `worth` days had been seen."""
    recorded = np.maximum(days.recorded.sum(axis=0), 1e-9)
    a_day = np.maximum(days.expected.sum(axis=0) / recorded, 1e-9)
    return Known(a_day * worth, a_day * worth, a_day * worth * share)


def fitting_half_life(days: Days, share: np.ndarray, clumping: float) -> float:
    """The half-life whose expectations fit the negatives of the days after them best, by the likelihood of Poisson counts that clump `clumping` times.

    Forgetting costs evidence, so it has to fit clearly better than what forgets nothing.
    """
    if len(days.items) < 2 * _BURN_IN:
        return math.inf
    scores = {}
    for half_life in HALF_LIVES:
        level, shares, _ = followed(days, half_life, unsure(days, share))
        mean = np.maximum(days.expected * level * shares, 1e-9)[_BURN_IN:]
        scores[half_life] = 2.0 / clumping * float((days.negatives[_BURN_IN:] * np.log(mean) - mean).sum())
    best = max(HALF_LIVES, key=lambda each: scores[each])
    return best if scores[best] - scores[math.inf] > _CLEARLY else math.inf


def smooth_start(days: Days, half_life: float, share: np.ndarray) -> Known:
    """Where each topic stood before the first day: the history followed backwards, which has no beginning that would have to be guessed."""
    _, _, known = followed(days.reversed(), half_life, unsure(days, share))
    return known
