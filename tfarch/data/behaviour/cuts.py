"""How a log is cut into what a recommender learns from and what it is asked for.

The default cuts everybody at the same moments, and folds users in: their events after the cut, but the last ones, are known when they are asked for. Only so
no event of the future, of whomever, has a say in what is learned (Ji et al. 2023, "A Critical Study on Data Leakage in Recommender System Offline Evaluation").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tfarch.data.behaviour.interactions import Interactions
from tfarch.errors import TfarchError

QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.9)
LEAST_ROWS, KNOWN_SHARE = 10, 0.8


class LeakError(TfarchError):
    """What is learned from holds events of the future of what is asked for (exit code 1)."""


@dataclass(frozen=True)
class Query:
    """A user at a moment, as rows of the log.

    known: what he did until then, in the order of time.
    wanted: what he did next.
    """

    user: int
    known: np.ndarray
    wanted: np.ndarray


@dataclass(frozen=True)
class Fold:
    """A time to learn from and the queries that follow.

    name: for reports.
    train: rows of the log, rising.
    queries: by user number.
    leaks_time: whether it is made so that events of the future are learned from.
    """

    name: str
    train: np.ndarray
    queries: tuple[Query, ...]
    leaks_time: bool = False


def rolling_cuts(
    log: Interactions,
    quantiles: Sequence[float] = QUANTILES,
    *,
    until: float = 1.0,
    least_rows: int = LEAST_ROWS,
    known_share: float = KNOWN_SHARE,
) -> Iterator[Fold]:
    """A fold for each of several moments: all events up to it to learn from, and a query for each user with enough events up to the next.

    Args:
        quantiles: of the events' times, rising; the moments.
        until: quantile at which the last window ends; 1: with the log.
        least_rows: events in a window without which a user is not asked for.
        known_share: of a user's events in the window, rounded up, that are known like those before it.
    """
    moments = [float(np.quantile(log.times, each)) for each in quantiles]
    ends = [*moments[1:], math.inf if until == 1.0 else float(np.quantile(log.times, until))]
    for moment, end, quantile in zip(moments, ends, quantiles, strict=True):
        first, last = (int(np.searchsorted(log.times, each, "right")) for each in (moment, end))
        before = log.select(np.arange(first)).of_users()
        queries = []
        for user, rows in enumerate(log.select(np.arange(first, last)).of_users()):
            if len(rows) >= least_rows:
                known = math.ceil(known_share * len(rows))
                queries.append(Query(user, np.concatenate([before[user], first + rows[:known]]), first + rows[known:]))
        fold = Fold(f"up to {quantile:g} of the events", np.arange(first), tuple(queries))
        require_no_future(log, fold)
        yield fold


def leave_last_out(log: Interactions, least_rows: int = 2) -> Fold:
    """The last event of every user is asked for, and all others are learned from: those of other users that came later too."""
    queries = [Query(user, rows[:-1], rows[-1:]) for user, rows in enumerate(log.of_users()) if len(rows) >= least_rows]
    train = np.setdiff1d(np.arange(len(log)), np.concatenate([np.zeros(0, np.int64), *(query.wanted for query in queries)]))
    return Fold("last event of each user", train, tuple(queries), leaks_time=True)


def random_share(log: Interactions, share: float, seed: int) -> Fold:
    """Of every user a random share of the events is asked for, one at least, and all others are learned from, later ones too."""
    rng, queries = np.random.default_rng(seed), []
    for user, rows in enumerate(log.of_users()):
        if len(rows) >= 2:
            wanted = np.sort(rng.permutation(rows)[: max(1, int(share * len(rows)))])
            queries.append(Query(user, np.setdiff1d(rows, wanted), wanted))
    train = np.setdiff1d(np.arange(len(log)), np.concatenate([np.zeros(0, np.int64), *(query.wanted for query in queries)]))
    return Fold(f"{share:g} of each user's events by chance", train, tuple(queries), leaks_time=True)


def cold_items(log: Interactions, share: float, seed: int) -> Fold:
    """A random share of the items is taken out of what is learned from, and is what is asked for; later events are learned from too."""
    present = np.unique(log.items)
    cold = np.random.default_rng(seed).permutation(present)[: max(1, int(share * len(present)))]
    held = np.isin(log.items, cold)
    queries = [
        Query(user, rows[~held[rows]], rows[held[rows]])
        for user, rows in enumerate(log.of_users())
        if held[rows].any() and not held[rows].all()
    ]
    return Fold(f"{share:g} of the items as new ones", np.flatnonzero(~held), tuple(queries), leaks_time=True)


def require_no_future(log: Interactions, fold: Fold) -> None:
    """Refuses a fold in which what is learned from, or known of a user, is later than what is asked for.

    Raises:
        LeakError: a row is; names both times.
    """
    latest = log.times[fold.train].max(initial=-math.inf)
    for query in fold.queries:
        earliest = log.times[query.wanted].min(initial=math.inf)
        known = max(latest, log.times[query.known].max(initial=-math.inf))
        if known > earliest:
            raise LeakError(
                f"{fold.name}: an event at {known:.0f} is known where {log.user_ids[query.user]!r} is asked for one at {earliest:.0f} (seconds since 1970)"
            )
