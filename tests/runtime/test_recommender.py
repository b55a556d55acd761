"""A recommender from a bundle: what it recommends and why, what it refuses, and what a damaged bundle gets."""

import dataclasses
import json

import numpy as np
import pytest

from tests.tiny_catalogue import SIGNALS, history
from tfarch.errors import BundleError, InputError
from tfarch.export.bundle import arrays_file, write_bundle
from tfarch.runtime import load, load_classifier
from tfarch.runtime.bundle import verify_bundle
from tfarch.runtime.ranker import Ranker
from tfarch.runtime.recommender import ARRAYS, ITEMS, Recommender, load_recommender, varied

IDS = ("red-shoe", "blue-shoe", "red-hat", "thing", "hat")
NAMES = tuple(SIGNALS.of(history()))


def recommender(seed=0, **weights):
    values = np.random.default_rng(seed).normal(size=2 * len(NAMES) + 1) if not weights else np.zeros(2 * len(NAMES) + 1)
    for name, value in weights.items():
        values[[NAMES.index(name), len(NAMES) + NAMES.index(name)]] = value
    return Recommender(SIGNALS, Ranker(NAMES, values), IDS, [each.title() for each in IDS], ("click", "buy"), ("shoes", "hats"), 4.0)


def write(folder, **settings):
    items, arrays = recommender().as_files(**settings)
    described = {"task": "recommendation", "items": {"file": ITEMS}, "arrays": {"file": ARRAYS}}
    write_bundle(folder, described, {ITEMS: items, ARRAYS: arrays_file(**arrays)})
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "bundle")


def shown(found):
    return [each.item for each in found]


def test_the_items_of_the_highest_scores_come_first_and_those_that_were_had_not_at_all():
    found = recommender(popularity=1.0).recommend(history(0), k=3)
    assert shown(found) == ["hat", "blue-shoe", "red-hat"]
    assert [each.title for each in found] == ["Hat", "Blue-Shoe", "Red-Hat"]
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert shown(recommender(popularity=1.0).recommend(history(0), k=9, again=True))[0] == "red-shoe"


def test_what_shares_words_with_a_history_is_recommended_for_it():
    assert shown(recommender(words=1.0).recommend(history(0), k=2)) in (["blue-shoe", "red-hat"], ["red-hat", "blue-shoe"])


def test_lists_allow_and_deny():
    made = recommender(popularity=1.0)
    assert shown(made.recommend(history(), allow=["thing", "red-hat", "red-shoe"], deny=["red-shoe"])) == ["red-hat", "thing"]
    assert made.recommend(history(0), allow=["red-shoe"]) == []


def test_variety_puts_what_is_like_the_first_items_behind_others():
    scores, vectors = np.array([1.0, 0.9, 0.5, 0.0]), np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert varied(scores, vectors, 4, 0.0).tolist() == [0, 1, 2, 3]
    assert varied(scores, vectors, 3, 0.5).tolist() == [0, 2, 1]
    assert varied(scores, vectors, 2, 1.0).tolist() == [0, 2]
    assert varied(scores[:1], vectors[:1], 5, 0.5).tolist() == [0]


def test_similar_items_are_so_whatever_their_popularity():
    made = recommender(words=1.0, popularity=50.0)
    assert shown(made.similar("red-hat", 2)) in (["hat", "red-shoe"], ["red-shoe", "hat"])
    assert "red-hat" not in shown(made.similar("red-hat", 9))
    with pytest.raises(InputError, match="no item 'x'"):
        made.similar("x")


def test_the_parts_of_a_score_sum_to_it():
    for each in recommender().recommend(history(0, 2), explain=True):
        assert set(each.parts) == {*NAMES, "new"}
        assert sum(each.parts.values()) == pytest.approx(each.score)


def attending(seed=0):
    rng = np.random.default_rng(seed)
    weights = {f"history_{role}/kernel": rng.normal(size=(4, 4)).astype(np.float32) for role in ("query", "key", "value", "output")}
    return dataclasses.replace(SIGNALS.users, weights={**SIGNALS.users.weights, **weights})


@pytest.mark.parametrize("users", [SIGNALS.users, attending()])
@pytest.mark.parametrize("texts", [(), ("red hat", "zzz")])
def test_what_an_event_gave_is_what_the_score_has_more_by_it(users, texts):
    def encode(texts):
        return np.tile(SIGNALS.vectors[2], (len(texts), 1))

    signals, made = dataclasses.replace(SIGNALS, users=users, encode=encode), recommender()
    had = dataclasses.replace(history(0, 4, 1), wanted=np.array([True, False, True]), texts=texts)
    for item in range(5):
        given = signals.by_event(had, item)
        found = signals.of(had)
        for name in ("linear", "linear_recent", "words", "categories", "interest"):
            assert given[name].sum() == pytest.approx(float(found[name][item]), rel=1e-4, abs=1e-5), name
    one = Recommender(signals, made.ranker, IDS, IDS, ("click", "buy"), ("shoes", "hats"), 4.0)
    usual = []
    for each in one.recommend(had, explain=True):
        assert set(each.events) == {"red-shoe", "hat", "blue-shoe", *texts}
        of_its_own = sum(value for name, value in each.parts.items() if name not in given)
        if each.item != "thing":
            usual.append(each.score - of_its_own - sum(each.events.values()))
    np.testing.assert_allclose(usual, usual[0], rtol=1e-3, atol=1e-3)  # what is left is the same for all items with events


def test_a_history_is_of_ids_with_what_was_done_and_how_it_was_liked():
    made = recommender()
    found = made.history(["hat", "red-shoe"], ["buy", "click"], [5.0, 3.0])
    assert (found.items.tolist(), found.behaviours.tolist(), found.wanted.tolist()) == ([4, 0], [1, 0], [True, False])
    plain = made.history(["hat"])
    assert (plain.behaviours.tolist(), plain.wanted.tolist()) == ([0], [True])
    assert len(made.history([])) == 0
    assert len(made.recommend(made.history([]))) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["red-sho"],), "no item 'red-sho'; near it: red-shoe"),
        ((["zzz"],), "no item 'zzz' among 5"),
        ((["hat"], ["steal"]), "unknown behaviour 'steal'; known: click, buy"),
        ((["hat"], ["buy", "buy"]), "1 items and 2 behaviours"),
        ((["hat"], [], [1.0, 2.0]), "1 items and 2 values"),
    ],
)
def test_what_is_unknown_is_told(arguments, message):
    with pytest.raises(InputError, match=message):
        recommender().history(*arguments)


def test_no_items_at_all_cannot_be_asked_for():
    with pytest.raises(InputError, match="k=0: 1 or more"):
        recommender().recommend(history(), k=0)


def test_a_bundle_recommends_as_what_it_was_made_of(folder):
    loaded, made = load_recommender(folder), recommender()
    for had in (history(), history(0), history(0, 3, 2, wanted=False)):
        one, other = (each.recommend(had, explain=True) for each in (loaded, made))
        assert shown(one) == shown(other)
        np.testing.assert_allclose([each.score for each in one], [each.score for each in other], rtol=1e-6)
    assert loaded.bundle["task"] == "recommendation"
    verify_bundle(folder)


def test_a_byte_a_number_makes_a_smaller_bundle_that_recommends_alike(tmp_path):
    loaded, made = load_recommender(write(tmp_path / "small", int8=True)), recommender()
    for name in ("sources", "targets", "categories", "vectors"):
        table, kept = (getattr(each.signals, name) for each in (made, loaded))
        assert kept.dtype == np.float32
        steps = np.abs(table).max(axis=1, keepdims=True) / 127
        assert (np.abs(kept - table) <= steps / 2 + 1e-6).all()
    assert shown(loaded.recommend(history(0, 3))) == shown(made.recommend(history(0, 3)))


def test_what_was_wanted_can_be_told_in_words():
    texts = dataclasses.replace(SIGNALS, encode=lambda texts: np.tile(SIGNALS.vectors[2], (len(texts), 1)))
    made = recommender(words=1.0, interest=1.0)
    made = Recommender(texts, made.ranker, made.ids, made.titles, made.behaviours, made.categories, made.liked)
    found = made.signals.of(made.history([], texts=["a red one", "HAT!"]))
    np.testing.assert_allclose(found["words"], SIGNALS.words.scores_of_texts(["red", "hat"], np.exp([-1 / 20, 0.0])), rtol=1e-6)
    assert found["interest"].tolist() == [0, 0, 1, 0, 0]
    # "red" is said by a shoe and a hat, "hat" by two hats: for what else there is to say of them the texts are taken for these.
    alike = [
        np.where(scores > 0, scores, 0) / scores.sum()
        for scores in (SIGNALS.words.scores_of_texts([word], np.ones(1)) for word in ("red", "hat"))
    ]
    np.testing.assert_allclose(found["linear"], SIGNALS.targets @ (sum(alike) @ SIGNALS.sources), rtol=1e-5)
    assert found["of_its_time"].argmax() in (0, 2, 4)
    nothing = made.signals.of(made.history([], texts=["zzz"]))
    assert all((nothing[name] == 0).all() for name in ("words", "linear", "categories", "of_its_time"))
    mixed = made.signals.of(made.history(["red-shoe"], texts=["hat"]))
    told = made.signals.of(made.history([], texts=["hat"]))["linear"]
    np.testing.assert_allclose(mixed["linear_recent"], np.exp(-1 / 20) * made.signals.of(history(0))["linear"] + told, rtol=1e-6)
    assert shown(made.recommend(made.history([], texts=["red hat"]), k=1)) == ["red-hat"]


def test_texts_need_a_text_tower_where_there_is_an_interest_model():
    made = recommender()
    with pytest.raises(InputError, match="has no text tower"):
        made.recommend(made.history([], texts=["hat"]))


def test_a_bundle_is_loaded_as_what_it_is_and_refused_as_what_it_is_not(folder):
    assert isinstance(load(folder), Recommender)
    with pytest.raises(BundleError, match="is of the task recommendation, not text_classification"):
        load_classifier(folder)


def test_a_damaged_bundle_says_what_is_wrong(folder):
    whole = (folder / ITEMS).read_bytes()
    (folder / ITEMS).write_bytes(whole[:-10])
    with pytest.raises(BundleError, match=r"items.json: is not the file that was exported"):
        load_recommender(folder)
    with pytest.raises(BundleError, match=r"items.json: cannot be read"):
        load_recommender(folder, verify=False)
    described = json.loads(whole)
    (folder / ITEMS).write_text(json.dumps({**described, "ids": described["ids"][:-1]}), encoding="utf-8")
    with pytest.raises(BundleError, match="not of the same items"):
        load_recommender(folder, verify=False)
    (folder / ARRAYS).unlink()
    with pytest.raises(BundleError, match="the file is missing"):
        load_recommender(folder)


def test_how_probable_it_is_that_an_item_is_wanted_is_told_where_that_was_learned():
    made = recommender()
    weights = {**SIGNALS.users.weights, "match/log_scale": np.log(np.float32(3.0)), "match/bias": np.float32(-1.0)}
    signals = dataclasses.replace(SIGNALS, users=dataclasses.replace(SIGNALS.users, weights=weights))
    matching = Recommender(signals, made.ranker, made.ids, made.titles, made.behaviours, made.categories, made.liked)
    assert matching.chances(history(2), ["red-hat", "hat"]) == pytest.approx([1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(1.0))])
    with pytest.raises(InputError, match="train it with --set"):
        made.chances(history(2), ["hat"])
    with pytest.raises(InputError, match="no item 'x'"):
        matching.chances(history(2), ["x"])
