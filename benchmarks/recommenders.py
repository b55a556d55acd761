"""Simple ways to recommend, for `benchmarks.recommendation`: each is fitted to a log and then scores all items for a user by what is known of him.

They are written out here and not taken from a library, as the check of the scorer needs exactly them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from tfarch.data.behaviour import Interactions
from tfarch.models.item_factors import item_factors

# Numbers of the items that a user has had, in the order of time -> a score for every item.
Scorer = Callable[[np.ndarray], np.ndarray]
DAY = 86_400


def popular(train: Interactions, moment: float, *, days: float | None = None) -> Scorer:
    """Events of each item, in the last `days` before the moment where they are given."""
    recent = train if days is None else train.select(train.times >= moment - days * DAY)
    counts = recent.counts().astype(np.float64)
    return lambda known: counts


def item_neighbours(train: Interactions, *, shrinkage: float) -> Scorer:
    """Item-kNN over all neighbours: cosines of the items' users, x.y / (|x| |y| + shrinkage), summed over what is known (Sarwar et al. 2001)."""
    events = _matrix(train)
    together = (events.T @ events).tocoo()
    lengths = np.sqrt(together.tocsr().diagonal())
    cosines = together.data / (lengths[together.row] * lengths[together.col] + shrinkage)
    cosines[together.row == together.col] = 0.0
    alike = sparse.csc_matrix((cosines, (together.row, together.col)), shape=together.shape)
    return lambda known: np.asarray(alike[:, known].sum(axis=1)).ravel()


def ease(train: Interactions, *, l2: float) -> Scorer:
    """EASE (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", equation 8). There are far fewer users than items here, so that the inverse of
    the items' Gram matrix is had from that of the users' (Woodbury)."""
    events = _matrix(train).toarray()
    inverse = np.linalg.inv(events @ events.T + l2 * np.eye(len(events)))
    diagonal = (1.0 - np.einsum("ui,uv,vi->i", events, inverse, events, optimize=True)) / l2

    def score(known: np.ndarray) -> np.ndarray:
        had = np.zeros(events.shape[1])
        had[known] = 1.0
        return had - (had - (events @ had) @ inverse @ events) / l2 / diagonal

    return score


def factors(train: Interactions, *, rank: int, l2: float) -> Scorer:
    """Our own item-item model (`tfarch.models.item_factors`), all known items alike."""
    found = item_factors(_matrix(train), rank, l2)
    return lambda known: found.scores(known, np.ones(len(known))).astype(np.float64)


def _matrix(train: Interactions) -> sparse.csr_matrix:
    """1 where a user had an item, `[users, items]`."""
    shape = (len(train.user_ids), len(train.item_ids))
    found = sparse.csr_matrix((np.ones(len(train)), (train.users, train.items)), shape=shape)
    found.data[:] = 1.0
    return found


def simple_ways(train: Interactions, moment: float) -> dict[str, Scorer]:
    """Those of the check, with its settings: nothing is tuned."""
    return {
        "EASE, l2 300": ease(train, l2=300.0),
        "item-kNN, cosine, shrinkage 50": item_neighbours(train, shrinkage=50.0),
        "popular, last 180 days": popular(train, moment, days=180.0),
        "popular": popular(train, moment),
        "tfarch, item factors, rank 64, l2 150": factors(train, rank=64, l2=150.0),
    }
