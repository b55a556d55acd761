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

    def scores(self, signals: Mapping[str, np.ndarray], cold: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """Of all items, float64 `[m]`."""
        return self.parts(signals, cold, candidates).sum(axis=1)

    @property
    def told(self) -> tuple[str, ...]:
        """Names of the columns of `parts`."""
        return (*self.names, "new")

    def parts(self, signals: Mapping[str, np.ndarray], cold: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """What each signal, and being new, gives to the score of each item, float64 `[m, f + 1]`; the sum of a row is the score."""
        given, count = features(signals, self.names, cold, candidates) * self.weights, len(self.names)
        return np.concatenate([given[:, :count] + given[:, count:-1], given[:, -1:]], axis=1)

    def slopes(self, signals: Mapping[str, np.ndarray], candidates: np.ndarray, *, cold: bool) -> dict[str, float]:
        """By how much a score rises with each signal of an item, without events or with."""
        return {
            name: pair[cold] / (float(signals[name][candidates].astype(np.float64).std()) + 1e-6) for name, pair in self.pairs().items()
        }


def features(signals: Mapping[str, np.ndarray], names: tuple[str, ...], cold: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """How many standard deviations each signal lies from its mean over the candidates, float64 `[m, 2 f + 1]`: in the first half for items with events and 0 for
    those without, in the second the other way round; last, 1 for those without.

    Args:
        signals: `[m]` each.
        cold: whether an item has no events, bool `[m]`.
        candidates: what could be shown to the user, bool `[m]`.
    """
    table = np.stack([signals[name] for name in names], axis=1).astype(np.float64)
    among = table[candidates]
    table = (table - among.mean(axis=0)) / (among.std(axis=0) + 1e-6)
    new = cold[:, None].astype(np.float64)
    return np.concatenate([table * (1.0 - new), table * new, new], axis=1)
