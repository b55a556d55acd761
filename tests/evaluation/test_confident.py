"""Confident learning against an example worked by hand."""

import numpy as np
import pytest

from tfarch.evaluation.confident import NOBODY, confident_joint, confident_labels, noise_interval, noise_rate, thresholds

# Thresholds: class 0 (0.9 + 0.7 + 0.2) / 3 = 0.6; class 1 (0.8 + 0.1 + 0.6) / 3 = 0.5.
PROBABILITIES = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8], [0.9, 0.1], [0.4, 0.6]])
GIVEN = np.array([0, 0, 0, 1, 1, 1])


def test_a_threshold_is_the_mean_probability_of_the_class_over_its_own_rows():
    np.testing.assert_allclose(thresholds(PROBABILITIES, GIVEN), [0.6, 0.5])


def test_the_joint_counts_rows_by_given_and_confident_label():
    np.testing.assert_array_equal(confident_joint(PROBABILITIES, GIVEN), [[2, 1], [1, 2]])


def test_of_two_classes_that_reach_their_threshold_the_more_probable_counts():
    np.testing.assert_array_equal(confident_labels(np.array([[0.4, 0.35, 0.25]]), np.array([0.3, 0.2, 0.1])), [0])


def test_a_row_that_no_class_is_sure_of_is_not_counted():
    np.testing.assert_array_equal(confident_labels(np.array([[0.5, 0.5], [0.1, 0.9]]), np.array([0.6, 0.6])), [NOBODY, 1])


def test_a_class_without_a_row_is_never_counted():
    bounds = thresholds(np.array([[0.1, 0.9], [0.2, 0.8]]), np.array([0, 0]))
    assert bounds[1] == np.inf


def test_the_rate_is_what_stands_off_the_diagonal_each_row_scaled_to_the_rows_with_its_label():
    # Class 0, half of the rows: a third is wrong. Class 1: 2 of 8 counted ones.
    assert noise_rate(np.array([[2, 1], [2, 6]]), np.array([0] * 10 + [1] * 10)) == pytest.approx(0.5 / 3 + 0.5 / 4)


def test_a_class_of_which_no_row_is_sure_is_taken_to_be_right():
    assert noise_rate(np.array([[0, 0], [0, 5]]), np.array([0, 0, 1, 1, 1])) == 0.0


def test_the_interval_holds_the_rate_and_the_share_that_was_planted():
    random = np.random.default_rng(0)
    truth = random.integers(0, 4, 4_000)
    given = np.where(random.random(4_000) < 0.08, (truth + 1) % 4, truth)
    probabilities = np.full((4_000, 4), 0.02)
    probabilities[np.arange(4_000), truth] = 0.94
    low, high = noise_interval(probabilities, given, seed=0)
    planted = (given != truth).mean()
    assert noise_rate(confident_joint(probabilities, given), given) == pytest.approx(planted)
    assert low < planted < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(planted * (1 - planted) / 4_000), rel=0.3)
