"""Who judges a row has not seen its label."""

import numpy as np
import pytest

from tfarch.evaluation.out_of_fold import neighbour_shares, out_of_fold, stratified_folds
from tfarch.training.probe import fit_probe


def test_each_class_is_dealt_out_evenly():
    targets = np.repeat([0, 1, 2], [50, 23, 7])
    folds = stratified_folds(targets, np.arange(80), 5, seed=0)
    for number in range(3):
        counts = np.bincount(folds[targets == number], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert np.ptp(np.bincount(folds)) <= 1


def test_rows_that_say_the_same_are_never_parted():
    groups = np.random.default_rng(0).integers(0, 30, 100)
    folds = stratified_folds(np.random.default_rng(1).integers(0, 4, 100), groups, 5, seed=0)
    assert all(len(set(folds[groups == group])) == 1 for group in groups)


def test_the_seed_deals():
    deal = [stratified_folds(np.zeros(40, int), np.arange(40), 5, seed).tolist() for seed in (0, 0, 1)]
    assert deal[0] == deal[1] != deal[2]


def test_a_head_that_remembers_every_row_knows_nothing_of_labels_drawn_by_chance():
    random = np.random.default_rng(0)
    vectors, targets = random.normal(size=(300, 400)).astype(np.float32), random.integers(0, 3, 300)
    kernel, bias = fit_probe(vectors, targets, 3, l2=1e-6)
    assert ((vectors @ kernel + bias).argmax(axis=1) == targets).mean() == 1.0  # it does remember: more directions than rows
    said = out_of_fold(vectors, targets, 3, stratified_folds(targets, np.arange(300), 5, seed=0), lambda *each: fit_probe(*each, l2=1e-6))
    assert (said.argmax(axis=1) == targets).mean() == pytest.approx(1 / 3, abs=0.08)


def test_probabilities_come_out_in_the_order_of_the_rows():
    targets = np.array([0, 1] * 20)
    vectors = np.eye(2, dtype=np.float32)[targets] * 8
    said = out_of_fold(vectors, targets, 2, stratified_folds(targets, np.arange(40), 4, seed=0), fit_probe)
    np.testing.assert_array_equal(said.argmax(axis=1), targets)
    np.testing.assert_allclose(said.sum(axis=1), 1.0)


def test_neighbours_are_the_nearest_by_cosine_and_not_the_row_itself():
    vectors = np.array([[1, 0], [5, 0.1], [2, 0.1], [0, 1], [0.1, 3], [0.1, 1]], np.float32)
    shares = neighbour_shares(vectors, np.array([0, 1, 1, 2, 2, 0]), 3, np.arange(6), 2)
    np.testing.assert_allclose(shares[0], [0, 1, 0])
    np.testing.assert_allclose(shares[3], [0.5, 0, 0.5])


def test_a_row_that_says_the_same_is_no_neighbour():
    vectors = np.array([[1, 0], [1, 0], [1, 0.5], [0, 1]], np.float32)
    np.testing.assert_allclose(neighbour_shares(vectors, np.array([0, 0, 1, 2]), 3, np.array([7, 7, 8, 9]), 1)[0], [0, 1, 0])
