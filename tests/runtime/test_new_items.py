"""New items are encoded and indexed: they are recommended by their texts, and what was there stays as it was."""

import dataclasses

import numpy as np
import pytest

from tests.runtime.test_recommender import IDS, recommender, shown
from tests.tiny_catalogue import ITEMS, SIGNALS, YEAR, history
from tfarch.errors import InputError
from tfarch.runtime.new_items import NewItem, with_items
from tfarch.runtime.recommender import Recommender
from tfarch.runtime.shared_words import SharedWords

TEXTS = ["red shoe", "blue shoe", "red hat", "", "hat"]
NEW = NewItem("scarf", "Scarf", "red scarf", ("scarves", "hats"), 39.0 * YEAR)


def with_tower(made):
    signals = dataclasses.replace(made.signals, encode=lambda texts: np.array([[len(text), 0, 0, 1] for text in texts], np.float32))
    return Recommender(signals, made.ranker, made.ids, made.titles, made.behaviours, made.categories, made.liked)


def test_a_new_item_is_known_by_its_text_and_what_was_there_stays():
    made = with_tower(recommender())
    found = with_items(made, [NEW])
    assert (found.ids, found.titles[-1], found.categories) == ((*IDS, "scarf"), "Scarf", ("shoes", "hats", "scarves"))
    for name in ("sources", "targets", "counts", "vectors", "value"):
        np.testing.assert_array_equal(getattr(found.signals, name)[:ITEMS], getattr(SIGNALS, name))
    assert found.signals.vectors[-1].tolist() == [9, 0, 0, 1]
    assert found.signals.cold.tolist() == [False, False, False, True, False, True]
    np.testing.assert_allclose(found.signals.categories[-1], np.array([0, 1, 1]) / np.sqrt(2), rtol=1e-6)
    assert found.signals.value[-1] == SIGNALS.value[3]  # as of an item without events
    whole = SharedWords.of([*TEXTS, "red scarf"])
    np.testing.assert_allclose(found.signals.words.scores(np.array([2]), np.ones(1)), whole.scores(np.array([2]), np.ones(1)))
    assert set(found.signals.of(history(0))) == set(SIGNALS.of(history(0)))


def test_it_is_recommended_to_who_wants_its_words():
    found = with_items(with_tower(recommender(words=1.0)), [NEW, NewItem("sock", "Sock", "wool sock", (), np.nan)])
    assert "scarf" in shown(found.recommend(found.history(["red-hat"]), k=3))
    assert shown(found.recommend(found.history([], texts=["wool"]), k=1)) == ["sock"]


def test_a_known_item_gets_its_new_text_and_keeps_what_behaviour_made_of_it():
    made = with_tower(recommender())
    found = with_items(
        made, [NewItem("hat", "Top hat", "black top hat", ("shoes",), 5.0), NewItem("thing", "A thing", "thing", (), np.nan)]
    )
    assert found.ids == IDS
    assert (found.titles[4], found.titles[3], found.titles[0]) == ("Top hat", "A thing", "Red-Shoe")
    assert found.signals.vectors[4].tolist() == SIGNALS.vectors[4].tolist()  # it has events
    assert found.signals.vectors[3].tolist() == [5, 0, 0, 1]  # it has none
    assert found.signals.categories[4].tolist() == [1, 0]
    assert found.signals.since[4] == 5.0
    np.testing.assert_allclose(found.signals.words.scores_of_texts(["top"], np.ones(1)) > 0, [False, False, False, False, True])
    assert made.titles[4] == "Hat"
    assert made.signals.since[4] == 40.0 * YEAR


def test_without_a_text_tower_there_is_nothing_to_encode_with():
    with pytest.raises(InputError, match="has no text tower"):
        with_items(recommender(), [NEW])
    with pytest.raises(InputError, match="stands twice"):
        with_items(with_tower(recommender()), [NEW, NEW])
