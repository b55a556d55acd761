"""Predictions come back in the order of their texts, whatever their lengths and batches; validation metrics are made of them."""

import numpy as np
import pytest

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tfarch import progress
from tfarch.data.tokens import Tokens
from tfarch.models.classifier import build_classifier
from tfarch.models.encoder import text_inputs
from tfarch.models.spec import EncoderSpec
from tfarch.runtime.logistic import softmax
from tfarch.training.inference import ClassificationEvaluator, Forward

SPEC = EncoderSpec(vocabulary=20, width=8, heads=(2, 2), head_width=4, feed_forward=(16, 16), positions=40)
LABELS = ("a", "b", "c")


def tokens(lengths, seed=0):
    ids = np.random.default_rng(seed).integers(1, SPEC.vocabulary, sum(lengths)).astype(np.int32)
    return Tokens(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


@pytest.fixture(scope="module")
def classifier():
    """Random weights, dropout that would show, and different answers for different texts."""
    model = build_classifier(SPEC, len(LABELS), dropout=0.5)
    random = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(random.normal(1.0 if "gamma" in variable.name else 0.0, 1.0, variable.shape))
    return model


def counting(function):
    """A model whose output is `function(ids, mask)`: nothing learnt, so that every number is known."""
    inputs = text_inputs()
    output = tf.keras.layers.Lambda(lambda tensors: function(*tensors))([inputs["ids"], inputs["mask"]])
    return tf.keras.Model(inputs, output)


def test_every_text_has_the_output_that_it_has_alone(classifier):
    texts = tokens([3, 39, 17, 16, 4, 25, 3, 33, 40, 12, 8])
    together = Forward(classifier)(texts, batch_size=4)
    alone = [
        classifier({name: tf.constant(value) for name, value in texts.padded([row], length).items()})
        for row, length in enumerate(texts.lengths)
    ]
    assert together.shape == (11, len(LABELS))
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)
    assert np.unique(together.round(3), axis=0).shape == together.shape  # no two alike, so none can be exchanged unseen


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64])
def test_the_size_of_a_batch_changes_no_output(classifier, batch_size):
    texts = tokens([20, 3, 12, 39, 16, 17, 5])
    np.testing.assert_allclose(Forward(classifier)(texts, batch_size=batch_size), Forward(classifier)(texts), atol=1e-5)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda ids, mask: tf.reduce_sum(ids, axis=1), ()),
        (lambda ids, mask: tf.reduce_sum(ids, axis=1)[:, None], (1,)),
        (lambda ids, mask: tf.reduce_sum(ids, axis=1)[:, None, None] * tf.ones((1, 2, 3), tf.int32), (2, 3)),
    ],
    ids=["a number", "a vector", "a matrix"],
)
def test_an_output_of_any_rank_comes_back_in_order(function, shape):
    lengths = [30, 2, 17, 9, 16, 2]
    texts = tokens(lengths)
    found = Forward(counting(function))(texts, batch_size=2)
    sums = np.array([texts.ids[start:end].sum() for start, end in zip(texts.offsets[:-1], texts.offsets[1:], strict=True)])
    assert found.dtype == np.int32
    assert found.shape == (6, *shape)
    np.testing.assert_array_equal(found, np.broadcast_to(sums.reshape(-1, *[1] * len(shape)), found.shape))


def test_weights_that_change_later_are_seen(classifier):
    texts, forward = tokens([5, 9]), Forward(classifier)
    before, bias = forward(texts), classifier.get_layer("head").bias
    bias.assign_add(tf.ones_like(bias))
    np.testing.assert_allclose(forward(texts), before + 1.0, atol=1e-5)


def test_a_long_asking_tells_how_far_it_is_and_answers_the_same(classifier, monkeypatch, capsys):
    now = [0.0]

    def wound():
        now[0] += 11.0
        return now[0]

    monkeypatch.setattr(progress.time, "monotonic", wound)
    texts, forward = tokens([20, 3, 12, 39, 16, 17, 5]), Forward(classifier)
    quiet = forward(texts, batch_size=2)
    assert capsys.readouterr().err == ""
    np.testing.assert_array_equal(forward(texts, batch_size=2, title="asking"), quiet)
    told = [line.split()[:2] for line in capsys.readouterr().err.splitlines()]
    counts = [int(count.removesuffix("/7")) for _, count in told]
    assert [name for name, _ in told] == ["asking"] * 3
    assert counts == sorted(counts)
    assert 0 < counts[0] < counts[-1] < 7


# Validation


def evaluation(logits, targets):
    """The metrics of a model that gives the text of first token i the i-th row of `logits`."""
    ids = np.arange(len(logits), dtype=np.int32)
    rows = Tokens(ids, np.arange(len(logits) + 1, dtype=np.int64))
    model = counting(lambda ids, mask: tf.gather(tf.constant(logits, tf.float32), ids[:, 0]))
    return ClassificationEvaluator(rows, np.array(targets), LABELS)(model)


def test_validation_gives_loss_accuracy_and_f1():
    # a: 1 of 1 found, taken once too often; b: 0 of 1; c: 1 of 1.
    logits = np.log([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])
    found = evaluation(logits, [0, 1, 2])
    assert found == pytest.approx(
        {"valid_loss": -np.log([0.5, 0.25, 0.6]).mean(), "valid_accuracy": 2 / 3, "valid_macro_f1": (2 / 3 + 0 + 1) / 3}, rel=1e-5
    )


def test_each_model_is_asked_anew():
    texts = tokens([1, 1])
    evaluate = ClassificationEvaluator(texts, np.array([0, 0]), LABELS)
    for best, accuracy in ((0, 1.0), (1, 0.0)):
        logits = tf.one_hot(best, len(LABELS))[None]
        assert (
            evaluate(counting(lambda ids, mask, logits=logits: tf.repeat(logits, tf.shape(ids)[0], axis=0)))["valid_accuracy"] == accuracy
        )


def test_softmax_of_large_logits_is_finite_and_sums_to_one():
    found = softmax(np.array([[1e4, 0.0, -1e4], [1.0, 1.0, 1.0]], np.float32))
    np.testing.assert_allclose(found, [[1, 0, 0], [1 / 3] * 3], atol=1e-12)
    assert found.dtype == np.float64
