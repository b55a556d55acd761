"""From signals to one score: a weighted sum of how far each signal of an item stands out for this user, with weights of its own for items without events."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranker:
    """names: of the signals; weights float64 `[2 f + 1]`: of items with events, of those without, and what being without counts itself."""

    names: tuple[str, ...]
    weights: np.ndarray

    def without(self, names: Collection[str]) -> Ranker:
        """One to which these signals, and whether an item is new, count nothing."""
        kept = np.array([name not in names for name in self.names], np.float64)
        return Ranker(self.names, self.weights * np.concatenate([kept, kept, [0.0]]))

    def pairs(self) -> dict[str, tuple[float, float]]:
        """Of each signal its weight for items with events and for those without."""
        count = len(self.names)
        return dict(zip(self.names, zip(self.weights[:count], self.weights[count:-1], strict=True), strict=True))

    def scores(self, signals: Mapping[str, np.ndarray], cold: np.ndarray, counted: np.ndarray) -> np.ndarray:
        """Of all items, float64 `[m]`."""
        return self.parts(signals, cold, counted).sum(axis=1)

    @property
    def told(self) -> tuple[str, ...]:
        """Names of the columns of `parts`."""
        return (*self.names, "new")

    def parts(self, signals: Mapping[str, np.ndarray], cold: np.ndarray, counted: np.ndarray) -> np.ndarray:
        """What each signal, and being new, gives to the score of each item, float64 `[m, f + 1]`; the sum of a row is the score."""
        given, count = features(signals, self.names, cold, counted) * self.weights, len(self.names)
        return np.concatenate([given[:, :count] + given[:, count:-1], given[:, -1:]], axis=1)

    def slopes(self, signals: Mapping[str, np.ndarray], counted: np.ndarray, *, cold: bool) -> dict[str, float]:
        """By how much a score rises with each signal of an item, without events or with."""
        _, deviations = _usual(np.stack([signals[name] for name in self.names], axis=1).astype(np.float64), counted)
        return {name: pair[cold] / deviation for (name, pair), deviation in zip(self.pairs().items(), deviations.tolist(), strict=True)}


def features(signals: Mapping[str, np.ndarray], names: tuple[str, ...], cold: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """How many standard deviations each signal lies from its mean over the candidates, float64 `[m, 2 f + 1]`: in the first half for items with events and 0 for
    those without, in the second the other way round; last, 1 for those without.

    Args:
        signals: `[m]` each.
        cold: whether an item has no events, bool `[m]`.
        counted: how many candidates each item stands for, `[m]`; a bool where each candidate stands for itself.
    """
    table = np.stack([signals[name] for name in names], axis=1).astype(np.float64)
    mean, deviation = _usual(table, counted)
    table = (table - mean) / deviation
    new = cold[:, None].astype(np.float64)
    return np.concatenate([table * (1.0 - new), table * new, new], axis=1)


def _usual(table: np.ndarray, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, and a little more than that lest it be 0."""
    among, amounts = table[counted > 0], counted[counted > 0]
    mean = np.average(among, axis=0, weights=amounts)
    return mean, np.sqrt(np.average((among - mean) ** 2, axis=0, weights=amounts)) + 1e-6
