"""Fitting the scores and choosing method and threshold, against their definitions and against trying every threshold."""

import functools
import json

import numpy as np
import pytest

from tfarch.config import OutOfScopeConfig
from tfarch.evaluation.out_of_scope import Answers, fit_scores
from tfarch.evaluation.out_of_scope import choose as choose_by
from tfarch.runtime.scope import METHODS, Score, unit

choose = functools.partial(choose_by, keep=OutOfScopeConfig().keep, share=OutOfScopeConfig().share)
PROBABILITY = {"max_probability": Score("max_probability")}


def rows(scores, right=None):
    """Two-class answers with these highest probabilities; `right` says which are predicted right (class 0)."""
    scores = np.asarray(scores, float)
    right = np.ones(len(scores), bool) if right is None else np.asarray(right)
    probabilities = np.where(right[:, None], np.stack([scores, 1 - scores], 1), np.stack([1 - scores, scores], 1))
    return Answers(probabilities, np.zeros((len(scores), 1)))


def chosen(inside, outside=None, **settings):
    return choose(PROBABILITY, inside, np.zeros(len(inside), int), outside, **settings)[0]


def test_parted_scores_are_parted_midway():
    found = chosen(rows([0.9, 0.8]), rows([0.6, 0.55]))
    assert found.threshold == pytest.approx(0.7)
    assert (found.in_scope_accuracy, found.oos_recall) == (1.0, 1.0)
    assert found.chosen_on.startswith("2 validation rows in scope and 2 out of scope")


def test_a_right_row_is_given_up_only_for_more_questions_treated_rightly():
    inside, outside = rows([0.6, 0.8, 0.9, 0.95]), rows([0.7, 0.55])
    assert chosen(inside, outside, share=0.5).threshold == pytest.approx(0.75)  # gives up 1 of 4, gains 1 of 2
    assert chosen(inside, outside, share=0.2).threshold == pytest.approx(0.575)  # 0.8 * 1 / 4 lost against 0.2 * 1 / 2 won


@pytest.mark.parametrize("seed", range(20))
def test_no_threshold_that_accepts_a_row_does_better(seed):
    rng = np.random.default_rng(seed)
    share = float(rng.random())
    right = rng.random(30) < 0.8
    inside, outside = rows(rng.integers(50, 101, 30) / 100, right), rows(rng.integers(50, 90, int(rng.integers(1, 20))) / 100)
    scores = inside.probabilities.max(1), outside.probabilities.max(1)

    def treated_rightly(threshold):
        return (1 - share) * (right & (scores[0] >= threshold)).mean() + share * (scores[1] < threshold).mean()

    found = chosen(inside, outside, share=share)
    top = max(scores[0].max(), scores[1].max())
    assert treated_rightly(found.threshold) == pytest.approx(max(treated_rightly(t) for t in np.append(np.linspace(0, top, 1001), top)))
    assert treated_rightly(found.threshold) == pytest.approx((1 - share) * found.in_scope_accuracy + share * found.oos_recall)


@pytest.mark.parametrize(("keep", "kept"), [(0.95, 19), (0.99, 20), (0.5, 10), (0.0, 0)])
def test_without_out_of_scope_rows_a_share_of_the_right_rows_is_kept(keep, kept):
    scores = np.linspace(0.51, 0.99, 40)
    right = np.arange(40) % 2 == 0  # 20 right rows
    inside = rows(scores, right)
    found = choose(PROBABILITY, inside, np.zeros(40, int), method="max_probability", keep=keep)[0]
    if kept:
        assert (scores[right] >= found.threshold).sum() == kept
        assert found.threshold == np.sort(scores[right])[-kept]
        assert found.in_scope_accuracy == kept / 40
    assert f"keeps {keep * 100:g} %" in found.chosen_on
    assert found.oos_recall is None


def test_an_empty_out_of_scope_table_is_as_none():
    inside = rows([0.7, 0.9])
    settings = {"method": "max_probability"}
    assert choose(PROBABILITY, inside, np.zeros(2, int), rows([]), **settings) == choose(PROBABILITY, inside, np.zeros(2, int), **settings)


def test_a_model_that_gets_nothing_right_rejects_nothing():
    found = choose(PROBABILITY, rows([0.7, 0.9], [False, False]), np.zeros(2, int), method="max_probability")[0]
    assert not (np.array([0.7, 0.9]) < found.threshold).any()


def test_the_threshold_survives_json_and_float32():
    scores = np.random.default_rng(0).uniform(0.5, 1, 100).astype(np.float32)
    answers = Answers(np.stack([scores, 1 - scores], 1), np.zeros((100, 1)))
    found = choose(PROBABILITY, answers, np.zeros(100, int), method="max_probability", keep=0.95)[0]
    read = json.loads(json.dumps(found.as_dict()))
    assert read["method"] == "max_probability"
    assert (answers.probabilities.max(1) >= read["threshold"]).sum() == 95


@pytest.mark.parametrize("targets", [[0, -1], [0], []])
def test_targets_that_are_no_classes_of_the_rows_are_refused(targets):
    with pytest.raises(ValueError, match="targets from 0"):
        choose(PROBABILITY, rows([0.7] * 2 if targets else []), np.array(targets, int))


# The scores


def clusters(classes=3, each=40, width=8, seed=0):
    """Vectors around one centre for each class, and a head that reads them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, width)) * 4
    targets = np.repeat(np.arange(classes), each)
    return (centres[targets] + rng.normal(size=(len(targets), width))).astype(np.float32), targets, centres


def answers_of(vectors, kernel, bias):
    logits = vectors @ kernel + bias
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return Answers(exponentials / exponentials.sum(1, keepdims=True), vectors)


def test_every_method_tells_what_was_trained_on_from_what_was_not():
    vectors, targets, centres = clusters()
    kernel, bias = centres.T.astype(np.float32), (-0.5 * (centres**2).sum(1)).astype(np.float32)
    scores = fit_scores(vectors, targets, kernel, bias, answers_of(vectors, kernel, bias))
    assert tuple(scores) == METHODS
    near, _, _ = clusters(seed=0)
    far = (-centres[targets[::4]] + np.random.default_rng(1).normal(size=(len(targets[::4]), 8))).astype(np.float32)
    for method in ("mahalanobis", "nearest_neighbour", "adaptive_boundary", "combined"):
        inside, outside = (scores[method](*(answers_of(each, kernel, bias).__dict__.values())) for each in (near, far))
        assert inside.min() > outside.max(), method


def test_the_statistics_are_what_they_are_called():
    vectors, targets, _ = clusters(each=30)
    kernel, bias = np.eye(8, 3, dtype=np.float32), np.zeros(3, np.float32)
    scores = fit_scores(vectors, targets, kernel, bias, answers_of(vectors, kernel, bias))
    means = np.stack([vectors[targets == number].mean(0) for number in range(3)])
    whitening = scores["mahalanobis"].statistics["whitening"]
    np.testing.assert_allclose(scores["mahalanobis"].statistics["means"], means @ whitening, rtol=1e-4, atol=1e-5)
    within = vectors - means[targets]
    covariance = within.T @ within / (len(vectors) - 3)
    shrunk = 0.1 * covariance + 0.9 * np.trace(covariance) / 8 * np.eye(8)
    np.testing.assert_allclose(whitening @ whitening.T, np.linalg.inv(shrunk), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(scores["nearest_neighbour"].statistics["neighbours"], unit(vectors), atol=1e-3)
    centres = np.stack([unit(vectors)[targets == number].mean(0) for number in range(3)])
    np.testing.assert_allclose(scores["adaptive_boundary"].statistics["centres"], centres, atol=1e-6)
    np.testing.assert_array_equal(scores["energy"].statistics["kernel"], kernel)


def test_a_class_that_spreads_has_a_wider_boundary():
    vectors, targets, centres = clusters(each=200)
    vectors[targets == 1] = (centres[1] + 3 * (vectors[targets == 1] - centres[1])).astype(np.float32)
    head = np.zeros((8, 3), np.float32), np.zeros(3, np.float32)
    radii = fit_scores(vectors, targets, *head, answers_of(vectors, *head))["adaptive_boundary"].statistics["radii"]
    assert radii.argmax() == 1


@pytest.mark.parametrize("each", [1, 2])
def test_few_rows_and_missing_classes_give_finite_scores(each):
    vectors, targets, _ = clusters(classes=2, each=each)
    kernel, bias = np.ones((8, 5), np.float32), np.zeros(5, np.float32)
    scores = fit_scores(vectors, targets * 4, kernel, bias, answers_of(vectors, kernel, bias))  # classes 1, 2 and 3 have no row
    answers = answers_of(vectors, kernel, bias)
    for method, score in scores.items():
        assert np.isfinite(score(answers.probabilities, answers.vectors)).all(), method


def test_the_method_that_parts_best_on_out_of_scope_rows_is_chosen():
    inside = Answers(np.array([[0.6, 0.4], [0.7, 0.3]]), np.array([[1.0], [1.1]]))
    outside = Answers(np.array([[0.9, 0.1], [0.65, 0.35]]), np.array([[-1.0], [-2.0]]))
    scores = PROBABILITY | {"energy": Score("energy", {"kernel": np.array([[1.0, 0.0]]), "bias": np.zeros(2)})}
    best, tried = choose(scores, inside, np.zeros(2, int), outside)
    assert best.method == "energy"
    assert [each.method for each in tried] == ["max_probability", "energy"]
    assert (best.in_scope_accuracy, best.oos_recall) == (1.0, 1.0)
    assert choose(scores, inside, np.zeros(2, int), outside, method="max_probability")[0].method == "max_probability"
    assert choose(scores, inside, np.zeros(2, int))[0].method == "energy", "the default where no out-of-scope row tells more"
