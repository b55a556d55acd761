"""Which items of a large catalogue are scored for a user, and what these stand for: the rest is not looked at."""

from __future__ import annotations

import numpy as np

from tfarch.runtime.nearest import Nearest
from tfarch.runtime.signals import History, Signals

LINEAR = 500  # the best by each signal of the linear model
MOST_HAD = 100_000  # items whose linear score is asked for
ALWAYS = 200  # the most popular of each window, and as many of the newest
SAMPLE = 2048  # of the items with events, and of those without
FEW = 4 * SAMPLE  # candidates that are all scored
_STEP = 31  # from one score to the next of those that tell how high the best are


class Shortlist:
    """The items worth a look, of `signals` with an interest model, by an index of its vectors."""

    def __init__(self, signals: Signals, nearest: Nearest):
        self.signals, self.nearest = signals, nearest
        newest = np.argsort(-np.nan_to_num(signals.since, nan=-np.inf), kind="stable")[:ALWAYS]
        popular = np.argpartition(-signals.counts, min(ALWAYS, len(signals) - 1), axis=0)[:ALWAYS].ravel()
        self._always = np.union1d(newest, popular)
        groups = [np.flatnonzero(group) for group in (~signals.cold, signals.cold)]
        self._sizes = np.array([len(group) for group in groups])
        self._sample = np.concatenate([np.random.default_rng(0).permutation(group)[:SAMPLE] for group in groups])
        self._most_had = np.argsort(-signals.counts[:, 0], kind="stable")[: min(MOST_HAD, len(groups[0]))]
        self._their_targets = signals.targets[self._most_had]

    def of(self, history: History, candidates: np.ndarray, words: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of the items that are scored, rising, and how many candidates each stands for where it is told what is usual.

        These are the `count` nearest to the user's state, the best by the linear model among those with most events, the `count` that share most words with what he wanted, the
        most popular of each window and the newest, each for itself; and a sample of those with events and of those without, for all others. Few candidates are all scored.

        Args:
            candidates: bool `[m]`; words: of `Signals.shared_words`, float32 `[m]`.
        """
        if candidates.sum() <= FEW:
            rows = np.flatnonzero(candidates)
            return rows, np.ones(len(rows))
        signals, alike = self.signals, best_above_zero(words, count)
        near = self.nearest.to(signals.state(history), count)
        own = np.unique(np.concatenate([self._always, near, alike, self._best_by_linear(history)]))
        drawn = np.setdiff1d(self._sample, own, assume_unique=True)
        kinds = signals.cold[drawn].astype(int)
        others = self._sizes - np.bincount(signals.cold[own], minlength=2)
        stands = others / np.maximum(1, np.bincount(kinds, minlength=2))
        rows, counted = np.concatenate([own, drawn]), np.concatenate([np.ones(len(own)), stands[kinds]])
        order = np.argsort(rows)
        return rows[order], (counted * candidates[rows])[order]

    def _best_by_linear(self, history: History) -> np.ndarray:
        scores = self._their_targets @ self.signals.sources_of(history)
        if len(scores) <= LINEAR:
            return self._most_had
        return self._most_had[np.argpartition(-scores, LINEAR, axis=0)[:LINEAR].ravel()]


def best_above_zero(scores: np.ndarray, count: int) -> np.ndarray:
    """Numbers of the `count` highest of scores `[m]`, none of them negative; fewer where fewer are above 0. Most of them are only held against a threshold, which every 31st tells."""
    some = scores[::_STEP]
    wanted = min(len(some), 4 * count // _STEP + 8)
    threshold = np.partition(some, len(some) - wanted)[len(some) - wanted] if len(some) else 0.0
    found = np.flatnonzero((scores >= threshold) & (scores > 0.0))
    if len(found) < count:  # those below it are wanted too
        found = np.flatnonzero(scores)
    return found if len(found) <= count else found[np.argpartition(-scores[found], count)[:count]]
