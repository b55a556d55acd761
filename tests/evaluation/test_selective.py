"""The risk-coverage curve against counting."""

import numpy as np
import pytest

from tfarch.evaluation.selective import risk_coverage


def test_the_surest_are_answered_first():
    curve = risk_coverage(np.array([0.5, 0.9, 0.7, 0.6]), np.array([False, True, False, True]))
    assert curve["coverage"] == [0.25, 0.5, 0.75, 1.0]
    assert curve["risk"] == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])
    assert curve["area"] == pytest.approx(np.mean([0, 1 / 2, 1 / 3, 2 / 4]))


def test_texts_of_the_same_score_are_answered_together():
    curve = risk_coverage(np.array([0.9, 0.5, 0.5]), np.array([True, False, True]))
    assert curve["coverage"] == pytest.approx([1 / 3, 1])
    assert curve["risk"] == pytest.approx([0, 1 / 3])
    assert curve["area"] == pytest.approx((0 + 1 / 3 + 1 / 3) / 3)


def test_the_order_of_the_rows_is_nothing_to_the_curve():
    rng = np.random.default_rng(0)
    scores, right = rng.integers(0, 20, 200) / 20, rng.random(200) < 0.8
    order = rng.permutation(200)
    assert risk_coverage(scores, right) == risk_coverage(scores[order], right[order])


def test_a_long_curve_is_thinned_and_ends_with_all_texts_answered():
    rng = np.random.default_rng(0)
    right = rng.random(5000) < 0.8
    curve = risk_coverage(rng.random(5000), right)
    assert len(curve["coverage"]) == len(curve["risk"]) == 101
    assert curve["coverage"][-1] == 1
    assert curve["risk"][-1] == pytest.approx(1 - right.mean())


def test_a_score_that_knows_has_less_area_than_one_that_guesses():
    rng = np.random.default_rng(0)
    right = rng.random(1000) < 0.7
    assert risk_coverage(right + rng.random(1000), right)["area"] < risk_coverage(rng.random(1000), right)["area"] - 0.1
