"""The share of wrong labels, from scores of which it is known how they came about."""

import numpy as np
import pytest

from tfarch.evaluation.rehearsal import LEAST, plant, scattered_rate


def scores(rows, share, seed=0):
    """Probabilities of given labels, a share of them wrong: those near 0, the others spread out."""
    random = np.random.default_rng(seed)
    wrong = random.random(rows) < share
    return np.where(wrong, random.beta(1, 20, rows), random.beta(5, 2, rows)), wrong.mean()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1])
def test_the_share_is_found(share):
    own, truth = scores(5_000, share)
    assert scattered_rate(own, np.random.default_rng(1).beta(1, 20, 250)) == pytest.approx(truth, abs=0.01)


def test_scores_that_say_nothing_bound_nothing():
    assert scattered_rate(np.linspace(0, 1, 101), np.linspace(0, 1, 101)) == pytest.approx(1.0, abs=0.02)


def test_every_planted_row_has_another_label_and_no_other_row():
    given = np.arange(2_000) % 7
    planted, rows = plant(given, 7, seed=0)
    assert len(rows) == 100
    np.testing.assert_array_equal(np.flatnonzero(planted != given), rows)
    assert set(planted) <= set(range(7))


def test_few_rows_get_enough_and_not_too_many():
    assert len(plant(np.zeros(300, int), 2, seed=0)[1]) == LEAST
    assert len(plant(np.zeros(40, int), 2, seed=0)[1]) == 10


def test_the_seed_plants():
    first, again, other = (plant(np.zeros(900, int), 5, seed)[0].tolist() for seed in (0, 0, 1))
    assert first == again != other
