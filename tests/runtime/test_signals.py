"""What speaks for an item, signal by signal, and the score that a ranker makes of it, told as a sum."""

import numpy as np
import pytest

from tests.tiny_catalogue import ITEMS, SIGNALS, history
from tfarch.runtime.ranker import Ranker, features
from tfarch.runtime.signals import History


def test_each_event_says_what_its_item_says_and_an_unwanted_one_less():
    alone = [SIGNALS.of(history(item))["linear"] for item in (0, 2)]
    np.testing.assert_allclose(SIGNALS.of(history(0, 2))["linear"], alone[0] + alone[1])
    np.testing.assert_allclose(SIGNALS.of(history(0, wanted=False))["linear"], 0.4 * alone[0], rtol=1e-6)


def test_what_is_recent_counts_more():
    found = SIGNALS.of(history(0, *[3] * 19, 2))
    one, other = (SIGNALS.of(history(item))["linear_recent"] for item in (0, 2))
    np.testing.assert_allclose(found["linear_recent"], np.exp(-1) * one + other, rtol=1e-5)


def test_only_what_was_wanted_lends_its_words():
    mixed = History(np.array([0, 2]), np.array([True, False]), np.zeros(2, int))
    np.testing.assert_allclose(SIGNALS.of(mixed)["words"], np.exp(-1 / 20) * SIGNALS.of(history(0))["words"], rtol=1e-6)
    assert SIGNALS.of(history(0))["words"].argsort()[-1] == 0
    assert SIGNALS.of(history(0))["words"][3] == 0.0


def test_an_item_of_the_time_that_a_user_likes_is_near():
    found = SIGNALS.of(history(0, 1))["of_its_time"]
    assert found.argmax() in (0, 1)
    assert found[4] < found[2] < found[1]
    assert found[3] == pytest.approx(found[[0, 1, 2, 4]].mean())  # of which nothing is known
    assert SIGNALS.of(history(3))["of_its_time"].tolist() == [0.0] * ITEMS


def test_what_is_popular_or_new_is_so_for_everybody():
    nobody, somebody = SIGNALS.of(history()), SIGNALS.of(history(0, 1))
    for name in ("popularity", "popularity_30_days", "popularity_180_days", "popularity_720_days", "value", "age"):
        assert nobody[name].tolist() == somebody[name].tolist()
    assert nobody["age"].argmin() == 4
    assert nobody["age"].argmax() == 3  # as old as can be
    assert nobody["popularity"].tolist() == pytest.approx(np.log1p([10, 3, 1, 0, 7]).tolist())
    assert all((nobody[name] == 0.0).all() for name in ("linear", "words", "categories", "interest"))


def test_a_state_of_an_interest_model_is_one_more_signal():
    assert SIGNALS.of(history(2))["interest"].tolist() == [0, 0, 1, 0, 0]


def test_features_are_deviations_among_the_candidates_apart_for_items_without_events():
    signals = {"a": np.array([1.0, 3.0, 100.0, 5.0, 3.0], np.float32)}
    candidates = np.array([True, True, False, True, True])
    table = features(signals, ("a",), SIGNALS.cold, candidates)
    scale = np.std([1, 3, 5, 3])
    np.testing.assert_allclose(table[:, 0], [-2 / scale, 0, 97 / scale, 0, 0], rtol=1e-4)
    np.testing.assert_allclose(table[:, 1], [0, 0, 0, 2 / scale, 0], rtol=1e-4)
    assert table[:, 2].tolist() == [0, 0, 0, 1, 0]


def test_the_parts_of_a_score_sum_to_it():
    names = tuple(SIGNALS.of(history()))
    ranker = Ranker(names, np.random.default_rng(0).normal(size=2 * len(names) + 1))
    found, candidates = SIGNALS.of(history(0, 2)), np.array([False, True, False, True, True])
    scores = ranker.scores(found, SIGNALS.cold, candidates)
    for item in range(ITEMS):
        parts = dict(zip(ranker.told, ranker.parts(found, SIGNALS.cold, candidates)[item], strict=True))
        assert set(parts) == {*names, "new"}
        assert sum(parts.values()) == pytest.approx(scores[item])
