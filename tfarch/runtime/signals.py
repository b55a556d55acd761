"""What speaks for each item, for one user at one moment: a table of signals, all items by all signals, from which a ranker makes one score.

A signal is either of the item alone (how popular it is) or a sum over the user's history (what each event says for the item), so that a score can be told as a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfarch.errors import InputError
from tfarch.runtime.shared_words import SharedWords
from tfarch.runtime.user_tower import UserTower

# What an event that its user did not want (a low rating) counts beside one that he wanted: it still says what he is near to.
UNWANTED = 0.4
RECENT = 20.0  # events in which what is recent fades to 1 / e
DAY = 86_400.0
YEAR = 365.25 * DAY
WINDOWS = (30.0, 180.0, 720.0)  # days
_COUNTS = ("popularity", *(f"popularity_{days:.0f}_days" for days in WINDOWS))
ALIKE = 5  # items that a text which is no item's is taken for
_UNKNOWN_YEARS = 60.0  # as old is an item taken for of which nothing is known


@dataclass(frozen=True)
class History:
    """What is known of a user, in the order of time.

    items: numbers int `[n]`.
    wanted: whether he wanted each, bool `[n]`.
    behaviours: what he did, int `[n]`.
    texts: what he wanted after them, of which only texts are known.
    """

    items: np.ndarray
    wanted: np.ndarray
    behaviours: np.ndarray
    texts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items) + len(self.texts)

    @property
    def amounts(self) -> np.ndarray:
        """What each event counts, float64 `[n]`: 1, or less where it was not wanted."""
        return np.concatenate([np.where(self.wanted, 1.0, UNWANTED), np.ones(len(self.texts))])

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
    encode: its vectors float32 `[n, width]` of n texts that are no item's.
    rates: what share of an item's events is of each behaviour, drawn to that of all items, float32 `[m, behaviours]`; None: there is one behaviour only.
    behaviours: their names.
    of_items: the signals of the items alone, which are the same for everybody, float32 `[m]` each.
    cold: whether an item has no events, bool `[m]`.
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
    encode: Callable[[Sequence[str]], np.ndarray] | None = None
    rates: np.ndarray | None = None
    behaviours: tuple[str, ...] = ()
    of_items: Mapping[str, np.ndarray] = field(init=False)
    cold: np.ndarray = field(init=False)
    _begun: np.ndarray = field(init=False, repr=False)  # the beginnings that are known, rising, and the sums of those before each
    _begun_before: np.ndarray = field(init=False, repr=False)

    def __post_init__(self):
        years = (self.moment - self.since) / YEAR
        age = np.log1p(np.clip(np.nan_to_num(years, nan=_UNKNOWN_YEARS), 0.0, None))
        rates = {} if self.rates is None else {f"rate_{name}": rate for name, rate in zip(self.behaviours, self.rates.T, strict=True)}
        counts = dict(zip(_COUNTS, np.log1p(self.counts).T, strict=True))
        object.__setattr__(self, "of_items", {**counts, "value": self.value, "age": age.astype(np.float32), **rates})
        object.__setattr__(self, "cold", self.counts[:, 0] == 0)
        begun = np.sort(self.since[~np.isnan(self.since)])
        object.__setattr__(self, "_begun", begun)
        object.__setattr__(self, "_begun_before", np.concatenate([[0.0], np.cumsum(begun)]))

    def __len__(self) -> int:
        return len(self.sources)

    def shared_words(self, history: History) -> np.ndarray:
        """How much of what the user wanted stands in the items' texts, float32 `[m]`."""
        items, wanted, fading = history.items, history.wanted, history.recent
        found = self.words.scores(items[wanted], fading[: len(items)][wanted])
        return found + self.words.scores_of_texts(history.texts, fading[len(items) :]) if history.texts else found

    def of(self, history: History, rows: np.ndarray | None = None, *, words: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """The signals by name, float32 `[m]` each, or `[rows]` of these items alone; `words` as `shared_words` gives them, where they are known already."""
        items, (alike, shares), among = history.items, self._alike(history.texts), slice(None) if rows is None else rows
        recent = history.amounts * history.recent
        categories = np.concatenate([self.categories[items], shares @ self.categories[alike]])
        words = self.shared_words(history) if words is None else words
        linear = self.targets[among] @ self._sources_of(history, alike, shares)
        found = {
            "linear": linear[:, 0],
            "linear_recent": linear[:, 1],
            "words": words[among],
            "categories": self.categories[among] @ (recent.astype(np.float32) @ categories),
            "of_its_time": self._of_its_time(np.concatenate([self.since[items], self._since(alike, shares)]), recent, among),
        }
        if self.vectors is not None:
            found["interest"] = self.vectors[among] @ self.state(history)
        return {**found, **{name: value[among] for name, value in self.of_items.items()}}

    def sources_of(self, history: History) -> np.ndarray:
        """What the targets are multiplied by for the signals `linear` and `linear_recent`, float32 `[rank, 2]`."""
        return self._sources_of(history, *self._alike(history.texts))

    def _sources_of(self, history: History, alike: np.ndarray, shares: np.ndarray) -> np.ndarray:
        amounts = np.stack([history.amounts, history.amounts * history.recent], axis=1).astype(np.float32)
        return np.concatenate([self.sources[history.items], shares @ self.sources[alike]]).T @ amounts

    def by_event(self, history: History, item: int) -> dict[str, np.ndarray]:
        """What each event of a history, its texts after its items, gives to the signals of one item that are sums over events: float64 `[n]` each."""
        (alike, shares), recent = self._alike(history.texts), history.amounts * history.recent
        linear, categories = (
            np.concatenate([table[history.items], shares @ table[alike]]).astype(np.float64) @ other[item]
            for table, other in ((self.sources, self.targets), (self.categories, self.categories))
        )
        wanted = np.concatenate([history.wanted, np.ones(len(history.texts), bool)])
        words = np.array([self.words.score(item, each) for each in (*history.items.tolist(), *history.texts)], np.float64)
        given = {
            "linear": history.amounts * linear,
            "linear_recent": recent * linear,
            "words": wanted * history.recent * words,
            "categories": recent * categories,
        }
        if self.vectors is not None:
            given["interest"] = self.users.by_event(*self._events(history)) @ self.vectors[item]
        return given

    def _alike(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """What texts that are no items' stand for beside their own words: numbers of the items that share most words with one, int64 `[n]`, and what share of each text each
        item is, 1 in all, float32 `[texts, n]`; zeros where none shares any."""
        shares = np.zeros((len(texts), ALIKE * len(texts)), np.float32)
        alike = [np.zeros(0, np.int64)]
        for row, text in enumerate(texts):
            scores = self.words.scores_of_texts([text], np.ones(1))
            best = np.argsort(-scores, kind="stable")[:ALIKE]
            place = sum(map(len, alike))
            shares[row, place : place + len(best)] = scores[best] / max(float(scores[best].sum()), 1e-9)
            alike.append(best)
        alike = np.concatenate(alike)
        return alike, shares[:, : len(alike)]

    def _since(self, alike: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """The mean beginning of these shares of items `[texts, n]`, of those that have one; NaN where none has."""
        own = self.since[alike]
        dated = ~np.isnan(own)
        sums = shares[:, dated].sum(axis=1)
        return np.where(sums > 0.0, shares[:, dated] @ own[dated] / np.maximum(sums, 1e-9), np.nan)

    def state(self, history: History) -> np.ndarray:
        """The user's by the interest model, float32 `[width]`; a text counts as a wanted event of the first behaviour.

        Raises:
            InputError: there are texts, and nothing that encodes them.
        """
        return self.users.state(*self._events(history))

    def _events(self, history: History) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vectors, behaviours and amounts, as the user tower takes them."""
        vectors, behaviours = self.vectors[history.items], history.behaviours
        if history.texts:
            if self.encode is None:
                raise InputError("this recommender has no text tower for texts that are no item's", mend="export it again, or give items")
            vectors = np.concatenate([vectors, self.encode(history.texts)])
            behaviours = np.concatenate([behaviours, np.zeros(len(history.texts), np.int64)])
        return vectors, behaviours, history.amounts

    def _of_its_time(self, since: np.ndarray, weights: np.ndarray, among: np.ndarray | slice) -> np.ndarray:
        """How near the beginning of each of these items is to the mean one `[n]` of the history's: minus the years between; of an item whose beginning is unknown the
        mean of all."""
        own, known = self.since[among], ~np.isnan(since)
        if not weights[known].sum() > 0.0:
            return np.zeros(len(own), np.float32)
        mean = np.average(since[known], weights=weights[known])
        apart = np.abs(own - mean) / YEAR
        if np.isnan(apart).any():
            apart = np.where(np.isnan(apart), self._usually_apart(mean) / YEAR, apart)
        return -apart.astype(np.float32)

    def _usually_apart(self, moment: float) -> float:
        """The mean of the times between a moment and the beginnings that are known, seconds, without a look at each."""
        earlier, sums = int(np.searchsorted(self._begun, moment)), self._begun_before
        later = len(self._begun) - earlier
        return float(earlier * moment - sums[earlier] + sums[-1] - sums[earlier] - later * moment) / len(self._begun)
