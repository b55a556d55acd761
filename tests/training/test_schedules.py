"""The learning rate rises to its peak, then decays towards zero, at every step of a training of any length."""

import math

import pytest

from tfarch.errors import InputError
from tfarch.training.schedules import learning_rate


def rates(steps=10, *, peak=1.0, warmup=0.0, decay="linear"):
    rate = learning_rate(peak, steps, warmup=warmup, decay=decay)
    return [rate(step) for step in range(steps)]


def test_the_rate_rises_in_equal_parts_and_reaches_its_peak():
    assert rates(20, peak=8.0, warmup=0.2)[:5] == pytest.approx([2.0, 4.0, 6.0, 8.0, 8.0])


def test_the_first_step_already_learns():
    assert rates(1000, warmup=0.5)[0] > 0


def test_linear_decay_falls_in_equal_parts_and_ends_one_part_over_zero():
    assert rates(5) == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_cosine_decay_is_half_a_wave():
    assert rates(6, decay="cosine") == pytest.approx([(1 + math.cos(math.pi * step / 6)) / 2 for step in range(6)])


def test_a_constant_rate_stays_at_its_peak_after_the_warm_up():
    assert rates(4, peak=3.0, warmup=0.5, decay="constant") == [1.5, 3.0, 3.0, 3.0]


def test_the_decay_takes_the_steps_after_the_warm_up():
    assert rates(10, warmup=0.5)[5:] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_a_step_beyond_the_last_has_a_rate_of_zero(decay):
    rate = learning_rate(1.0, 10, warmup=0.1, decay=decay)
    assert [rate(10), rate(1000)] == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize("decay", ["linear", "cosine", "constant"])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 100])
def test_every_step_of_every_training_learns_at_most_at_the_peak(steps, warmup, decay):
    found = rates(steps, peak=0.5, warmup=warmup, decay=decay)
    assert all(0 < rate <= 0.5 for rate in found)
    assert max(found) == 0.5


def test_an_unknown_decay_lists_the_known_ones():
    with pytest.raises(InputError, match="unknown schedule 'step'; known: constant, cosine, linear"):
        learning_rate(1.0, 10, warmup=0.1, decay="step")
