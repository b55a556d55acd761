"""Losses and class weights are those of the formulas in plain numpy."""

import dataclasses

import numpy as np
import pytest

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tfarch.config import TrainConfig
from tfarch.errors import InputError
from tfarch.training.objectives import (
    class_weights,
    classification_objective,
    cross_entropy,
    distillation_objective,
    joint_objective,
    match_objective,
    with_text_vectors,
)

ROWS, CLASSES = 6, 4
RANDOM = np.random.default_rng(5)
LOGITS = RANDOM.normal(0, 3, (ROWS, CLASSES)).astype(np.float32)
TARGETS = np.array([0, 1, 2, 3, 0, 2], np.int32)
SOFT = RANDOM.dirichlet(np.ones(CLASSES), ROWS).astype(np.float32)
PROBABILITIES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[TARGETS]


def loss(targets=TARGETS, logits=LOGITS, **settings):
    return cross_entropy(**settings)(tf.constant(logits), tf.constant(targets)).numpy()


def expected(targets, smoothing=0.0, gamma=0.0):
    targets = (1 - smoothing) * targets + smoothing / CLASSES
    return -(targets * (1 - PROBABILITIES) ** gamma * np.log(PROBABILITIES)).sum(axis=1)


# Cross-entropy


def test_cross_entropy_is_the_negative_logarithm_of_the_targets_probability():
    np.testing.assert_allclose(loss(), -np.log(PROBABILITIES[np.arange(ROWS), TARGETS]), rtol=1e-5)


@pytest.mark.parametrize("targets", [TARGETS, SOFT], ids=["class numbers", "probabilities"])
@pytest.mark.parametrize(("smoothing", "gamma"), [(0.0, 0.0), (0.1, 0.0), (0.0, 2.0), (0.0, 0.5), (0.2, 1.5)])
def test_smoothing_and_focus_follow_their_formulas(targets, smoothing, gamma):
    rows = ONE_HOT if targets is TARGETS else SOFT
    found = loss(targets, label_smoothing=smoothing, focal_gamma=gamma)
    np.testing.assert_allclose(found, expected(rows, smoothing, gamma), rtol=1e-5)


def test_a_text_without_a_label_is_asked_for_nothing():
    loss = cross_entropy(label_smoothing=0.2)(tf.constant(LOGITS), tf.zeros(LOGITS.shape))
    assert loss.numpy().tolist() == [0.0] * len(LOGITS)


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1}, {"focal_gamma": 2.0}])
def test_class_numbers_and_their_one_hot_rows_have_the_same_loss(settings):
    np.testing.assert_allclose(loss(TARGETS, **settings), loss(ONE_HOT, **settings), rtol=1e-5)


def test_focal_loss_weighs_what_is_known_less_than_what_is_not():
    logits = np.array([[4, 0], [-4, 0]], np.float32)  # the first is known, the second is taken for the other class
    share = loss(np.zeros(2, np.int32), logits, focal_gamma=2.0) / loss(np.zeros(2, np.int32), logits)
    assert share[0] < 0.001
    assert share[1] > 0.95


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.1}, {"focal_gamma": 2.0}, {"focal_gamma": 0.5}])
def test_large_logits_give_a_finite_loss_and_gradient(settings):
    logits = tf.constant([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = cross_entropy(**settings)(logits, tf.constant([0, 0]))
    assert np.isfinite(value).all()
    assert np.isfinite(tape.gradient(value, logits)).all()


def test_the_gradient_is_probability_minus_target():
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = cross_entropy()(logits, tf.constant(SOFT))
    np.testing.assert_allclose(tape.gradient(value, logits), PROBABILITIES - SOFT, atol=1e-5)


@pytest.mark.parametrize("targets", [TARGETS, SOFT], ids=["class numbers", "probabilities"])
def test_logits_of_low_precision_are_summed_in_float32(targets):
    found = cross_entropy(label_smoothing=0.1)(tf.cast(LOGITS, tf.bfloat16), tf.constant(targets))
    assert found.dtype == tf.float32
    assert found.shape == (ROWS,)


# From the settings


def test_the_settings_reach_the_objective():
    settings = dataclasses.replace(TrainConfig(), label_smoothing=0.2, focal_gamma=1.5)
    found = classification_objective(settings)(tf.constant(LOGITS), tf.constant(TARGETS))
    np.testing.assert_allclose(found, expected(ONE_HOT, 0.2, 1.5), rtol=1e-5)


@pytest.mark.parametrize(("name", "value"), [("label_smoothing", -0.1), ("label_smoothing", 1.0), ("focal_gamma", -1.0)])
def test_a_value_out_of_range_is_told(name, value):
    with pytest.raises(InputError, match=f"train.{name}={value} is out of range"):
        classification_objective(dataclasses.replace(TrainConfig(), **{name: value}))


# Class weights

UNEVEN = np.array([0] * 16 + [1] * 4 + [2], np.int32)


def weights_of_classes(kind):
    weights = class_weights(UNEVEN, 3, kind)
    return weights[[0, 16, 20]]


def test_without_class_weights_every_row_weighs_one():
    assert class_weights(UNEVEN, 3, "none").tolist() == [1.0] * 21


@pytest.mark.parametrize("kind", ["none", "balanced", "sqrt"])
def test_the_weights_have_mean_one(kind):
    weights = class_weights(UNEVEN, 3, kind)
    assert weights.dtype == np.float32
    assert weights.mean() == pytest.approx(1.0)


def test_balanced_classes_weigh_the_same_in_sum():
    np.testing.assert_allclose(weights_of_classes("balanced") * [16, 4, 1], [7.0, 7.0, 7.0], rtol=1e-6)


def test_the_root_weighs_classes_by_the_root_of_their_share():
    found = weights_of_classes("sqrt")
    np.testing.assert_allclose(found / found[0], [1.0, 2.0, 4.0], rtol=1e-6)


@pytest.mark.parametrize("kind", ["balanced", "sqrt"])
def test_a_class_without_rows_changes_no_weight(kind):
    np.testing.assert_allclose(class_weights(UNEVEN, 5, kind), class_weights(UNEVEN, 3, kind), rtol=1e-6)


def test_several_tasks_have_a_loss_each_and_none_where_a_label_is_missing():
    logits = np.array([[1.0, 2.0, 0.5, -1.0, 0.0], [0.0, 0.0, 3.0, 1.0, 1.0]], np.float32)
    targets = np.array([[1, -1], [0, 2]], np.int32)
    found = joint_objective(cross_entropy(), [2, 3])(tf.constant(logits), tf.constant(targets)).numpy()
    first, second = (
        cross_entropy()(tf.constant(logits[:, :2]), tf.constant([1, 0])),
        cross_entropy()(tf.constant(logits[1:, 2:]), tf.constant([2])),
    )
    np.testing.assert_allclose(found, [[first[0], 0.0], [first[1], second[0]]], rtol=1e-6)
    told = np.array([[0, 1, 0.2, 0.3, 0.5], [1, 0, 0, 0, 1]], np.float32)  # as probabilities, of which none is missing
    soft = joint_objective(cross_entropy(), [2, 3])(tf.constant(logits), tf.constant(told)).numpy()
    guessed = cross_entropy()(tf.constant(logits[:1, 2:]), tf.constant(told[:1, 2:])).numpy()
    np.testing.assert_allclose(soft, [[first[0], guessed[0]], [first[1], second[0]]], rtol=1e-6)


def test_a_match_is_told_from_what_was_not_wanted_and_from_the_others():
    logits = np.array([[[[2.0, -1.0, 0.5, -1e9]], [[0.3, 1.5, -1e9, -1e9]]]], np.float32)  # [1, rows, events, items]
    targets = np.array([[[0], [-2]]], np.int32)  # the second row's was of place 1, and not wanted

    def softplus(odds):
        return np.log1p(np.exp(odds))

    expected = [softplus(-2.0) + (softplus(-1.0) + softplus(0.5)) / 2, softplus(1.5) + softplus(0.3)]
    np.testing.assert_allclose(match_objective(tf.constant(logits), tf.constant(targets)).numpy()[0, :, 0], expected, rtol=1e-5)


def test_distillation_joins_what_labels_and_a_teacher_ask_for():
    rng = np.random.default_rng(0)
    logits, teacher = (rng.normal(size=(5, 7)).astype(np.float32) for _ in range(2))
    labels = np.zeros((5, 7), np.float32)
    labels[np.arange(5), [0, 2, 1, 0, 2]] = 1.0
    labels[np.arange(5), [3, 6, 4, 5, 3]] = 1.0
    labels[4, 3:] = 0.0  # without a label of the second task
    share, temperature = 0.3, 2.5

    def probabilities(values):
        return np.concatenate([tf.nn.softmax(values[:, :3]).numpy(), tf.nn.softmax(values[:, 3:]).numpy()], axis=1)

    targets = np.concatenate([labels, probabilities(teacher / temperature)], axis=1)
    found = distillation_objective(cross_entropy(), [3, 4], share, temperature)(tf.constant(logits), tf.constant(targets)).numpy()
    hard = -labels * np.log(probabilities(logits))
    soft = -probabilities(teacher / temperature) * np.log(probabilities(logits / temperature))
    for task, columns in enumerate((slice(0, 3), slice(3, 7))):
        expected = (1 - share) * hard[:, columns].sum(axis=1) + share * temperature**2 * soft[:, columns].sum(axis=1)
        np.testing.assert_allclose(found[:, task], expected, rtol=1e-5)
    own = np.concatenate([labels, probabilities(logits / temperature)], axis=1)
    with tf.GradientTape() as tape:
        values = tf.Variable(logits)
        loss = tf.reduce_sum(distillation_objective(cross_entropy(), [3, 4], 1.0, temperature)(values, tf.constant(own)))
    np.testing.assert_allclose(tape.gradient(loss, values).numpy(), 0.0, atol=1e-6)  # who says what the teacher says has nothing to learn


def test_the_distance_to_a_teachers_text_vectors_is_added_once():
    rng = np.random.default_rng(0)
    logits, vectors, wanted = rng.normal(size=(5, 7)), rng.normal(size=(5, 6)), rng.normal(size=(5, 6))
    labels = np.eye(7)[[0, 1, 2, 0, 1]] + np.eye(7)[[3, 4, 5, 6, 3]]
    joint = joint_objective(cross_entropy(), [3, 4])
    output, targets = (np.concatenate(each, axis=1).astype(np.float32) for each in ((logits, vectors), (labels, wanted)))
    found = with_text_vectors(joint, 6, 0.7)(tf.constant(output), tf.constant(targets)).numpy()
    plain = joint(tf.constant(logits, tf.float32), tf.constant(labels, tf.float32)).numpy()
    distance = ((vectors - wanted) ** 2).sum(axis=1) / (wanted**2).sum(axis=1)
    np.testing.assert_allclose(found.sum(axis=1), plain.sum(axis=1) + 0.7 * distance, rtol=1e-5)
    np.testing.assert_allclose(found[:, 0] - plain[:, 0], found[:, 1] - plain[:, 1], atol=1e-5)
