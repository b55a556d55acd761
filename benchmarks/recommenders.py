"""Ways to recommend for `benchmarks.recommendation`: simple ones, and ours. Each is fitted to a log and then scores all items for a user by what is known of him.

The simple ones are written out here and not taken from a library, as the check of the scorer needs exactly them.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from scipy import sparse

from benchmarks.workers import peak_mb, serve
from tfarch.data.behaviour import Catalogue, Interactions
from tfarch.runtime.signals import History

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


def ease(train: Interactions, *, l2: float, liked: float | None = None) -> Scorer:
    """EASE (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", equation 8), of all events or of what was liked. The smaller of the two
    Gram matrices is inverted: where there are fewer users than items, that of the users gives the items' (Woodbury)."""
    events = _matrix(train if liked is None else train.select(train.values >= liked)).toarray()
    if events.shape[0] > events.shape[1]:
        precision = np.linalg.inv(events.T @ events + l2 * np.eye(events.shape[1]))
        weights = -precision / np.diag(precision)
        np.fill_diagonal(weights, 0.0)
        return lambda history: weights[_of(history, liked)].sum(axis=0)
    inverse = np.linalg.inv(events @ events.T + l2 * np.eye(len(events)))
    diagonal = (1.0 - np.einsum("ui,uv,vi->i", events, inverse, events, optimize=True)) / l2

    def score(history: History) -> np.ndarray:
        had = np.zeros(events.shape[1])
        had[_of(history, liked)] = 1.0
        return had - (had - (events @ had) @ inverse @ events) / l2 / diagonal

    return score


def text_neighbours(
    catalogue: Catalogue, *, k1: float = 1.2, b: float = 0.75, fading: float | None = None, only_liked: bool = True
) -> Scorer:
    """Text kNN: BM25 (Robertson and Zaragoza 2009, Lucene's idf) of every item with the texts of what is known as queries, summed; of what is `fading` events older 1 / e."""
    counts = _word_counts(catalogue.texts)
    having, lengths = np.diff(counts.tocsc().indptr), np.asarray(counts.sum(axis=1)).ravel()
    idf = np.log(1.0 + (counts.shape[0] - having + 0.5) / (having + 0.5))
    entries = counts.tocoo()
    saturated = entries.data * (k1 + 1.0) / (entries.data + k1 * (1.0 - b + b * lengths[entries.row] / lengths.mean()))
    weights = sparse.csr_matrix((saturated * idf[entries.col], (entries.row, entries.col)), shape=counts.shape)

    def score(history: History) -> np.ndarray:
        items, amounts = _weighed(history, fading, only_liked)
        return weights @ (counts[items].T @ amounts)

    return score


def encoded_neighbours(catalogue: Catalogue, *, fading: float | None = None, only_liked: bool = True, centred: bool = False) -> Scorer:
    """Cosine of the untrained encoder's vectors of every item with the mean of those of what is known."""
    vectors = _encoded(catalogue.texts)
    if centred:
        vectors = vectors - vectors.mean(axis=0)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    def score(history: History) -> np.ndarray:
        items, amounts = _weighed(history, fading, only_liked)
        return vectors @ (amounts @ vectors[items]) if len(items) else np.zeros(len(vectors))

    return score


def together(one: Scorer, other: Scorer, weight: float) -> Scorer:
    """The sum of two ways' scores, each in its standard deviations, `weight` of the second."""

    def score(history: History) -> np.ndarray:
        found = [way(history) for way in (one, other)]
        first, second = ((each - each.mean()) / (each.std() + 1e-9) for each in found)
        return (1.0 - weight) * first + weight * second

    return score


class Ours:
    """What the app learns of one catalogue; what it makes of the texts is kept as long as the settings stay."""

    def __init__(self, catalogue: Catalogue, liked: float):
        self._catalogue, self._liked, self._settings, self._learner = catalogue, liked, None, None

    def __call__(self, train: Interactions, moment: float, settings: dict) -> Scorer:
        """Learns up to the moment with these settings, the defaults but for them."""
        from apps.recommender.learner import Learner
        from apps.recommender.settings import RecommenderSettings

        if settings != self._settings:
            self._settings, self._learner = settings, Learner(RecommenderSettings().with_values(settings), self._catalogue, self._liked)
        return self._learner.learn(train, moment).recommender.scores


def _of(history: History, liked: float | None) -> np.ndarray:
    return history.items if liked is None else history.items[history.wanted]


def _weighed(history: History, fading: float | None, only_liked: bool) -> tuple[np.ndarray, np.ndarray]:
    """The items that count, and what each does."""
    amounts = np.ones(len(history)) if fading is None else np.exp(-np.arange(len(history) - 1, -1, -1) / fading)
    kept = history.wanted if only_liked else np.ones(len(history), bool)
    return history.items[kept], amounts[kept]


def _matrix(train: Interactions) -> sparse.csr_matrix:
    """1 where a user had an item, `[users, items]`."""
    shape = (len(train.user_ids), len(train.item_ids))
    found = sparse.csr_matrix((np.ones(len(train)), (train.users, train.items)), shape=shape)
    found.data[:] = 1.0
    return found


@cache
def _word_counts(texts: Sequence[str]) -> sparse.csr_matrix:
    """How often each word stands in each text, `[texts, words]`."""
    numbers: dict[str, int] = {}
    rows, columns, counts = [], [], []
    for row, text in enumerate(texts):
        for word, count in Counter(re.findall(r"\w+", text.lower())).items():
            rows.append(row)
            columns.append(numbers.setdefault(word, len(numbers)))
            counts.append(float(count))
    return sparse.csr_matrix((counts, (rows, columns)), shape=(len(texts), len(numbers)))


@cache
def _encoded(texts: Sequence[str]) -> np.ndarray:
    """The default encoder's vectors of these texts, untrained, float32 `[texts, width]`."""
    from tfarch.config import ModelConfig
    from tfarch.data.tokens import tokenise
    from tfarch.models import start_from
    from tfarch.pipeline.untrained import untrained_vectors

    start = start_from(ModelConfig(), ())
    with tempfile.TemporaryDirectory() as name:
        return untrained_vectors(start, tokenise(texts, start.tokeniser, 64), Path(name))


def known_ways(train: Interactions, moment: float) -> dict[str, Scorer]:
    """Those whose figures are known, with the settings of the check."""
    return {
        "EASE, l2 300": ease(train, l2=300.0),
        "item-kNN, cosine, shrinkage 50": item_neighbours(train, shrinkage=50.0),
        "popular, last 180 days": popular(train, moment, days=180.0),
        "popular": popular(train, moment),
    }


def _fitted(way: str, train: Interactions, catalogue: Catalogue, moment: float, liked: float, settings: dict, own: Ours) -> Scorer:
    if way == "popular":
        return popular(train, moment, **settings)
    if way == "ease":
        return ease(train, l2=settings["l2"], liked=liked if settings["only_liked"] else None)
    if way == "text":
        return text_neighbours(catalogue, **settings)
    if way == "encoder":
        return encoded_neighbours(catalogue, **settings)
    if way == "text_and_behaviour":
        behaviour = item_neighbours(train, shrinkage=settings["shrinkage"])
        return together(behaviour, text_neighbours(catalogue, fading=settings["fading"]), settings["weight"])
    if way == "ours":
        return own(train, moment, settings)
    raise ValueError(way)


def main() -> None:
    """Answers fits and scores for `benchmarks.recommendation`, which says what the arguments mean."""
    from apps.recommender.settings import DataSettings
    from apps.recommender.source import load
    from tfarch.quiet import start_tensorflow
    from tfarch.training.recommender import history_of

    start_tensorflow()
    events, items = (None if name == "" else name for name in sys.argv[1:3])
    source = load(DataSettings(interactions=events, items=items, liked=float(sys.argv[3])))
    log, liked = source.log, source.survey.liked
    own = Ours(source.catalogue, liked)

    def answer(way: str, fold: str, out: str, settings: dict) -> dict[str, float]:
        with np.load(fold) as arrays:
            train, moment = log.select(np.arange(len(arrays["users"]))), float(arrays["moment"])
            known = np.split(arrays["known_rows"], arrays["starts"][1:-1])
        if way in ("text", "encoder", "text_and_behaviour"):
            encoded_neighbours(source.catalogue) if way == "encoder" else text_neighbours(
                source.catalogue
            )  # what it reads of the texts once
        started = time.perf_counter()
        score = _fitted(way, train, source.catalogue, moment, liked, settings, own)
        seconds = time.perf_counter() - started
        np.save(out, np.stack([score(history_of(log, rows, liked)) for rows in known]).astype(np.float32))
        return {"seconds": seconds, "peak_mb": peak_mb()}

    serve(answer)


if __name__ == "__main__":
    main()
