"""What speaks for each item, for one user at one moment: a table of signals, all items by all signals, from which a ranker makes one score.

A signal is either of the item alone (how popular it is) or a sum over the user's history (what each event says for the item), so that a score can be told as a sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tfarch.runtime.shared_words import SharedWords
from tfarch.runtime.user_tower import UserTower

# What an event that its user did not want (a low rating) counts beside one that he wanted: it still says what he is near to.
UNWANTED = 0.4
RECENT = 20.0  # events in which what is recent fades to 1 / e
DAY = 86_400.0
WINDOWS = (30.0, 180.0, 720.0)  # days
# Signals of the item alone: they are the same for everybody.
OF_ITEMS = ("popularity", *(f"popularity_{days:.0f}_days" for days in WINDOWS), "value", "age")
_UNKNOWN_YEARS = 60.0  # as old is an item taken for of which nothing is known


@dataclass(frozen=True)
class History:
    """What is known of a user, in the order of time.

    items: numbers int `[n]`.
    wanted: whether he wanted each, bool `[n]`.
    behaviours: what he did, int `[n]`.
    """

    items: np.ndarray
    wanted: np.ndarray
    behaviours: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    @property
    def recent(self) -> np.ndarray:
        """What each event counts where what is recent counts more, float64 `[n]`; the last one 1."""
        return np.exp(-np.arange(len(self) - 1, -1, -1) / RECENT)


@dataclass(frozen=True)
class Signals:
    """What is known of m items.

    sources, targets: factors of an item-item model, float32 `[m, rank]` (see `tfarch.models.item_factors`).
    words: of their texts.
    categories: what share of an item's categories each is, float32 `[m, categories]`: rows of length 1, or 0.
    counts: events of each item in all and in the last `WINDOWS` days, float32 `[m, 1 + windows]`.
    value: mean value of an item's events, drawn to that of all, float32 `[m]`.
    since: when each came into being, seconds since 1970, float64 `[m]`; NaN: unknown.
    moment: at which it is asked, seconds since 1970.
    vectors: of an interest model, float32 `[m, width]`; None: there is none.
    users: its other tower, which makes a user's state.
    """

    sources: np.ndarray
    targets: np.ndarray
    words: SharedWords
    categories: np.ndarray
    counts: np.ndarray
    value: np.ndarray
    since: np.ndarray
    moment: float
    vectors: np.ndarray | None = None
    users: UserTower | None = None
    _static: Mapping[str, np.ndarray] = field(init=False)

    def __post_init__(self):
        years = (self.moment - self.since) / (365.25 * DAY)
        age = np.log1p(np.clip(np.nan_to_num(years, nan=_UNKNOWN_YEARS), 0.0, None))
        static = (*np.log1p(self.counts).T, self.value, age.astype(np.float32))
        object.__setattr__(self, "_static", dict(zip(OF_ITEMS, static, strict=True)))

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def cold(self) -> np.ndarray:
        """Whether an item has no events, bool `[m]`."""
        return self.counts[:, 0] == 0

    def of(self, history: History) -> dict[str, np.ndarray]:
        """The signals by name, float32 `[m]` each."""
        items, amounts = history.items, np.where(history.wanted, 1.0, UNWANTED)
        recent = amounts * history.recent
        found = {
            "linear": self.targets @ (amounts.astype(np.float32) @ self.sources[items]),
            "linear_recent": self.targets @ (recent.astype(np.float32) @ self.sources[items]),
            "words": self.words.scores(items[history.wanted], history.recent[history.wanted]),
            "categories": self.categories @ (recent.astype(np.float32) @ self.categories[items]),
            "of_its_time": self._of_its_time(items, recent),
        }
        if self.vectors is not None:
            found["interest"] = self.vectors @ self.users.state(self.vectors[items], history.behaviours, amounts)
        return {**found, **self._static}

    def _of_its_time(self, items: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """How near an item's beginning is to the mean one of the history's items: minus the years between; of an item whose beginning is unknown their mean."""
        known = ~np.isnan(self.since[items])
        if not weights[known].sum() > 0.0:
            return np.zeros(len(self), np.float32)
        mean = np.average(self.since[items][known], weights=weights[known])
        apart = np.abs(self.since - mean) / (365.25 * DAY)
        return -np.where(np.isnan(apart), np.nanmean(apart), apart).astype(np.float32)
