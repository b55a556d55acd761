"""Choosing the threshold, against trying every one."""

import json

import numpy as np
import pytest

from tfarch.evaluation.out_of_scope import choose_threshold, in_scope_score


def rows(scores, right=None):
    """Two-class rows with these highest probabilities; `right` says which are predicted right (class 0)."""
    scores = np.asarray(scores, float)
    right = np.ones(len(scores), bool) if right is None else np.asarray(right)
    probabilities = np.where(right[:, None], np.stack([scores, 1 - scores], 1), np.stack([1 - scores, scores], 1))
    return probabilities, np.zeros(len(scores), int)


def test_parted_scores_are_parted_midway():
    found = choose_threshold(*rows([0.9, 0.8]), rows([0.6, 0.55])[0])
    assert found.value == pytest.approx(0.7)
    assert found.chosen_on.startswith("2 validation rows in scope and 2 out of scope")
    assert "(1.000)" in found.chosen_on


def test_a_right_row_is_given_up_only_for_a_larger_share_of_out_of_scope_rows():
    inside, targets = rows([0.6, 0.8, 0.9, 0.95])
    assert choose_threshold(inside, targets, rows([0.7, 0.55])[0]).value == pytest.approx(0.75)  # gives up 1 of 4, gains 1 of 2
    assert choose_threshold(inside, targets, rows([0.7, *[0.55] * 9])[0]).value == pytest.approx(0.575)  # would gain 1 of 10 only


@pytest.mark.parametrize("seed", range(20))
def test_no_threshold_that_accepts_a_row_does_better(seed):
    rng = np.random.default_rng(seed)
    inside, targets = rows(rng.integers(50, 101, 30) / 100, rng.random(30) < 0.8)
    outside = rows(rng.integers(50, 90, int(rng.integers(1, 20))) / 100)[0]

    def mean(threshold):
        right = inside.argmax(1) == targets
        return ((right & (in_scope_score(inside) >= threshold)).mean() + (in_scope_score(outside) < threshold).mean()) / 2

    found = choose_threshold(inside, targets, outside).value
    top = max(in_scope_score(inside).max(), in_scope_score(outside).max())
    assert mean(found) == pytest.approx(max(mean(t) for t in np.append(np.linspace(0, top, 1001), top)))


def test_without_out_of_scope_rows_95_per_cent_of_the_right_rows_are_kept():
    scores = np.linspace(0.51, 0.99, 40)
    right = np.arange(40) % 2 == 0  # 20 right rows: 19 are kept
    found = choose_threshold(*rows(scores, right))
    assert (scores[right] >= found.value).sum() == 19
    assert found.value == scores[right][1]
    assert "95 %" in found.chosen_on


def test_an_empty_out_of_scope_table_is_as_none():
    assert choose_threshold(*rows([0.7, 0.9]), np.empty((0, 2))) == choose_threshold(*rows([0.7, 0.9]))


def test_a_model_that_gets_nothing_right_rejects_nothing():
    assert choose_threshold(*rows([0.7, 0.9], [False, False])).value == 0.0


def test_the_threshold_survives_json_and_float32():
    scores = np.random.default_rng(0).uniform(0.5, 1, 100).astype(np.float32)
    probabilities = np.stack([scores, 1 - scores], 1)
    found = choose_threshold(probabilities, np.zeros(100, int))
    read = json.loads(json.dumps(found.as_dict()))
    assert read["method"] == "max_probability"
    assert (probabilities.max(1) >= read["threshold"]).sum() == 95


def test_rows_out_of_scope_among_those_in_scope_are_refused():
    with pytest.raises(ValueError, match="targets from 0"):
        choose_threshold(np.full((2, 2), 0.5), np.array([0, -1]))
