"""Recommends from a bundle, without TensorFlow: what a user had goes in, the items that he will want next come out, each with what spoke for it.

The score of an item is a sum (see `ranker.py` and `signals.py`), so that it can be told exactly what gave how much.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfarch.errors import BundleError, InputError
from tfarch.runtime.bundle import RECOMMENDATION, Bundle, check_file, open_bundle, read_arrays, read_text
from tfarch.runtime.nearest import Nearest
from tfarch.runtime.network import Network
from tfarch.runtime.ranker import Ranker
from tfarch.runtime.shared_words import SharedWords
from tfarch.runtime.shortlist import Shortlist
from tfarch.runtime.signals import History, Signals
from tfarch.runtime.signature import VECTOR
from tfarch.runtime.small_numbers import from_int8, smallest_int, to_int8
from tfarch.runtime.tokeniser import Tokeniser, flags_of
from tfarch.runtime.user_tower import UserTower

ITEMS = "items.json"
ARRAYS = "arrays.npz"
_NEAREST = 1000  # items that are looked at for each reason where there is an index: see `Shortlist`
_VARIED = 5  # times as many items as are asked for, that those are chosen from where there is to be variety
_SIGNALS = ("sources", "targets", "categories", "counts", "value", "since")
_TABLES = {"sources", "targets", "categories", "vectors"}  # that may be int8


@dataclass(frozen=True)
class Recommendation:
    """An item and why.

    parts: what each signal gave to the score; their sum is the score.
    events: what each event of the history gave to it, by its title or text: a part of `parts`, where signals are sums over events. The rest is what the item has of its own,
        and what is usual.
    """

    item: str
    title: str
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    events: Mapping[str, float] = field(default_factory=dict)


class Recommender:
    """What `learn` learned, ready to recommend.

    Args:
        ids, titles: of all items.
        behaviours: names, as the log has them.
        categories: names of the categories of the signals.
        liked: value from which on an event is what its user wanted.
        bundle: bundle.json, where it came from one.
        nearest: index of the interest model's vectors: where there are many items not all of them are scored (see `tfarch.runtime.nearest`).
    """

    def __init__(
        self,
        signals: Signals,
        ranker: Ranker,
        ids: Sequence[str],
        titles: Sequence[str],
        behaviours: Sequence[str],
        categories: Sequence[str],
        liked: float,
        bundle: Mapping[str, Any] | None = None,
        *,
        nearest: Nearest | None = None,
    ):
        self.signals, self.ranker, self.liked = signals, ranker, liked
        self.ids, self.titles, self.behaviours, self.categories = tuple(ids), tuple(titles), tuple(behaviours), tuple(categories)
        self.bundle = dict(bundle or {})
        self.nearest = nearest
        self._numbers = {item: number for number, item in enumerate(self.ids)}
        self._shortlist = None if nearest is None else Shortlist(signals, nearest)

    def number(self, item: str) -> int:
        """The number of an item.

        Raises:
            InputError: there is none of this id; names near ones.
        """
        if item not in self._numbers:
            near = difflib.get_close_matches(item, self.ids, n=3)
            raise InputError(f"no item {item!r}" + (f"; near it: {', '.join(near)}" if near else f" among {len(self.ids):,}"))
        return self._numbers[item]

    def history(
        self, items: Sequence[str], behaviours: Sequence[str] = (), values: Sequence[float] = (), texts: Sequence[str] = ()
    ) -> History:
        """Of items in the order of time.

        Args:
            behaviours: what was done with each; none: the first that the log has.
            values: ratings or weights; none: all were wanted.
            texts: what was wanted after them, told in words.

        Raises:
            InputError: an item or a behaviour is unknown, or there are not as many of one as of the other.
        """
        for name, given in (("behaviours", behaviours), ("values", values)):
            if len(given) not in (0, len(items)):
                raise InputError(f"{len(items)} items and {len(given)} {name}", mend="as many of both, or none")
        known = {name: number for number, name in enumerate(self.behaviours)}
        for behaviour in behaviours:
            if behaviour not in known:
                raise InputError(f"unknown behaviour {behaviour!r}; known: {', '.join(known)}")
        numbers = np.array([self.number(item) for item in items], np.int64)
        wanted = np.array([value >= self.liked for value in values], bool) if len(values) else np.ones(len(items), bool)
        return History(numbers, wanted, np.array([known[each] for each in behaviours] or [0] * len(items), np.int64), tuple(texts))

    def scores(self, history: History) -> np.ndarray:
        """Of all items, float64 `[items]`, without an index; what was had is no candidate: its own has no meaning."""
        candidates = np.ones(len(self.ids), bool)
        candidates[history.items] = False
        return self.ranker.scores(self.signals.of(history), self.signals.cold, candidates)

    def recommend(
        self,
        history: History,
        k: int = 10,
        *,
        variety: float = 0.0,
        allow: Collection[str] | None = None,
        deny: Collection[str] = (),
        again: bool = False,
        explain: bool = False,
    ) -> list[Recommendation]:
        """The k items of the highest scores; of equal ones those of the lower number. For an empty history what is wanted by all.

        Args:
            variety: 0 to 1: how much an item loses for being like those above it (see `varied`).
            allow: only these items; None: all.
            deny: not these.
            again: whether what the user has had may be shown again.
            explain: tell the parts of each score.

        Raises:
            InputError: an item is unknown, or k or variety cannot be.
        """
        if k < 1:
            raise InputError(f"k={k}: 1 or more")
        if not 0.0 <= variety <= 1.0:
            raise InputError(f"variety={variety}: 0 to 1")
        candidates = np.ones(len(self.ids), bool)
        if allow is not None:
            candidates[:] = False
            candidates[[self.number(item) for item in allow]] = True
        candidates[[self.number(item) for item in deny]] = False
        if not again:
            candidates[history.items] = False
        return self._best(history, candidates, k, self.ranker, variety, explain)

    def chances(self, history: History, items: Sequence[str]) -> list[float]:
        """How probable it is that the user wants each of these items when he comes upon it.

        Raises:
            InputError: an item is unknown, or the interest model was not trained to tell that.
        """
        signals = self.signals
        if signals.users is None or not signals.users.matches:
            raise InputError("this recommender cannot tell how probable it is", mend="train it with --set interest.objective=match")
        return signals.users.chances(signals.state(history), signals.vectors[[self.number(item) for item in items]]).tolist()

    def similar(self, item: str, k: int = 10, *, explain: bool = False) -> list[Recommendation]:
        """The k items that speak most for an item's own user, whatever their popularity, value and age.

        Raises:
            InputError: the item is unknown, or k cannot be.
        """
        if k < 1:
            raise InputError(f"k={k}: 1 or more")
        candidates = np.ones(len(self.ids), bool)
        candidates[self.number(item)] = False
        return self._best(self.history([item]), candidates, k, self.ranker.without(self.signals.of_items), 0.0, explain)

    def _best(
        self, history: History, candidates: np.ndarray, k: int, ranker: Ranker, variety: float, explain: bool
    ) -> list[Recommendation]:
        if not candidates.any():
            return []
        words = self.signals.shared_words(history)
        if self._shortlist is None:
            rows, usual = np.arange(len(candidates)), candidates
        else:
            rows, usual = self._shortlist.of(history, candidates, words, max(_NEAREST, _VARIED * k))
        signals = self.signals.of(history, rows, words=words)
        parts = ranker.parts(signals, self.signals.cold[rows], usual)
        scores = np.where(candidates[rows], parts.sum(axis=1), -np.inf)
        best = np.lexsort((rows, -scores))[: min(k if not variety else _VARIED * k, int(candidates[rows].sum()))]
        if variety:
            vectors = self.signals.categories if self.signals.vectors is None else self.signals.vectors
            best = best[varied(scores[best], vectors[rows[best]], k, variety)]
        found = [
            Recommendation(self.ids[item], self.titles[item], float(score)) for item, score in zip(rows[best], scores[best], strict=True)
        ]
        if not explain:
            return found
        slopes = [ranker.slopes(signals, usual, cold=cold) for cold in (False, True)]
        return [
            dataclasses.replace(
                each,
                parts=dict(zip(ranker.told, parts[place].tolist(), strict=True)),
                events=self._by_event(history, int(rows[place]), slopes[int(self.signals.cold[rows[place]])]),
            )
            for each, place in zip(found, best, strict=True)
        ]

    def _by_event(self, history: History, item: int, slopes: Mapping[str, float]) -> dict[str, float]:
        names = [*(self.titles[each] or self.ids[each] for each in history.items), *history.texts]
        given = sum(slopes[name] * each for name, each in self.signals.by_event(history, item).items() if name in slopes)
        told: dict[str, float] = {}
        for name, amount in zip(names, np.broadcast_to(given, len(names)).tolist(), strict=True):
            told[name] = told.get(name, 0.0) + amount
        return told

    def as_files(self, *, int8: bool = False) -> tuple[str, dict[str, np.ndarray]]:
        """What a bundle holds of it: the content of `ITEMS`, and the arrays of `ARRAYS`.

        Args:
            int8: tables of vectors at a byte a number (see `tfarch.runtime.small_numbers`).
        """
        described = {
            "ids": self.ids,
            "titles": self.titles,
            "behaviours": self.behaviours,
            "categories": self.categories,
            "liked": self.liked,
            "moment": self.signals.moment,
            "words": self.signals.words.words,
            "signals": self.ranker.names,
            "heads": None if self.signals.users is None else self.signals.users.heads,
        }
        arrays = {name: getattr(self.signals, name) for name in _SIGNALS}
        words = self.signals.words
        arrays |= {"words.lengths": smallest_int(np.diff(words.asked)), "words.queries": smallest_int(words.queries)}
        arrays["ranker"] = self.ranker.weights
        if self.signals.rates is not None:
            arrays["rates"] = self.signals.rates
        if self.signals.users is not None:
            arrays |= {"vectors": self.signals.vectors, **{f"users.{name}": value for name, value in self.signals.users.weights.items()}}
        if int8:
            for name in _TABLES & arrays.keys():
                arrays[name], arrays[f"{name}.scales"] = to_int8(arrays[name])
        return json.dumps(described, ensure_ascii=False), arrays


def varied(scores: np.ndarray, vectors: np.ndarray, k: int, variety: float) -> np.ndarray:
    """Places of k of n items, chosen one after another by maximal marginal relevance (Carbonell and Goldstein 1998): (1 - variety) * score - variety * the highest
    cosine with one that was chosen, scores drawn to 0 to 1.

    Args:
        scores: `[n]`.
        vectors: `[n, width]`.
    """
    units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    relevance = (scores - scores.min()) / max(float(np.ptp(scores)), 1e-9)
    left, alike, chosen = np.ones(len(scores), bool), np.zeros(len(scores)), []
    for _ in range(min(k, len(scores))):
        place = int(np.where(left, (1.0 - variety) * relevance - variety * alike, -np.inf).argmax())
        chosen.append(place)
        left[place] = False
        alike = np.maximum(alike, units @ units[place])
    return np.array(chosen, np.int64)


def load_recommender(folder: str | Path, *, verify: bool = True) -> Recommender:
    """The recommender of a bundle folder.

    Raises:
        BundleError: the bundle is damaged, incomplete, of a later format or of no recommender.
    """
    bundle = open_bundle(folder, (RECOMMENDATION,))
    arrays = read_arrays(bundle, bundle.description["arrays"]["file"], verify=verify)
    name = bundle.description["items"]["file"]
    try:
        described = json.loads(read_text(bundle, name, verify=verify))
    except ValueError as error:
        raise BundleError(
            f"cannot be read: {error}", file=bundle.path(name), mend="copy the bundle again from where it was made"
        ) from error
    try:
        lengths, queries = (arrays[f"words.{name}"].astype(np.int64) for name in ("lengths", "queries"))
        words = SharedWords(tuple(described["words"]), np.concatenate([[0], np.cumsum(lengths)]), queries.astype(np.int32))
        arrays |= {name: from_int8(arrays[name], arrays[f"{name}.scales"]) for name in _TABLES if f"{name}.scales" in arrays}
        own = {name: arrays[name] for name in _SIGNALS}
        weights = {name.removeprefix("users."): value for name, value in arrays.items() if name.startswith("users.")}
        users = UserTower(weights, described["heads"]) if weights else None
        encode = _text_tower(bundle, verify) if users else None
        rates = {"rates": arrays["rates"], "behaviours": tuple(described["behaviours"])} if "rates" in arrays else {}
        signals = Signals(
            **own, words=words, moment=described["moment"], vectors=arrays.get("vectors"), users=users, encode=encode, **rates
        )
        ranker = Ranker(tuple(described["signals"]), arrays["ranker"])
        if not len(described["ids"]) == len(described["titles"]) == len(signals) or len(ranker.weights) != 2 * len(ranker.names) + 1:
            raise ValueError("its parts are not of the same items or signals")
        return Recommender(
            signals,
            ranker,
            described["ids"],
            described["titles"],
            described["behaviours"],
            described["categories"],
            described["liked"],
            bundle.description,
            nearest=_nearest(bundle, len(signals), verify),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"is damaged: {type(error).__name__}: {error}", file=bundle.folder, mend="export the bundle again") from error


def _nearest(bundle: Bundle, items: int, verify: bool) -> Nearest | None:
    described = bundle.description.get("nearest")
    if described is None:
        return None
    found = Nearest.from_bytes(check_file(bundle, described["file"], verify=verify).read_bytes())
    if len(found) != items:
        raise ValueError(f"an index of {len(found)} items for {items}")
    return found


def _text_tower(bundle: Bundle, verify: bool) -> Callable[[Sequence[str]], np.ndarray] | None:
    """Encodes texts by the bundle's own file, which is opened when it is first asked."""
    described = bundle.description.get("text_tower")
    if described is None:
        return None
    opened: list[Network] = []

    def encode(texts: Sequence[str]) -> np.ndarray:
        if not opened:
            file = check_file(bundle, described["file"], verify=verify)
            opened.append(Network(file, text_tokeniser(bundle, verify=verify), described["max_length"]))
        return opened[0].of_texts(texts, (VECTOR,))[0]

    return encode


def text_tokeniser(bundle: Bundle, *, verify: bool = True) -> Tokeniser:
    """That of the bundle's text tower.

    Raises:
        BundleError: its file is missing or damaged.
    """
    described = bundle.description["text_tower"]["tokeniser"]
    return Tokeniser.from_file(check_file(bundle, described["file"], verify=verify), **flags_of(described))
