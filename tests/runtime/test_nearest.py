"""The index finds what is nearest, and a recommender with one recommends what it would without."""

import dataclasses
import sys

import numpy as np
import pytest

from tests.tiny_catalogue import SIGNALS, history
from tfarch.errors import InputError
from tfarch.runtime.nearest import Nearest
from tfarch.runtime.ranker import Ranker
from tfarch.runtime.recommender import Recommender
from tfarch.runtime.shared_words import SharedWords
from tfarch.runtime.user_tower import UserTower

MANY, WIDTH = 20_000, 16


def vectors(seed=0, count=MANY):
    made = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def index():
    return Nearest.of(vectors())


def test_what_it_finds_is_nearly_what_is_nearest(index):
    own, shares = vectors(), []
    for asked in vectors(1, 50):
        exact = np.argsort(-(own @ asked))[:100]
        shares.append(len(np.intersect1d(index.to(asked, 100), exact)) / 100)
    assert np.mean(shares) > 0.9
    assert index.to(own[7], 1).tolist() == [7]


def test_it_goes_through_a_file(index):
    again = Nearest.from_bytes(index.as_bytes())
    assert len(again) == MANY
    asked = vectors(2, 1)[0]
    assert again.to(asked, 10).tolist() == index.to(asked, 10).tolist()
    assert len(again.to(asked, 10 * MANY)) <= MANY
    with pytest.raises(ValueError, match=r".+"):
        Nearest.from_bytes(b"no index at all, but some bytes")


def large(nearest=None):
    """A recommender of many items, most of them like nothing in particular."""
    rng = np.random.default_rng(3)
    signals = dataclasses.replace(
        SIGNALS,
        sources=rng.normal(size=(MANY, 3)).astype(np.float32),
        targets=0.1 * rng.normal(size=(MANY, 3)).astype(np.float32),
        words=SharedWords.of([f"word{row % 997}" for row in range(MANY)]),
        categories=np.eye(2, dtype=np.float32)[rng.integers(0, 2, MANY)],
        counts=rng.gamma(0.3, 10.0, (MANY, 4)).astype(np.float32),
        value=rng.normal(size=MANY).astype(np.float32),
        since=rng.uniform(0, 1e9, MANY),
        vectors=vectors(),
        users=UserTower({"event_weights/logs": np.zeros(1, np.float32), "fading_mean/log_odds": np.float32(2.0)}),
    )
    names = tuple(signals.of(history()))
    weights = np.zeros(2 * len(names) + 1)
    for name, value in (("interest", 5.0), ("words", 1.0), ("popularity", 1.0), ("age", 0.1)):
        weights[[names.index(name), len(names) + names.index(name)]] = value
    ids = tuple(map(str, range(MANY)))
    return Recommender(signals, Ranker(names, weights), ids, ids, ("click",), ("a", "b"), 1.0, nearest=nearest)


def test_a_recommender_with_an_index_recommends_nearly_what_it_would_without(index):
    exact, quick, shares = large(), large(index), []
    for user in range(20):
        had = history(*np.random.default_rng(user).integers(0, MANY, 5))
        one, other = ([each.item for each in way.recommend(had, 10)] for way in (exact, quick))
        shares.append(len(set(one) & set(other)) / 10)
        assert not set(other) & {str(item) for item in had.items}
    assert np.mean(shares) > 0.9


def test_a_score_is_nearly_the_same_and_still_a_sum(index):
    exact, quick = large(), large(index)
    one = {each.item: each for each in exact.recommend(history(5, 9), 50, explain=True)}
    for each in quick.recommend(history(5, 9), 10, explain=True):
        assert sum(each.parts.values()) == pytest.approx(each.score)
        assert each.score == pytest.approx(one[each.item].score, rel=0.1)


def mostly_new(nearest=None):
    """One item in a hundred has events, and the linear model, of which the index knows nothing, tells most of these."""
    made = large(nearest)
    rng = np.random.default_rng(8)
    known = rng.choice(MANY, MANY // 100, replace=False)
    sources, targets, counts = np.zeros((MANY, 3), np.float32), np.zeros((MANY, 3), np.float32), np.zeros((MANY, 4), np.float32)
    sources[known], targets[known] = rng.normal(size=(2, len(known), 3))
    targets[known] *= rng.pareto(1.5, len(known))[:, None]  # few items have most of the weight
    counts[known] = rng.gamma(0.3, 10.0, (len(known), 4)) + 1.0
    signals = dataclasses.replace(made.signals, sources=sources, targets=targets, counts=counts)
    weights = made.ranker.weights.copy()
    weights[made.ranker.names.index("linear")] = 5.0
    ranker = Ranker(made.ranker.names, weights)
    return Recommender(signals, ranker, made.ids, made.ids, ("click",), ("a", "b"), 1.0, nearest=nearest), known


def test_where_most_items_are_new_it_is_nearly_the_same_too(index):
    (exact, known), (quick, _) = mostly_new(), mostly_new(index)
    shares, found = [], []
    for user in range(20):
        had = history(*np.random.default_rng(user).choice(known, 5, replace=False))
        one, other = (way.recommend(had, 10) for way in (exact, quick))
        shares.append(len({each.item for each in one} & {each.item for each in other}) / 10)
        scores = {each.item: each.score for each in one}
        found += [(each.score, scores[each.item]) for each in other if each.item in scores]
    assert np.mean(shares) > 0.9
    np.testing.assert_allclose(*np.array(found).T, rtol=0.15)


def test_a_short_list_of_candidates_is_scored_whole(index):
    allow = ["3", "17", "400"]
    one, other = (way.recommend(history(5), 10, allow=allow) for way in (large(), large(index)))
    assert [each.item for each in one] == [each.item for each in other]
    assert len(other) == 3


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "voyager", None)
    with pytest.raises(InputError, match=r"needs Voyager \(pip install 'tfarch\[search\]'"):
        Nearest.of(vectors(count=10))
