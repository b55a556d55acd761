"""Intervals of a mean over groups of rows."""

import numpy as np
import pytest

from tfarch.evaluation.bootstrap import mean_interval


def test_groups_that_are_alike_leave_no_doubt():
    assert mean_interval(np.array([0.0, 1.0] * 5), np.repeat(np.arange(5), 2)) == (0.5, 0.5)


def test_the_interval_is_that_of_the_normal_distribution_where_there_are_many_groups():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    low, high = mean_interval(values, np.arange(400), draws=4000)
    reach = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=0.1 * reach)


def test_rows_that_stand_or_fall_together_count_as_one():
    each = np.random.default_rng(1).normal(size=50)
    alone = mean_interval(each, np.arange(50))
    tenfold = mean_interval(np.repeat(each, 10), np.repeat(np.arange(50), 10))
    assert tenfold == pytest.approx(alone)


def test_a_group_counts_by_its_rows():
    # Nine rows of 1 in one group and one row of 0 in the other: the draws give 1, 0, or the mean of all rows.
    values, groups = np.array([1.0] * 9 + [0.0]), np.array([4] * 9 + [2])
    assert mean_interval(values, groups) == (0.0, 1.0)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values, groups = np.random.default_rng(2).normal(size=30), np.arange(30)
    assert mean_interval(values, groups, seed=5) == mean_interval(values, groups, seed=5)
    assert mean_interval(values, groups, seed=5) != mean_interval(values, groups, seed=6)
