"""Bursts are the cheapest sequence of states, as trying every sequence finds it, and weigh what they save."""

import itertools
import math

import numpy as np
import pytest

from apps.finance_sentiment.detection import Burst, bursts
from apps.finance_sentiment.detection.kleinberg import cheapest_path
from tfarch.errors import InputError


def sequence_cost(states, negatives, totals, share, scaling, gamma):
    """Of a sequence of states as the paper writes it, the binomial coefficient included."""
    cost, before = 0.0, 0
    for state, r, d in zip(states, negatives, totals, strict=True):
        p = share * scaling**state
        cost += max(state - before, 0) * gamma * math.log(len(states))
        cost -= math.log(math.comb(d, r) * p**r * (1 - p) ** (d - r))
        before = state
    return cost


def states_of(found, length):
    """The sequence of states that nested bursts say."""
    states = [0] * length
    for burst in found:
        for bucket in range(burst.start, burst.end):
            states[bucket] = max(states[bucket], burst.level)
    return states


@pytest.mark.parametrize(
    ("number", "length", "scaling", "gamma"), [(2, 10, 2.0, 1.0), (2, 10, 1.5, 0.3), (3, 8, 1.7, 0.4), (4, 6, 1.3, 0.2)]
)
def test_no_sequence_of_states_costs_less(number, length, scaling, gamma):
    rng = np.random.default_rng(number * length)
    burst_histories = 0
    for _ in range(20):
        totals = rng.integers(0, 12, length)
        negatives = rng.binomial(totals, rng.choice([0.05, 0.2, 0.6], length, p=[0.5, 0.3, 0.2]))
        if not 0 < (share := negatives.sum() / totals.sum()) < 0.95 / scaling ** (number - 1):
            continue
        found = bursts(negatives, totals, scaling=scaling, gamma=gamma, states=number)
        burst_histories += bool(found)
        arguments = (negatives.tolist(), totals.tolist(), share, scaling, gamma)
        least = min(sequence_cost(states, *arguments) for states in itertools.product(range(number), repeat=length))
        assert sequence_cost(states_of(found, length), *arguments) == pytest.approx(least, abs=1e-9)
    assert burst_histories >= 3


def test_the_cheapest_path_is_found_whatever_the_costs():
    rng = np.random.default_rng(1)
    for _ in range(30):
        costs, rise = rng.normal(0, 1, (7, 3)), rng.uniform(0, 1.5)

        def total(path, costs=costs, rise=rise):
            return sum(
                costs[bucket, state] + rise * max(state - before, 0)
                for bucket, (before, state) in enumerate(itertools.pairwise((0, *path)))
            )

        assert total(cheapest_path(costs, rise)) == pytest.approx(min(map(total, itertools.product(range(3), repeat=7))))


def test_a_burst_is_where_bad_news_was_a_larger_part_and_weighs_what_it_saves():
    totals = np.full(60, 10)
    negatives = np.full(60, 2)
    negatives[20:26] = 7
    [found] = bursts(negatives, totals)
    share = negatives.sum() / totals.sum()
    saved = 6 * (7 * math.log(2) + 3 * math.log((1 - 2 * share) / (1 - share)))
    assert (found.level, found.start, found.end) == (1, 20, 26)
    assert found.weight == pytest.approx(saved)


def test_more_items_alone_are_no_burst():
    totals = np.full(60, 10)
    totals[20:26] = 80
    assert bursts(totals // 5, totals) == []


def test_bursts_of_higher_levels_lie_in_those_of_lower_ones():
    totals, negatives = np.full(80, 20), np.full(80, 2)
    negatives[30:50], negatives[38:42] = 6, 16
    found = bursts(negatives, totals, scaling=2.0, states=3)
    assert [(burst.level, burst.start, burst.end) for burst in found] == [(1, 30, 50), (2, 38, 42)]
    assert all(isinstance(burst, Burst) and burst.weight > 0 for burst in found)


def test_a_gap_in_a_burst_is_bridged_where_a_second_rise_would_cost_more():
    totals, negatives = np.full(60, 10), np.full(60, 2)
    negatives[20:30] = 7
    negatives[25], totals[25] = 0, 1
    assert [(burst.start, burst.end) for burst in bursts(negatives, totals)] == [(20, 30)]
    assert [(burst.start, burst.end) for burst in bursts(negatives, totals, gamma=0.0)] == [(20, 25), (26, 30)]


def test_a_history_to_its_ends_and_without_items_in_some_buckets():
    totals, negatives = np.full(50, 10), np.full(50, 1)
    totals[10:20] = negatives[10:20] = 0
    negatives[:3], negatives[47:] = 8, 8
    assert [(burst.start, burst.end) for burst in bursts(negatives, totals)] == [(0, 3), (47, 50)]


def test_where_nothing_was_negative_nothing_burst():
    assert bursts(np.zeros(30), np.full(30, 5)) == []
    assert bursts([], []) == []


def test_settings_that_cannot_be_are_named():
    with pytest.raises(InputError, match=r"60\.0% are negative, and 2 states that scale by 2 go beyond all"):
        bursts(np.full(10, 6), np.full(10, 10))
    for setting in ({"scaling": 1.0}, {"gamma": -1.0}, {"states": 1}):
        with pytest.raises(InputError, match="above 1, 0 or more, and 2 or more"):
            bursts(np.ones(10), np.full(10, 10), **setting)
    with pytest.raises(ValueError, match="between 0 and the totals"):
        bursts(np.full(10, 6), np.full(10, 5))
    with pytest.raises(ValueError, match="one shape"):
        bursts(np.ones(10), np.ones(9))
