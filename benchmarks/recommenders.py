"""Simple ways to recommend, for `benchmarks.recommendation`: each is fitted to a log and then scores all items for a user by what is known of him.

They are written out here and not taken from a library, as the check of the scorer needs exactly them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from tfarch.data.behaviour import Catalogue, Interactions
from tfarch.models.item_factors import item_factors
from tfarch.runtime.shared_words import SharedWords
from tfarch.runtime.signals import History
from tfarch.training.recommender import learn

Scorer = Callable[[History], np.ndarray]  # what a user has had -> a score for every item
DAY = 86_400


def popular(train: Interactions, moment: float, *, days: float | None = None) -> Scorer:
    """Events of each item, in the last `days` before the moment where they are given."""
    recent = train if days is None else train.select(train.times >= moment - days * DAY)
    counts = recent.counts().astype(np.float64)
    return lambda history: counts


def item_neighbours(train: Interactions, *, shrinkage: float) -> Scorer:
    """Item-kNN over all neighbours: cosines of the items' users, x.y / (|x| |y| + shrinkage), summed over what is known (Sarwar et al. 2001)."""
    events = _matrix(train)
    together = (events.T @ events).tocoo()
    lengths = np.sqrt(together.tocsr().diagonal())
    cosines = together.data / (lengths[together.row] * lengths[together.col] + shrinkage)
    cosines[together.row == together.col] = 0.0
    alike = sparse.csc_matrix((cosines, (together.row, together.col)), shape=together.shape)
    return lambda history: np.asarray(alike[:, history.items].sum(axis=1)).ravel()


def ease(train: Interactions, *, l2: float) -> Scorer:
    """EASE (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", equation 8). There are far fewer users than items here, so that the inverse of
    the items' Gram matrix is had from that of the users' (Woodbury)."""
    events = _matrix(train).toarray()
    inverse = np.linalg.inv(events @ events.T + l2 * np.eye(len(events)))
    diagonal = (1.0 - np.einsum("ui,uv,vi->i", events, inverse, events, optimize=True)) / l2

    def score(history: History) -> np.ndarray:
        had = np.zeros(events.shape[1])
        had[history.items] = 1.0
        return had - (had - (events @ had) @ inverse @ events) / l2 / diagonal

    return score


def factors(train: Interactions, *, rank: int, l2: float) -> Scorer:
    """Our own item-item model (`tfarch.models.item_factors`), all known items alike."""
    found = item_factors(_matrix(train), rank, l2)
    return lambda history: found.scores(history.items, np.ones(len(history))).astype(np.float64)


def _matrix(train: Interactions) -> sparse.csr_matrix:
    """1 where a user had an item, `[users, items]`."""
    shape = (len(train.user_ids), len(train.item_ids))
    found = sparse.csr_matrix((np.ones(len(train)), (train.users, train.items)), shape=shape)
    found.data[:] = 1.0
    return found


def alike_words(words: SharedWords) -> Scorer:
    """Text kNN: BM25 of every item with the texts of what was wanted as queries, summed."""
    return lambda history: words.scores(history.items[history.wanted], np.ones(history.wanted.sum())).astype(np.float64)


def ours(train: Interactions, catalogue: Catalogue, moment: float, liked: float) -> Scorer:
    """What `tfarch.training.recommender` learns up to the moment."""
    return learn(train, catalogue, moment, liked).scores


def ways(train: Interactions, catalogue: Catalogue, moment: float, liked: float) -> dict[str, Scorer]:
    """The simple ones with the settings of the check, of which nothing is tuned, and ours."""
    return {
        "EASE, l2 300": ease(train, l2=300.0),
        "item-kNN, cosine, shrinkage 50": item_neighbours(train, shrinkage=50.0),
        "popular, last 180 days": popular(train, moment, days=180.0),
        "popular": popular(train, moment),
        "BM25 text kNN": alike_words(SharedWords.of(catalogue.texts)),
        "tfarch, item factors alone": factors(train, rank=64, l2=150.0),
        "tfarch": ours(train, catalogue, moment, liked),
    }
