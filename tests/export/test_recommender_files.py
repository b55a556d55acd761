"""The exported recommender says what the runtime says: as TFLite without Flex, a byte a number, and as a SavedModel that takes ids."""

import dataclasses

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.runtime.test_recommender import IDS, recommender
from tests.tiny_catalogue import ITEMS, SIGNALS, history
from tests.tiny_encoder import tf
from tfarch.errors import InputError
from tfarch.export.recommender import VARIANTS, recommender_file, write_recommender_saved_model
from tfarch.export.recommender_graph import NO_CANDIDATE, RecommenderGraph
from tfarch.runtime.recommender import Recommender
from tfarch.runtime.shared_words import SharedWords
from tfarch.runtime.signals import History
from tfarch.runtime.user_tower import UserTower

WIDTH = SIGNALS.vectors.shape[1]
HISTORIES = [
    history(),
    history(3),
    history(0, 2),
    history(1, 4, 1),
    History(np.array([4, 0, 2]), np.array([1, 0, 1], bool), np.array([1, 0, 1])),
]


def attending(seed=0):
    """A recommender whose users are told by attention too."""
    rng, made = np.random.default_rng(seed), recommender()
    weights = {f"history_{role}/kernel": rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) for role in ("query", "key", "value", "output")}
    users = UserTower({"event_weights/logs": np.array([0.3, -0.7], np.float32), "fading_mean/log_odds": np.float32(1.0), **weights})
    vectors = rng.normal(size=SIGNALS.vectors.shape).astype(np.float32)
    signals = dataclasses.replace(SIGNALS, users=users, vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    return Recommender(signals, made.ranker, made.ids, made.titles, made.behaviours, made.categories, made.liked)


def padded(histories, events=4):
    items, wanted, behaviours = (
        np.full((len(histories), events), -1, np.int32),
        np.zeros((len(histories), events), np.float32),
        np.zeros((len(histories), events), np.int32),
    )
    for row, each in enumerate(histories):
        items[row, : len(each)], wanted[row, : len(each)], behaviours[row, : len(each)] = each.items, each.wanted, each.behaviours
    return items, wanted, behaviours


def expected(made, had):
    scores = made.scores(had)
    scores[had.items] = NO_CANDIDATE
    return scores


@pytest.mark.parametrize("made", [recommender(), attending(), recommender(seed=3)])
def test_the_graph_scores_as_the_runtime_does(made):
    found = RecommenderGraph(made).scores(*padded(HISTORIES)).numpy()
    for row, had in zip(found, HISTORIES, strict=True):
        np.testing.assert_allclose(row, expected(made, had), rtol=1e-4, atol=1e-3)


def test_without_an_interest_model_it_scores_too():
    made = recommender()
    signals = dataclasses.replace(SIGNALS, vectors=None, users=None)
    names = tuple(signals.of(history()))
    ranker = dataclasses.replace(made.ranker, names=names, weights=np.arange(2.0 * len(names) + 1) / 10)
    plain = Recommender(signals, ranker, made.ids, made.titles, made.behaviours, made.categories, made.liked)
    found = RecommenderGraph(plain).scores(*padded(HISTORIES)).numpy()
    np.testing.assert_allclose(found[2], expected(plain, HISTORIES[2]), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_tflite_file_gives_the_best_items_of_any_history(variant):
    made = attending()
    run = Interpreter(model_content=recommender_file(made, variant)).get_signature_runner("serving_default")
    for had in HISTORIES:
        items, wanted, behaviours = (each[0, : max(1, len(had))] for each in padded([had]))
        for k in (1, 3):
            told = run(items=items, wanted=wanted, behaviours=behaviours, k=np.int32(k))
            best = np.argsort(-expected(made, had), kind="stable")[:k]
            if variant == "float32":
                assert told["items"].tolist() == best.tolist()
            np.testing.assert_allclose(
                told["scores"], expected(made, had)[told["items"]], rtol=1e-3 if variant == "float32" else 0.2, atol=0.5
            )


def test_tables_stand_once_in_a_file_and_are_small_at_a_byte_a_number(tmp_path):
    rng, many, made = np.random.default_rng(0), 3000, recommender()
    tables = {name: rng.normal(size=(many, 64)).astype(np.float32) for name in ("sources", "targets", "vectors")}
    columns = {
        "categories": np.eye(many, 2, dtype=np.float32),
        "counts": np.ones((many, 4), np.float32),
        "value": np.ones(many, np.float32),
    }
    words = SharedWords.of(["word"] * many)
    users = UserTower({"event_weights/logs": np.zeros(2, np.float32), "fading_mean/log_odds": np.float32(2.0)})
    signals = dataclasses.replace(SIGNALS, **tables, **columns, since=np.full(many, np.nan), words=words, users=users)
    large = Recommender(signals, made.ranker, tuple(map(str, range(many))), [""] * many, made.behaviours, made.categories, made.liked)
    whole, small = (len(recommender_file(large, variant)) for variant in ("float32", "int8_index"))
    assert 3 * many * 64 * 4 < whole < 1.3 * 3 * many * 64 * 4
    assert small < 0.3 * whole
    write_recommender_saved_model(tmp_path / "1", large)
    assert sum(file.stat().st_size for file in (tmp_path / "1").rglob("*") if file.is_file()) < 3 * whole


def test_an_unknown_variant_lists_those_that_there_are():
    with pytest.raises(InputError, match="unknown variant 'int4'; known: dynamic_int8, float32, int8_index"):
        recommender_file(recommender(), "int4")


def test_a_saved_model_takes_and_gives_ids(tmp_path):
    made = attending()
    write_recommender_saved_model(tmp_path / "1", made)
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    histories = tf.constant([["red-shoe", "never heard of", "red-hat"], ["", "", ""]])
    told = loaded.signatures["serving_default"](history=histories, k=tf.constant(ITEMS))
    for row, had in enumerate((history(0, 2), history())):
        scores = expected(made, had)
        best = np.argsort(-scores, kind="stable")
        assert told["items"].numpy()[row].tolist() == [IDS[item].encode() if scores[item] > NO_CANDIDATE else b"" for item in best]
        np.testing.assert_allclose(told["scores"].numpy()[row], scores[best], rtol=1e-3)
    events = loaded.signatures["events"]
    asked = {"values": tf.constant([[5.0, 1.0]]), "behaviours": tf.constant([["buy", "click"]]), "k": tf.constant(2)}
    told = events(history=tf.constant([["hat", "red-shoe"]]), **asked)
    had = History(np.array([4, 0]), np.array([True, False]), np.array([1, 0]))
    np.testing.assert_allclose(told["scores"].numpy()[0], np.sort(expected(made, had))[::-1][:2], rtol=1e-3)
