"""What a recommender learns from a log: the signals of its items at a moment, and the ranker that weighs them.

The ranker learns on earlier windows of the log what it is used for later: signals from the events up to a moment, and what users took after it. Where an interest
model is asked for, one that knows the first half of the events serves all these windows, and another that knows all of them what comes later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from tfarch.data.behaviour import Catalogue, Interactions
from tfarch.data.behaviour.cuts import Fold, Query, rolling_cuts
from tfarch.evaluation.recommendation import Rankings
from tfarch.models.item_factors import ItemFactors, item_factors
from tfarch.runtime.ranker import Ranker, features
from tfarch.runtime.recommender import Recommender
from tfarch.runtime.retrieval import conditional_logit
from tfarch.runtime.shared_words import SharedWords
from tfarch.runtime.signals import DAY, WINDOWS, History, Signals
from tfarch.training.interest import Interest

RANK, L2 = 64, 150.0  # of the item factors
EARLIER = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the events: the moments after which the ranker sees what users took
HALF = 0.5  # of the events, that the interest model of the ranker's windows knows
ALTERNATIVES = 100  # items that each one that was taken is compared with
_MOST_ROWS = 4_000
_PENALTY = 1e-3
_VALUES = 5.0  # events of the usual value and behaviours, that an item's own are drawn to


@dataclass(frozen=True)
class Learned:
    """interest: what the recommender's interest model says, where it has one."""

    recommender: Recommender
    interest: Interest | None


def history_of(log: Interactions, rows: np.ndarray, liked: float) -> History:
    """Rows of a log, in the order of time, as a user's history."""
    return History(log.items[rows], log.values[rows] >= liked, log.behaviours[rows])


def ask(log: Interactions, fold: Fold, liked: float, score: Callable[[History], np.ndarray], found: Rankings) -> Rankings:
    """Asks a way to recommend for all queries of a fold: adds to `found` where it put what their users wanted next, and gives it back.

    Args:
        score: what a user has had -> a score for every item, float `[items]`.
    """
    train = log.select(fold.train)
    warm, known = train.counts() > 0, np.bincount(train.users, minlength=len(log.user_ids)) > 0
    for query in fold.queries:
        wanted = np.unique(log.items[query.wanted[log.values[query.wanted] >= liked]])
        asked = {"seen": log.items[query.known], "wanted": wanted, "warm": warm, "new": not known[query.user]}
        found.add(query.user, score(history_of(log, query.known, liked)), **asked)
    return found


def factors_of(log: Interactions, rank: int = RANK, l2: float = L2) -> ItemFactors:
    """The item-item model of a log."""
    events = sparse.csr_matrix((np.ones(len(log)), (log.users, log.items)), shape=(len(log.user_ids), len(log.item_ids)))
    events.data[:] = 1.0  # had twice is had
    return item_factors(events, rank, l2)


def signals_at(
    log: Interactions,
    catalogue: Catalogue,
    moment: float,
    *,
    rank: int = RANK,
    l2: float = L2,
    words: SharedWords | None = None,
    interest: Interest | None = None,
) -> Signals:
    """The signals of a log's items at a moment, by its events up to then; `words` of the catalogue, where they are known already."""
    before = log.select(np.arange(np.searchsorted(log.times, moment, "right")))
    factors = factors_of(before, rank, l2)
    counts = [before.counts(), *(before.select(before.times > moment - days * DAY).counts() for days in WINDOWS)]
    values, overall = np.bincount(before.items, before.values, len(catalogue)), before.values.mean() if len(before) else 0.0
    value = (values + _VALUES * overall) / (counts[0] + _VALUES)
    return Signals(
        factors.sources,
        factors.targets,
        SharedWords.of(catalogue.texts) if words is None else words,
        _shares(catalogue),
        np.stack(counts, axis=1).astype(np.float32),
        value.astype(np.float32),
        catalogue.since,
        moment,
        None if interest is None else interest.vectors,
        None if interest is None else interest.users,
        rates=_rates(before) if len(log.behaviour_names) > 1 else None,
        behaviours=log.behaviour_names,
    )


def _rates(log: Interactions) -> np.ndarray:
    """What share of an item's events is of each behaviour, drawn to that of all items by `_VALUES` events, float32 `[items, behaviours]`."""
    kinds = len(log.behaviour_names)
    counts = np.bincount(log.items.astype(np.int64) * kinds + log.behaviours, minlength=len(log.item_ids) * kinds).reshape(-1, kinds)
    usual = counts.sum(axis=0) / max(1, len(log))
    return ((counts + _VALUES * usual) / (counts.sum(axis=1, keepdims=True) + _VALUES)).astype(np.float32)


def learn(
    log: Interactions,
    catalogue: Catalogue,
    moment: float,
    liked: float,
    *,
    rank: int = RANK,
    l2: float = L2,
    interest: Callable[[Interactions], Interest] | None = None,
    seed: int = 0,
) -> Learned:
    """What the events up to a moment say, ready to recommend.

    Args:
        liked: value from which on an event is what its user wanted.
        rank, l2: of the item factors (see `item_factors`).
        interest: trains an interest model on a log; None: there is none.
    """
    before, words = log.select(np.arange(np.searchsorted(log.times, moment, "right"))), SharedWords.of(catalogue.texts)
    rng, tables = np.random.default_rng(seed), []
    known = None if interest is None else interest(before.select(before.times <= np.quantile(before.times, HALF)))
    for fold, at in _earlier(before, HALF if interest else 0.0):
        signals = signals_at(before, catalogue, at, rank=rank, l2=l2, words=words, interest=known)
        for query in fold.queries:
            tables += _compared(signals, before, query, liked, rng)
    known = None if interest is None else interest(before)
    signals = signals_at(before, catalogue, moment, rank=rank, l2=l2, words=words, interest=known)
    names = tuple(signals.of(History(*(np.zeros(0, np.int64),) * 3)))
    ranker = Ranker(names, _weights(tables, 2 * len(names) + 1, rng))
    return Learned(recommender_of(signals, ranker, log, catalogue, liked), known)


def recommender_of(signals: Signals, ranker: Ranker, log: Interactions, catalogue: Catalogue, liked: float) -> Recommender:
    """The signals of a log's items and what weighs them, with the names of what they number."""
    return Recommender(signals, ranker, catalogue.ids, catalogue.titles, log.behaviour_names, _category_names(catalogue), liked)


def _earlier(before: Interactions, least: float) -> Iterator[tuple[Fold, float]]:
    """Windows of the events, from a quantile on, that a ranker can learn from, with their moments."""
    quantiles = [each for each in EARLIER if each >= least]
    for fold, quantile in zip(rolling_cuts(before, quantiles), quantiles, strict=True):
        yield fold, float(np.quantile(before.times, quantile))


def _compared(signals: Signals, log: Interactions, query: Query, liked: float, rng: np.random.Generator) -> list[np.ndarray]:
    """For each item that was wanted a table of features, it first and then alternatives, `[1 + ALTERNATIVES, features]`; for one without events two, the alternatives
    of the second being without events too."""
    history = history_of(log, query.known, liked)
    candidates = np.ones(len(signals), bool)
    candidates[history.items] = False
    wanted = np.unique(log.items[query.wanted[log.values[query.wanted] >= liked]])
    wanted = wanted[candidates[wanted]]
    if not len(wanted):
        return []
    found, cold = signals.of(history), signals.cold
    table = features(found, tuple(found), cold, candidates)
    candidates[wanted] = False
    tables = []
    for item in wanted:
        for among in (candidates, candidates & cold) if cold[item] else (candidates,):
            others = np.flatnonzero(among)
            if len(others) >= ALTERNATIVES:
                tables.append(table[[item, *rng.choice(others, ALTERNATIVES, replace=False)]])
    return tables


def _weights(tables: Sequence[np.ndarray], count: int, rng: np.random.Generator) -> np.ndarray:
    if not tables:
        return np.zeros(count)
    chosen = rng.permutation(len(tables))[:_MOST_ROWS]
    return conditional_logit(np.stack([tables[row] for row in chosen]), np.zeros(len(chosen), np.int64), np.full(count, _PENALTY))


def _category_names(catalogue: Catalogue) -> tuple[str, ...]:
    return tuple(sorted({name for each in catalogue.categories for name in each}))


def _shares(catalogue: Catalogue) -> np.ndarray:
    """Of each item the category's share, rows of length 1, or 0: float32 `[items, categories]`."""
    names = {name: number for number, name in enumerate(_category_names(catalogue))}
    table = np.zeros((len(catalogue), max(1, len(names))), np.float32)
    for item, each in enumerate(catalogue.categories):
        table[item, [names[name] for name in each]] = 1.0
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
