"""The metrics against worked examples and against their definitions, written out slowly, on random inputs."""

import math

import numpy as np
import pytest

from tfarch.errors import InputError, TfarchError
from tfarch.evaluation.metrics import auroc, classification_metrics, false_positive_rate_at_95, paired_test, wilson_interval

# Five rows in scope and two out of scope. Predicted: a a b b c | a c; right: rows 0, 2, 4.
WORKED = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [0.0, 0.1, 0.9], [0.4, 0.3, 0.3], [0.1, 0.05, 0.85]], np.float32
)
TARGETS = np.array([0, 1, 1, 0, 2, -1, -1])


def test_a_worked_example_by_hand():
    found = classification_metrics(WORKED, TARGETS, ["a", "b", "c"], threshold=0.75, bins=2)
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["per_class"]["a"] == pytest.approx({"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2})
    assert found["per_class"]["b"] == pytest.approx({"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2})
    assert found["per_class"]["c"] == pytest.approx({"precision": 1, "recall": 1, "f1": 1, "support": 1})
    assert found["macro_f1"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    # Lower bin (0, 0.5]: row 3, confidence .5, wrong. Upper bin: .8 .6 .7 .9, three of four right.
    assert found["ece"] == pytest.approx(1 / 5 * 0.5 + 4 / 5 * abs(0.75 - 0.75), abs=1e-7)
    assert found["nll"] == pytest.approx(-sum(math.log(p) for p in (0.8, 0.3, 0.7, 0.1, 0.9)) / 5, rel=1e-6)
    assert found["in_scope_accuracy"] == pytest.approx(2 / 5)  # row 2 is right at .7, but rejected
    assert found["oos_recall"] == pytest.approx(1 / 2)
    # Of the 10 pairs the out-of-scope row scores lower in 5 (.4) and in 1 (.85 < .9).
    assert found["oos_auroc"] == pytest.approx(6 / 10)
    assert found["fpr95"] == pytest.approx(1 / 2)  # 95 % of five rows are all five: accepted from .5 on


def test_out_of_scope_figures_stand_only_where_there_are_such_rows_and_a_threshold():
    inside = classification_metrics(WORKED[:5], TARGETS[:5], ["a", "b", "c"], threshold=0.5)
    without_threshold = classification_metrics(WORKED, TARGETS, ["a", "b", "c"])
    assert {"in_scope_accuracy", "oos_recall", "oos_auroc", "fpr95"}.isdisjoint(inside)
    assert {"oos_auroc", "fpr95"} <= set(without_threshold)
    assert {"in_scope_accuracy", "oos_recall"}.isdisjoint(without_threshold)


def test_a_score_equal_to_the_threshold_is_accepted():
    found = classification_metrics(np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([0, -1]), ["a", "b"], threshold=0.75)
    assert (found["in_scope_accuracy"], found["oos_recall"]) == (1.0, 0.0)


def test_a_class_without_support_and_predictions_does_not_weigh_in_macro_f1():
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    found = classification_metrics(probabilities, np.array([0, 1]), ["a", "b", "never"])
    assert found["macro_f1"] == 1.0
    assert found["per_class"]["never"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}


def test_a_class_that_is_predicted_but_has_no_support_counts_as_zero():
    found = classification_metrics(np.array([[0.9, 0.1, 0.0], [0.2, 0.1, 0.7]]), np.array([0, 0]), ["a", "b", "c"])
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_a_probability_of_zero_at_the_target_gives_a_finite_likelihood():
    found = classification_metrics(np.array([[1.0, 0.0]]), np.array([1]), ["a", "b"])
    assert found["nll"] == pytest.approx(-math.log(1e-12))


@pytest.mark.parametrize("seed", range(25))
def test_random_inputs_agree_with_the_definitions_written_out(seed):
    rng = np.random.default_rng(seed)
    n, classes, bins = int(rng.integers(2, 60)), int(rng.integers(2, 7)), int(rng.integers(1, 20))
    # Rounded logits make ties between rows, which the rank measures have to share out.
    logits = rng.integers(-2, 3, (n, classes)) * rng.choice([0.5, 2.0])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = rng.integers(-1, classes, n)
    targets[0], targets[1] = 0, -1
    threshold = float(rng.uniform(0, 1))
    found = classification_metrics(probabilities, targets, [f"c{i}" for i in range(classes)], threshold=threshold, bins=bins)
    assert {key: found[key] for key in slow_metrics(probabilities, targets, classes, threshold, bins)} == pytest.approx(
        slow_metrics(probabilities, targets, classes, threshold, bins), abs=1e-12
    )


def slow_metrics(probabilities, targets, classes, threshold, bins):
    inside = [(list(p), t) for p, t in zip(probabilities, targets, strict=True) if t >= 0]
    scores_out = [max(p) for p, t in zip(probabilities, targets, strict=True) if t < 0]
    scores_in = [max(p) for p, _ in inside]
    guesses = [p.index(max(p)) for p, _ in inside]
    truth = [t for _, t in inside]
    f1 = []
    for c in range(classes):
        hits = sum(g == c and t == c for g, t in zip(guesses, truth, strict=True))
        if c in guesses or c in truth:
            precision = hits / guesses.count(c) if c in guesses else 0
            recall = hits / truth.count(c) if c in truth else 0
            f1.append(2 * precision * recall / (precision + recall) if hits else 0)
    ece = 0
    for b in range(bins):
        members = [i for i, s in enumerate(scores_in) if np.linspace(0, 1, bins + 1)[b] < s <= np.linspace(0, 1, bins + 1)[b + 1]]
        if members:
            accuracy = sum(guesses[i] == truth[i] for i in members) / len(members)
            ece += len(members) / len(truth) * abs(accuracy - sum(scores_in[i] for i in members) / len(members))
    accepting = [t for t in scores_in if sum(s >= t for s in scores_in) * 100 >= 95 * len(scores_in)]
    return {
        "accuracy": sum(g == t for g, t in zip(guesses, truth, strict=True)) / len(truth),
        "macro_f1": sum(f1) / len(f1),
        "ece": ece,
        "nll": sum(-math.log(p[t]) for p, t in inside) / len(inside),
        "in_scope_accuracy": sum(g == t and s >= threshold for g, t, s in zip(guesses, truth, scores_in, strict=True)) / len(truth),
        "oos_recall": sum(s < threshold for s in scores_out) / len(scores_out),
        "oos_auroc": sum((o < i) + (o == i) / 2 for o in scores_out for i in scores_in) / len(scores_out) / len(scores_in),
        "fpr95": sum(s >= max(accepting) for s in scores_out) / len(scores_out),
    }


def test_auroc_is_half_when_all_scores_are_equal_and_one_when_they_are_parted():
    assert auroc(np.ones(3), np.ones(5)) == 0.5
    assert auroc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1.0


def test_fpr95_takes_the_highest_threshold_that_accepts_95_per_cent():
    in_scope = np.arange(1, 101) / 100  # accepted from .06 on: 95 rows
    assert false_positive_rate_at_95(in_scope, np.array([0.05, 0.06, 0.5, 0.01])) == 0.5


def test_the_wilson_interval_equals_published_values_and_stays_inside_0_to_1():
    # Newcombe 1998, table I, method 3: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(7, 7)[1] == 1.0


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (1, 1), (0, 1), (6, 0), (2, 9), (9, 2), (40, 61), (300, 400)])
def test_the_paired_test_is_the_two_sided_binomial_one_on_the_rows_that_only_one_gets_right(won, lost):
    right = np.array([True] * won + [False] * lost + [True] * 5 + [False] * 3)
    reference = np.array([False] * won + [True] * lost + [True] * 5 + [False] * 3)
    rows = won + lost
    chances = [
        math.exp(math.lgamma(rows + 1) - math.lgamma(k + 1) - math.lgamma(rows - k + 1) - rows * math.log(2)) for k in range(rows + 1)
    ]
    as_uneven = sum(chance for k, chance in enumerate(chances) if abs(2 * k - rows) >= abs(won - lost))
    found = paired_test(right, reference)
    assert (found["won"], found["lost"]) == (won, lost)
    assert found["p_value"] == pytest.approx(as_uneven, rel=1e-6)


def test_a_test_set_without_a_row_in_scope_is_refused():
    with pytest.raises(InputError, match="no row is in scope"):
        classification_metrics(np.full((2, 2), 0.5), np.array([-1, -1]), ["a", "b"])


def test_a_model_that_gives_nan_is_named_as_broken():
    with pytest.raises(TfarchError, match="not finite for 1 of 2 texts"):
        classification_metrics(np.array([[0.5, 0.5], [np.nan, 0.5]]), np.array([0, 1]), ["a", "b"])


@pytest.mark.parametrize(("targets", "labels"), [([0, 1, 0], "ab"), ([0, 2], "ab"), ([0, 1], "abc"), ([0.0, 1.0], "ab")])
def test_shapes_and_targets_that_do_not_fit_are_refused(targets, labels):
    with pytest.raises(ValueError, match="expected"):
        classification_metrics(np.full((2, 2), 0.5), np.array(targets), list(labels))
