"""Classes added to a head: the fitted column against its definition, and the probabilities of the others against what the file gave."""

import numpy as np
import pytest

from tfarch.runtime.head import _IMPORTANCE, _PENALTY, Head, spread_examples

RNG = np.random.default_rng(0)
WIDTH, CLASSES = 12, 4
CENTRES = RNG.normal(size=(CLASSES + 1, WIDTH)) * 2
KERNEL, BIAS = CENTRES[:CLASSES].T.astype(np.float32), (-0.5 * (CENTRES[:CLASSES] ** 2).sum(axis=1)).astype(np.float32)
HEAD = Head(KERNEL, BIAS, 1.5, (CENTRES[:CLASSES, None] + RNG.normal(size=(CLASSES, 5, WIDTH))).astype(np.float16))
NEW = (CENTRES[CLASSES] + RNG.normal(size=(10, WIDTH))).astype(np.float32)


def probabilities(vectors):
    exponentials = np.exp(HEAD.logits(vectors) / 1.5)
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def test_the_new_class_is_known_and_the_others_still_are():
    head = HEAD.with_class(NEW)
    for number in range(CLASSES + 1):
        said = head.logits(CENTRES[number] + RNG.normal(size=(50, WIDTH))).argmax(axis=1)
        assert (said == number).mean() > 0.9


def test_no_small_step_of_the_new_column_does_better():
    head = HEAD.with_class(NEW)
    others = HEAD.examples.reshape(-1, WIDTH).astype(np.float64)

    def loss(weights, bias):
        def cost(vectors, new):
            logits = np.concatenate([HEAD.logits(vectors), (vectors @ weights + bias)[:, None]], axis=1)
            own = logits[:, -1] if new else np.log(np.exp(logits[:, :-1]).sum(axis=1))
            return (np.log(np.exp(logits).sum(axis=1)) - own).mean()

        mean = (_IMPORTANCE * cost(NEW.astype(np.float64), True) + cost(others, False)) / (1 + _IMPORTANCE)
        return mean + 0.5 * _PENALTY * (weights**2).sum()

    weights, bias = head.kernel[:, -1].astype(np.float64), float(head.bias[-1])
    best = loss(weights, bias)
    for step in (-0.02, 0.02):
        assert loss(weights, bias + step) > best
        for place in range(WIDTH):
            assert loss(weights + step * np.eye(WIDTH)[place], bias) > best


def test_the_file_s_probabilities_keep_their_proportions():
    head = HEAD.with_class(NEW)
    given = probabilities(NEW)
    found = head.extended(given, NEW)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(found[:, :-1] / found[:, :-1].sum(axis=1, keepdims=True), given, rtol=1e-4, atol=1e-7)
    logits = head.logits(NEW) / 1.5
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_second_class_counts_the_first_among_the_others_and_the_first_can_be_left():
    other = -NEW
    twice = HEAD.with_class(NEW).with_class(other)
    assert twice.kernel.shape == (WIDTH, CLASSES + 2)
    assert twice.examples.shape == (CLASSES + 2, 5, WIDTH)
    assert twice.logits(NEW).argmax(axis=1).tolist() == [CLASSES] * 10
    assert twice.logits(other).argmax(axis=1).tolist() == [CLASSES + 1] * 10
    np.testing.assert_array_equal(twice.first(CLASSES).kernel, KERNEL)


def test_examples_are_the_first_of_each_class_and_repeated_where_there_are_too_few():
    vectors, targets = np.arange(12, dtype=np.float32).reshape(6, 2), np.array([0, 2, 0, 0, 2, 0])
    found = spread_examples(vectors, targets, 3, 3)
    assert found.shape == (3, 3, 2)
    assert found[0].tolist() == [[0, 1], [4, 5], [6, 7]]
    assert found[2].tolist() == [[2, 3], [8, 9], [2, 3]]
    assert not found[1].any()


@pytest.mark.parametrize("rows", [1, 2])
def test_very_few_examples_give_finite_weights(rows):
    head = HEAD.with_class(NEW[:rows])
    assert np.isfinite(head.kernel).all()
    assert np.isfinite(head.bias).all()
