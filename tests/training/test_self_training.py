"""Texts without labels teach a probe what the few labelled rows do not show."""

import numpy as np

from tfarch.training.probe import fit_probe
from tfarch.training.self_training import self_trained_probe, surest


def test_of_each_class_the_surest_are_taken_and_no_more_than_its_share():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3], [0.45, 0.55], [0.99, 0.01]])
    taken, guesses = surest(probabilities, share=2 / 3)  # of 6 texts and 2 classes: 2 a class
    assert taken.tolist() == [0, 4, 5]  # a class that one text falls to gives one
    assert guesses.tolist() == [0, 1, 0]


def test_a_share_that_rounds_to_nothing_still_takes_one_of_each_class():
    assert surest(np.array([[0.9, 0.1], [0.2, 0.8]]), share=0.01)[0].tolist() == [0, 1]


def test_a_row_that_counts_twice_is_as_good_as_two_rows():
    random = np.random.default_rng(0)
    features, targets = random.normal(size=(40, 5)).astype(np.float32), random.integers(0, 3, 40)
    spread = np.concatenate([features, -features])  # so that repeating all of them changes neither centre nor scale
    twice = fit_probe(np.concatenate([spread, spread[:20]]), np.concatenate([targets, targets, targets[:20]]), 3, steps=2000)
    counted = fit_probe(spread, np.concatenate([targets, targets]), 3, counts=np.r_[np.full(20, 2.0), np.ones(60)], steps=2000)
    answers = [spread @ kernel + bias for kernel, bias in (twice, counted)]
    assert np.allclose(*answers, atol=0.05)


def test_what_the_clouds_of_unlabelled_points_show_mends_a_probe_of_two_unlucky_rows():
    random = np.random.default_rng(1)
    centres = np.array([[-3.0, 0.0], [3.0, 0.0]])
    true = random.integers(0, 2, 400)
    points = (centres[true] + random.normal(size=(400, 2))).astype(np.float32)
    labelled, targets = np.array([[-1.5, -3.0], [1.5, 3.0]], np.float32), np.array([0, 1])  # the line between them is far from upright

    def accuracy(kernel, bias):
        return ((points @ kernel + bias).argmax(1) == true).mean()

    plain = accuracy(*fit_probe(labelled, targets, 2))
    taught = accuracy(*self_trained_probe(labelled, targets, np.full(2, 2.0, np.float32), points, 2))
    assert plain < 0.97
    assert taught > 0.99
