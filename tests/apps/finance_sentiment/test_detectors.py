"""Detectors do what the literature says of them: run lengths are as published and as Markov chains give them; states are plain numbers."""

import json
import math

import numpy as np
import pytest

from apps.finance_sentiment.detection import (
    DETECTORS,
    Cusum,
    Ewma,
    NegativeBinomialCusum,
    PageHinkley,
    PoissonCusum,
    Ratio,
    advance,
    alarms,
    detector_from_dict,
    make_detector,
)
from apps.finance_sentiment.detection.detector import Detector, detector
from tfarch.errors import InputError

STANDARD_ERRORS = 4.0  # of a simulated mean run length, within which it has to lie: one in 16,000 fails by chance


def run_lengths(watched, threshold, draw, mean=1.0, size=math.inf, runs=4000):
    """How many buckets each of `runs` fresh detectors takes to exceed the threshold, where `draw(n)` gives counts `[n]` or `[n, sides]`."""
    left, lengths = np.arange(runs), np.zeros(runs)
    state = watched.start(draw(runs).shape)
    while len(left):
        state, statistic = watched.step(state, draw(len(left)), mean, size)
        lengths[left] += 1
        on = ~(statistic > threshold).reshape(len(left), -1).any(axis=1)
        left, state = left[on], state[on]
    return lengths


def assert_mean_is(lengths, expected, rounding=0.0):
    error = lengths.std(ddof=1) / math.sqrt(len(lengths))
    assert abs(lengths.mean() - expected) < STANDARD_ERRORS * error + rounding


def normal(shift, sides=(1.0,), seed=1):
    """Counts that mean 1 and infinite size standardise to N(shift, 1); mirrored for a side of -1."""
    rng = np.random.default_rng(seed)
    return lambda n: 1.0 + (shift + rng.standard_normal((n, 1))) * np.asarray(sides)


# Montgomery, Introduction to Statistical Quality Control, tabular CUSUM with k = 1/2: the two-sided run lengths, and in control twice as
# many on one side.
@pytest.mark.parametrize(
    ("threshold", "shift", "sides", "published"),
    [
        (4.0, 0.0, (1.0,), 335),
        (4.0, 0.0, (1.0, -1.0), 168),
        (4.0, 1.0, (1.0, -1.0), 8.38),
        (5.0, 0.0, (1.0,), 930),
        (5.0, 0.0, (1.0, -1.0), 465),
        (5.0, 1.0, (1.0, -1.0), 10.4),
    ],
)
def test_the_tabular_cusum_has_its_published_run_lengths(threshold, shift, sides, published):
    assert_mean_is(run_lengths(Cusum(0.5), threshold, normal(shift, sides)), published, rounding=0.05 if shift else 1.0)


@pytest.mark.parametrize(
    ("smoothing", "threshold", "shift", "published"),
    [(0.1, 2.814, 0.0, 500), (0.1, 2.814, 1.0, 10.3), (0.4, 3.054, 0.0, 500), (0.4, 3.054, 1.0, 14.3)],
)
def test_the_two_sided_ewma_has_the_run_lengths_of_lucas_and_saccucci(smoothing, threshold, shift, published):
    assert_mean_is(run_lengths(Ewma(smoothing, two_sided=True), threshold, normal(shift)), published, rounding=0.05)


def chain_run_length(probability, up, down, highest):
    """Mean run length, by a Markov chain (Brook and Evans 1972), of S = max(0, S + up c - down) from 0 until S > highest."""
    stays = np.zeros((highest + 1, highest + 1))
    for before in range(highest + 1):
        for count, chance in enumerate(probability):
            after = max(0, before + up * count - down)
            if after <= highest:
                stays[before, after] += chance
    return np.linalg.solve(np.eye(highest + 1) - stays, np.ones(highest + 1))[0]


def negative_binomial(mean, size, most=400):
    """Probabilities of 0 to `most` - 1."""
    count = np.arange(most)
    if math.isinf(size):
        return np.exp(count * math.log(mean) - mean - np.array([math.lgamma(c + 1) for c in count]))
    gammas = np.array([math.lgamma(c + size) - math.lgamma(size) - math.lgamma(c + 1) for c in count])
    return np.exp(gammas + size * math.log(size / (size + mean)) + count * math.log(mean / (size + mean)))


def increments(watched, mean, size):
    """What a count of 0 and each further item add to the statistic, as the detector itself has it from a state that is high enough."""
    high = np.full((2, 1), 100.0)
    _, statistic = watched.step(high, np.array([0, 1]), mean, size)
    return statistic[0] - 100.0, statistic[1] - statistic[0]


def mean_on_a_lattice(watched, size, reference):
    """The mean at which the CUSUM's reference value is `reference` items, by bisection, so that its sums are multiples of a number."""
    low, high = 1e-3, 100.0
    for _ in range(100):
        middle = (low + high) / 2
        fall, rise = increments(watched, middle, size)
        low, high = (middle, high) if -fall / rise < reference else (low, middle)
    return middle


@pytest.mark.parametrize("rise", [1.0, 2.0])
@pytest.mark.parametrize(("up", "down", "highest"), [(1, 1, 5), (2, 1, 9), (1, 2, 6), (3, 4, 20)])
def test_the_poisson_cusum_has_the_run_length_of_its_markov_chain(up, down, highest, rise):
    watched = PoissonCusum(2.0)
    mean, unit = (down / up) * math.log(2.0), math.log(2.0) / up  # Lucas: reference value (q - 1) m / log q
    exact = chain_run_length(negative_binomial(rise * mean, math.inf), up, down, highest)
    rng = np.random.default_rng(2)
    assert_mean_is(run_lengths(watched, (highest + 0.5) * unit, lambda n: rng.poisson(rise * mean, n), mean), exact)


@pytest.mark.parametrize("rise", [1.0, 2.0])
@pytest.mark.parametrize(("size", "up", "down", "highest"), [(0.7, 1, 1, 8), (0.7, 2, 1, 12), (3.0, 1, 2, 9)])
def test_the_negative_binomial_cusum_has_the_run_length_of_its_markov_chain(size, up, down, highest, rise):
    watched = NegativeBinomialCusum(2.0)
    mean = mean_on_a_lattice(watched, size, down / up)
    unit = increments(watched, mean, size)[1] / up
    exact = chain_run_length(negative_binomial(rise * mean, size), up, down, highest)
    rng = np.random.default_rng(3)
    counts = lambda n: rng.negative_binomial(size, size / (size + rise * mean), n)  # noqa: E731
    assert_mean_is(run_lengths(watched, (highest + 0.5) * unit, counts, mean, size), exact)


def test_the_negative_binomial_cusum_adds_the_logarithm_of_the_ratio_of_probabilities():
    mean, size, ratio = 0.8, 1.3, 2.5
    state, _ = np.full((20, 1), 100.0), None
    _, statistic = NegativeBinomialCusum(ratio).step(state, np.arange(20), mean, size)
    expected = np.log(negative_binomial(ratio * mean, size, 20) / negative_binomial(mean, size, 20))
    np.testing.assert_allclose(statistic - 100.0, expected, atol=1e-10)


def test_the_negative_binomial_cusum_becomes_the_poisson_cusum_as_size_grows():
    rng = np.random.default_rng(4)
    counts, mean = rng.poisson(1.0, (200, 30)), rng.uniform(0.1, 3.0, (200, 30))
    poisson, _ = alarms(PoissonCusum(), counts, mean, math.inf, math.inf)
    for size, close in ((1e9, 1e-6), (math.inf, 1e-8)):
        statistic, _ = alarms(NegativeBinomialCusum(), counts, mean, size, math.inf)
        np.testing.assert_allclose(statistic, poisson, atol=close)
    assert np.abs(alarms(NegativeBinomialCusum(), counts, mean, 1.0, math.inf)[0] - poisson).max() > 1.0


def test_page_hinkley_is_the_sum_above_the_running_mean_less_its_minimum():
    rng = np.random.default_rng(5)
    counts = rng.poisson(0.7, 500)
    residual = (counts - 0.7) / math.sqrt(0.7)
    above = np.cumsum(residual - np.cumsum(residual) / np.arange(1, 501) - 0.1)
    expected = above - np.minimum(np.minimum.accumulate(above), 0.0)
    statistic, _ = alarms(PageHinkley(0.1), counts, np.full(500, 0.7), math.inf, math.inf)
    np.testing.assert_allclose(statistic, expected, atol=1e-9)


def test_page_hinkley_forgives_a_baseline_that_is_wrong_all_along_where_cusum_does_not():
    counts = np.random.default_rng(6).poisson(1.5, 2000)
    believed = np.ones(2000)
    assert alarms(PageHinkley(0.5), counts, believed, math.inf, math.inf)[0].max() < 25
    assert alarms(Cusum(0.25), counts, believed, math.inf, math.inf)[0].max() > 300


def test_the_ratio_is_of_counts_and_means_over_the_window():
    rng = np.random.default_rng(7)
    counts, mean = rng.poisson(2.0, (60, 4)), rng.uniform(0.1, 3.0, (60, 4))
    statistic, _ = alarms(Ratio(window=5, constant=0.5), counts, mean, math.inf, math.inf)
    for bucket in range(60):
        last = slice(max(0, bucket - 4), bucket + 1)
        np.testing.assert_allclose(statistic[bucket], (counts[last].sum(axis=0) + 0.5) / (mean[last].sum(axis=0) + 0.5))


def test_one_item_where_next_to_nothing_was_expected_is_not_twenty_times_the_usual():
    statistic, _ = alarms(Ratio(), np.array([0, 1]), np.array([0.025, 0.025]), math.inf, math.inf)
    assert statistic[-1] == pytest.approx(2 / 1.05)


def test_the_one_sided_ewma_need_not_make_up_for_a_quiet_night_first():
    counts, mean = np.concatenate([np.zeros(12), np.full(6, 3.0)]), np.ones(18)
    one, _ = alarms(Ewma(), counts, mean, math.inf, math.inf)
    two, _ = alarms(Ewma(two_sided=True), counts, mean, math.inf, math.inf)
    assert one[11] == 0.0
    assert two[11] > 1.0
    assert one[-1] > two[-1] + 1.0


@pytest.fixture(params=sorted(DETECTORS))
def each(request):
    return make_detector(request.param)


def test_all_start_at_nothing_and_rise_with_evidence(each):
    rng = np.random.default_rng(8)
    state, mean, size = each.start((300,)), rng.uniform(0.05, 3.0, 300), rng.choice([0.5, 5.0, math.inf], 300)
    for _ in range(50):
        state, _ = each.step(state, rng.poisson(mean), mean, size)
    statistics = np.array([each.step(state, np.full(300, count), mean, size)[1] for count in range(12)])
    assert (np.diff(statistics, axis=0) >= 0).all()
    assert (statistics[-1] > statistics[0]).all()
    assert (statistics >= 0).all()


def test_streams_of_any_shape_go_their_own_ways(each):
    rng = np.random.default_rng(9)
    counts, mean, size = rng.poisson(1.0, (40, 2, 3)), rng.uniform(0.2, 2.0, (40, 2, 3)), rng.uniform(0.5, 5.0, (2, 3))
    together, raised = alarms(each, counts, mean, size, 2.0)
    assert raised.any()
    for place in np.ndindex(2, 3):
        alone, raised_alone = alarms(each, counts[:, *place], mean[:, *place], size[place], 2.0)
        np.testing.assert_allclose(alone, together[:, *place], atol=1e-12)
        assert (raised_alone == raised[:, *place]).all()


def test_a_state_goes_through_json_and_on_as_if_nothing_had_been(each):
    rng = np.random.default_rng(10)
    state = each.start((4, 2))
    for _ in range(30):
        state, _ = each.step(state, rng.poisson(1.0, (4, 2)), 1.0, 2.0)
    stored = np.array(json.loads(json.dumps(state.tolist())))
    assert stored.dtype == np.float64
    for one, other in zip(each.step(state, 1, 1.0, 2.0), each.step(stored, 1, 1.0, 2.0), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_step_leaves_what_it_was_given_and_shares_nothing_of_what_it_gives(each):
    state = each.step(each.start((5,)), np.arange(5), 1.0, 2.0)[0]
    before = state.copy()
    after, statistic = each.step(state, np.full(5, 3), 1.0, 2.0)
    np.testing.assert_array_equal(state, before)
    assert not any(np.shares_memory(*pair) for pair in ((state, after), (state, statistic), (after, statistic)))


def test_settings_go_through_json(each):
    assert detector_from_dict(json.loads(json.dumps(each.as_dict()))) == each
    assert detector_from_dict({"name": "cusum", "reference": 0.25}) == Cusum(0.25)


def test_after_an_alarm_a_detector_starts_anew():
    counts = np.full(12, 3)  # each is 2 standard deviations above the mean of 1, less the reference 0.5
    statistic, raised = alarms(Cusum(0.5), counts, np.ones(12), math.inf, 4.0)
    np.testing.assert_allclose(statistic, [1.5, 3.0, 4.5] * 4)
    np.testing.assert_array_equal(np.flatnonzero(raised), [2, 5, 8, 11])


def test_a_statistic_at_the_threshold_is_no_alarm():
    _, raised = alarms(Cusum(0.5), np.full(3, 3), np.ones(3), math.inf, 4.5)
    assert not raised.any()


def test_in_a_cooldown_a_detector_stays_at_its_start():
    _, raised = alarms(Cusum(0.5), np.full(14, 3), np.ones(14), math.inf, 4.0, cooldown_buckets=2)
    np.testing.assert_array_equal(np.flatnonzero(raised), [2, 7, 12])


def test_a_stream_is_advanced_one_bucket_at_a_time_as_all_at_once():
    rng = np.random.default_rng(11)
    counts, watched = rng.poisson(1.0, (100, 3)), Cusum(0.3)
    statistics, raised = alarms(watched, counts, np.ones((100, 1)), math.inf, 3.0, cooldown_buckets=4)
    state, rest = watched.start((3,)), np.zeros(3, int)
    for bucket in range(100):
        state, rest, statistic, alarm = advance(watched, state, rest, counts[bucket], 1.0, math.inf, 3.0, 4)
        np.testing.assert_array_equal(statistic, statistics[bucket])
        np.testing.assert_array_equal(alarm, raised[bucket])
        assert (state[alarm] == 0).all()


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="two detectors are named 'cusum'"):
        detector("cusum")(type("Second", (Detector,), {}))
    assert DETECTORS["cusum"] is Cusum


def test_an_unknown_detector_or_setting_lists_what_is_known():
    with pytest.raises(
        InputError, match="unknown detector 'shewhart'; known: cusum, ewma, negative_binomial_cusum, page_hinkley, poisson_cusum, ratio"
    ):
        make_detector("shewhart")
    with pytest.raises(InputError, match="unknown setting of ewma 'lambda'; known: smoothing, two_sided"):
        make_detector("ewma", **{"lambda": 0.2})
    with pytest.raises(InputError, match="no name"):
        detector_from_dict({"reference": 0.5})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("cusum", {"reference": 0.0}),
        ("cusum", {"reference": "0.5"}),
        ("ewma", {"smoothing": 1.5}),
        ("cusum", {"reference": math.inf}),
        ("poisson_cusum", {"ratio": 1.0}),
        ("negative_binomial_cusum", {"ratio": math.nan}),
        ("page_hinkley", {"drift": -0.1}),
        ("ratio", {"window": 0}),
        ("ratio", {"window": 1.5}),
        ("ratio", {"window": math.nan}),
        ("ewma", {"two_sided": 0.5}),
        ("ratio", {"constant": 0.0}),
    ],
)
def test_a_setting_that_cannot_be_is_named(name, settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        make_detector(name, **settings)
