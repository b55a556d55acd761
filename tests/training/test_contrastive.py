"""The in-batch softmax against plain numpy, and encoders that it draws the texts of a pair together in."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.tiny_training import LENGTH, SPEC, classifier
from tfarch.config import TrainConfig
from tfarch.data.batches import plan_epoch
from tfarch.data.pairs import PADDING, TextPairs
from tfarch.data.tokens import Tokens
from tfarch.errors import InputError
from tfarch.models.classifier import HEAD
from tfarch.models.encoder import body, text_inputs
from tfarch.models.weights import get_weights, set_weights
from tfarch.runtime.retrieval import cosines
from tfarch.training.contrastive import in_batch_softmax, pair_objective, tune_encoder
from tfarch.training.inference import Forward

import tensorflow as tf  # isort: skip

RANDOM = np.random.default_rng(4)
QUERIES, CANDIDATES = RANDOM.normal(size=(2, 5, 3)).astype(np.float32)
APART = np.arange(5)
GROUPS = 6


def by_hand(queries, candidates, allowed, temperature):
    """The loss of each query, one at a time; `allowed` `[n, n]`: which candidates take part beside its own."""
    losses = []
    for row, query in enumerate(queries.astype(np.float64)):
        scores = {place: query @ each / temperature for place, each in enumerate(candidates) if place == row or allowed[row][place]}
        losses.append(np.log(sum(np.exp(score) for score in scores.values())) - scores[row])
    return np.array(losses)


def loss(queries=QUERIES, candidates=CANDIDATES, ids=APART, temperature=0.5):
    return in_batch_softmax(tf.constant(queries), tf.constant(candidates), tf.constant(ids, tf.int32), temperature).numpy()


# The loss


@pytest.mark.parametrize("temperature", [0.05, 0.5, 2.0])
def test_each_query_tells_its_own_candidate_from_all_others(temperature):
    np.testing.assert_allclose(
        loss(temperature=temperature), by_hand(QUERIES, CANDIDATES, np.ones((5, 5), bool), temperature), rtol=1e-4, atol=1e-5
    )


def test_candidates_of_the_same_id_are_no_wrong_answers():
    ids = np.array([3, 1, 3, 3, 2])
    np.testing.assert_allclose(loss(ids=ids), by_hand(QUERIES, CANDIDATES, ids[:, None] != ids, 0.5), rtol=1e-5)


def test_padding_is_no_wrong_answer_to_anyone():
    ids = np.array([0, PADDING, 1, PADDING, 2])
    np.testing.assert_allclose(loss(ids=ids)[[0, 2, 4]], loss(QUERIES[[0, 2, 4]], CANDIDATES[[0, 2, 4]], np.arange(3)), rtol=1e-5)
    assert np.isfinite(loss(ids=ids)).all()


def test_a_query_whose_candidates_are_all_of_its_own_id_has_nothing_to_learn():
    assert loss(ids=np.zeros(5)).tolist() == [0.0] * 5


def test_the_gradient_draws_a_query_to_its_own_candidate_and_away_from_wrong_ones_alone():
    queries, ids = tf.constant(QUERIES), np.array([0, 1, 0, 2, 3])
    candidates = tf.eye(5, 3 + 2)  # of each direction one candidate: the gradient's entries are those of its scores
    queries = tf.concat([queries, tf.zeros([5, 2])], axis=1)
    with tf.GradientTape() as tape:
        tape.watch(queries)
        value = in_batch_softmax(queries, candidates, tf.constant(ids), 0.5)
    slopes = tape.gradient(value, queries).numpy()
    assert (np.diag(slopes) < 0).all()
    assert slopes[0, 2] == slopes[2, 0] == 0.0
    assert (slopes[0, [1, 3, 4]] > 0).all()


def test_large_scores_and_masks_give_a_finite_gradient():
    queries = tf.constant(1e3 * QUERIES)
    with tf.GradientTape() as tape:
        tape.watch(queries)
        value = in_batch_softmax(queries, tf.constant(CANDIDATES), tf.constant([0, 0, PADDING, 1, 2]), 1e-3)
    assert np.isfinite(value).all()
    assert np.isfinite(tape.gradient(value, queries)).all()


def test_the_objective_looks_both_ways_by_cosine():
    vectors = np.stack([QUERIES, CANDIDATES], axis=1).reshape(10, 3)
    ids = np.array([0, 1, 0, 2, 3])
    found = pair_objective(0.1)(tf.constant(vectors), tf.constant(np.repeat(ids, 2))).numpy()
    first, second = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (QUERIES, CANDIDATES))
    allowed = ids[:, None] != ids
    np.testing.assert_allclose(found[::2], by_hand(first, second, allowed, 0.1), rtol=1e-4)
    np.testing.assert_allclose(found[1::2], by_hand(second, first, allowed, 0.1), rtol=1e-4)


def test_vectors_of_low_precision_are_compared_in_float32():
    vectors = tf.cast(np.stack([QUERIES, CANDIDATES], axis=1).reshape(10, 3), tf.bfloat16)
    assert pair_objective()(vectors, tf.constant(np.repeat(APART, 2))).dtype == tf.float32


# Tuning


def pairs(groups=GROUPS):
    """Four pairs of random texts for each group; the texts of a group share their second token and nothing else."""
    random = np.random.default_rng(1)
    ids = random.integers(12, SPEC.vocabulary, (8 * groups, LENGTH)).astype(np.int32)
    ids[:, 1] = 5 + np.repeat(np.arange(groups), 8)
    tokens = Tokens(ids.ravel(), np.arange(0, ids.size + 1, LENGTH, dtype=np.int64))
    return TextPairs(
        tokens, np.repeat(np.arange(groups, dtype=np.int32), 4), np.ones(4 * groups, np.float32), np.arange(8 * groups).reshape(-1, 2)
    )


def start_weights():
    return {name: value for name, value in get_weights(classifier()).items() if not name.startswith(HEAD)}


def tune(seed=3, **settings):
    values = {"epochs": 6, "batch_size": 8, "learning_rate": 0.01, "freeze": ["token_embedding/*"], "monitor": "last", "devices": "cpu"}
    return tune_encoder(SPEC, start_weights(), pairs(), TrainConfig(**{**values, "precision": "float32", **settings}), seed=seed)


def margin(weights):
    """By how much the cosine of the texts of a pair is above that of texts of other groups, in the mean."""
    inputs = text_inputs()
    model = tf.keras.Model(inputs, body(SPEC, inputs))
    set_weights(model, weights)
    vectors = Forward(model)(pairs().tokens)
    similar, group = cosines(vectors[::2], vectors[1::2]), pairs().targets
    return float(np.diag(similar).mean() - similar[group[:, None] != group].mean())


@pytest.fixture(scope="module")
def tuned():
    return tune()


def test_the_texts_of_a_pair_come_nearer_to_each_other_than_to_others(tuned):
    assert margin(tuned.end) > margin(tuned.start) + 0.3


def test_the_loss_falls(tuned):
    losses = [epoch["loss"] for epoch in tuned.figures["history"]]
    assert losses[-1] < 0.5 * losses[0]


def test_half_way_lies_half_way(tuned):
    half = tuned.weights()
    for name, value in tuned.end.items():
        np.testing.assert_allclose(half[name], (tuned.start[name] + value) / 2, atol=1e-6)
    assert margin(tuned.start) < margin(half)


def test_the_ends_are_before_and_after(tuned):
    assert all(np.array_equal(value, tuned.start[name]) for name, value in tuned.weights(0.0).items())
    assert all(np.array_equal(value, tuned.end[name]) for name, value in tuned.weights(1.0).items())


def test_what_is_frozen_stays(tuned):
    assert np.array_equal(tuned.end["token_embedding/embeddings"], tuned.start["token_embedding/embeddings"])


def test_pairs_and_the_tokens_of_both_texts_are_counted(tuned):
    figures = tuned.figures
    assert figures["steps"] == 6 * 3
    assert figures["tokens_per_second"] == pytest.approx(2 * LENGTH * figures["examples_per_second"])


def test_equal_seeds_give_equal_weights_and_another_seed_others(tuned):
    again, other = tune().end, tune(seed=4).end
    for name, value in tuned.end.items():
        np.testing.assert_allclose(again[name], value, atol=1e-5, err_msg=name)
    assert not np.allclose(other["layer_0_query/kernel"], tuned.end["layer_0_query/kernel"], atol=1e-3)


def test_pairs_of_one_group_are_refused():
    with pytest.raises(InputError, match="4 pairs of 1 group: contrastive tuning tells two or more apart"):
        tune_encoder(SPEC, start_weights(), pairs(groups=1))


# A process of its own: the number of logical devices cannot change later. Without dropout the first loss is that of the start's vectors.
CHILD = """
import json
import tests.training.test_contrastive as here
from tfarch.training.contrastive import tune_encoder
from tfarch.training import Callback
from tfarch.training.devices import strategy_for
from tfarch.config import TrainConfig
strategy_for("cpu:2")  # before a model is made
seen = []
class Losses(Callback):
    def after_update(self, step, values):
        seen.append(values["loss"])
settings = TrainConfig(epochs=1, batch_size=24, learning_rate=1e-3, freeze=[], monitor="last", precision="float32", devices="cpu:2")
tune_encoder(here.SPEC, here.start_weights(), here.pairs(), settings, dropout=0.0, callbacks=[Losses()])
print(json.dumps(seen))
"""


def test_replicas_share_the_pairs_of_a_batch_and_keep_them_whole():
    done = subprocess.run([sys.executable, "-c", CHILD], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    (found,) = json.loads(done.stdout)
    inputs, every = text_inputs(), pairs()
    model = tf.keras.Model(inputs, body(SPEC, inputs))
    set_weights(model, start_weights())
    vectors = Forward(model)(every.tokens)
    ((batch,),) = plan_epoch(every.lengths, 24, seed=0, epoch=0, replicas=2)
    losses = [
        pair_objective()(vectors[every.pairs[half].ravel()], np.repeat(every.targets[half], 2)).numpy() for half in np.split(batch.rows, 2)
    ]
    assert found == pytest.approx(np.mean(losses), rel=1e-3)
