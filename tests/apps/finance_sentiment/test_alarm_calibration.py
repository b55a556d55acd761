"""Thresholds keep the false alarms that were asked for, on streams that they have not seen, and it is known what they cost in delay."""

import json
import math

import numpy as np
import pytest

from apps.finance_sentiment.detection import (
    DETECTORS,
    Baseline,
    Calibration,
    Cusum,
    Delays,
    NegativeBinomialCusum,
    PoissonCusum,
    alarms,
    calibrate,
    expected_delays,
    gamma_poisson,
    make_detector,
)
from tfarch.errors import InputError

HOUR = 3600
_HOURS = np.arange(168)
PROFILE = np.exp(0.8 * np.sin(2 * np.pi * (_HOURS - 6) / 24)) * np.where(_HOURS >= 120, 0.4, 1.0)  # nights and weekends are quiet
MEAN = PROFILE[:, None] / PROFILE.mean() * np.array([1.0, 5.0, 13.0]) / 24  # negatives an hour, of 1, 5 and 13 a day
POISSON = np.full(3, math.inf)
CLUMPS = np.array([0.3, 0.5, 0.5])
ASKED = 0.25  # false alarms a day: one in four days, for the tests' speed


def fresh(mean, size, streams, weeks, seed):
    """Counts `[weeks * period, streams, topics]` from numpy's own negative binomial, which the simulation does not use."""
    rng, means = np.random.default_rng(seed), np.tile(mean, (weeks, 1))[:, None, :]
    shape = (len(means), streams, mean.shape[1])
    poisson = rng.poisson(np.broadcast_to(means, shape))
    finite = np.where(np.isinf(size), 1.0, size)
    clumped = rng.negative_binomial(finite, np.broadcast_to(finite / (finite + means), shape))
    return np.where(np.isinf(size), poisson, clumped)


def alarm_rates(watched, threshold, counts, mean, size, cooldown=0, warm_up=14 * 24):
    """Alarms a day `[topics]`, after two weeks of hours."""
    means = np.tile(mean, (len(counts) // len(mean), 1))[:, None, :]
    return alarms(watched, counts, means, size, threshold, cooldown)[1][warm_up:].mean(axis=(0, 1)) * 24


@pytest.fixture(scope="module")
def streams():
    """By size, 250 streams of 14 weeks: 21,000 days after the warm-up, in which 5,250 alarms are asked for: 1.4 % standard error."""
    return {name: fresh(MEAN, size, 250, 14, seed=100) for name, size in (("poisson", POISSON), ("clumps", CLUMPS))}


@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"ratio"}))
@pytest.mark.parametrize(("kind", "size"), [("poisson", POISSON), ("clumps", CLUMPS)])
def test_the_asked_rate_holds_on_fresh_streams_within_a_tenth(name, kind, size, streams):
    watched = make_detector(name)
    found = calibrate(watched, MEAN, size, ASKED, bucket_seconds=HOUR, relative_error=0.02)
    rates = alarm_rates(watched, found.threshold, streams[kind], MEAN, size)
    np.testing.assert_allclose(rates, found.alarms_per_day, rtol=0.1)
    assert (found.alarms_per_day <= ASKED).all()
    assert (found.alarms_per_day > 0.9 * ASKED).all()  # hourly means that differ leave no large steps


def test_the_rate_of_the_ratio_holds_on_fresh_streams_and_may_fall_short_of_the_asked(streams):
    """Its window of a day expects the same every weekday, so that it takes few values, and the next lower threshold has too many alarms."""
    watched, mean, size = make_detector("ratio"), MEAN[:, 1:2], CLUMPS[1:2]
    found = calibrate(watched, mean, size, ASKED, bucket_seconds=HOUR, relative_error=0.03)
    rates = alarm_rates(watched, found.threshold, streams["clumps"][..., 1:2], mean, size)
    np.testing.assert_allclose(rates, found.alarms_per_day, rtol=0.15)
    assert 0.0 < found.alarms_per_day[0] < 0.95 * ASKED


def test_a_threshold_calibrated_without_dispersion_has_several_times_the_false_alarms(streams):
    """Why size matters: the counts are over-dispersed, the calibration took them for Poisson."""
    watched = PoissonCusum()
    naive = calibrate(watched, MEAN, POISSON, 1 / 30, bucket_seconds=HOUR, relative_error=0.05)
    proper = calibrate(watched, MEAN, CLUMPS, 1 / 30, bucket_seconds=HOUR, relative_error=0.05)
    times_asked = alarm_rates(watched, naive.threshold, streams["clumps"], MEAN, CLUMPS) * 30
    assert (times_asked > [1.2, 2.5, 6.0]).all()  # the more items a bucket has, the more of their scatter is clumps
    assert (
        alarm_rates(watched, proper.threshold, streams["clumps"], MEAN, CLUMPS) * 30 < 1.2
    ).all()  # 700 alarms each: 4 % and 5 % standard error


def test_the_standard_error_is_stated_and_is_what_was_asked():
    """Twelve calibrations' thresholds have rates on the same fresh streams that scatter by 3 %: 1.5 to 5, by the chi-squared of 11."""
    busy, size = np.repeat(MEAN[:, 2:], 12, axis=1), np.full(12, 0.5)  # each topic has streams of its own
    found = calibrate(Cusum(), busy, size, ASKED, bucket_seconds=HOUR)
    relative = found.standard_error / found.alarms_per_day
    assert (relative < 0.035).all()
    assert (relative > 0.02).all()
    counts = fresh(busy[:, :1], size[:1], 100, 14, seed=12)
    rates = alarm_rates(Cusum(), found.threshold, np.repeat(counts, 12, axis=2), busy, size)
    assert 0.015 < rates.std(ddof=1) / rates.mean() < 0.05


def test_the_same_seed_gives_the_same_thresholds_and_so_do_near_enough_topics_one_by_one(monkeypatch):
    one, same = (calibrate(Cusum(), MEAN[:, 1:], CLUMPS[1:], ASKED, bucket_seconds=HOUR) for _ in range(2))
    np.testing.assert_array_equal(one.threshold, same.threshold)
    monkeypatch.setattr("apps.finance_sentiment.detection.calibration._AT_ONCE", 1)  # every topic on its own
    cut = calibrate(Cusum(), MEAN[:, 1:], CLUMPS[1:], ASKED, bucket_seconds=HOUR)
    np.testing.assert_allclose(cut.threshold, one.threshold, rtol=0.05)


def test_fewer_false_alarms_need_higher_thresholds():
    thresholds = [calibrate(Cusum(), MEAN, CLUMPS, rate, bucket_seconds=HOUR, relative_error=0.1).threshold for rate in (1.0, 0.2, 1 / 30)]
    assert (np.diff(thresholds, axis=0) > 0.5).all()


def test_of_a_statistic_on_a_lattice_the_smallest_threshold_is_taken_that_does_not_exceed_the_asked():
    """A constant mean at which the Poisson CUSUM moves in steps of log 2."""
    step, mean, size = math.log(2.0), np.full((24, 1), math.log(2.0)), np.array([math.inf])
    found = calibrate(PoissonCusum(2.0), mean, size, 0.3, bucket_seconds=HOUR)
    level = found.threshold[0] / step
    assert 0.0 <= level - round(level) < 2e-3 * level
    counts = fresh(mean, size, 400, 60, seed=7)
    below = alarm_rates(PoissonCusum(2.0), (round(level) - 0.5) * step, counts, mean, size)
    assert found.alarms_per_day[0] <= 0.3 < below[0]
    assert found.alarms_per_day[0] == pytest.approx(alarm_rates(PoissonCusum(2.0), found.threshold, counts, mean, size)[0], rel=0.1)


def test_the_rate_holds_with_a_cooldown():
    found = calibrate(Cusum(), MEAN, CLUMPS, 1.0, bucket_seconds=HOUR, cooldown_buckets=6, relative_error=0.02)
    rates = alarm_rates(Cusum(), found.threshold, fresh(MEAN, CLUMPS, 60, 14, seed=8), MEAN, CLUMPS, cooldown=6)
    np.testing.assert_allclose(rates, found.alarms_per_day, rtol=0.1)
    assert (found.alarms_per_day[1:] > 0.95).all()  # the quietest topic has too few values for so many alarms


def test_the_rate_is_per_day_whatever_the_bucket():
    for buckets in (4, 36):  # of six hours, and of forty minutes
        mean, size = np.full((buckets, 1), 6.0 / buckets), np.array([1.0])
        found = calibrate(NegativeBinomialCusum(), mean, size, 0.5, bucket_seconds=86_400 // buckets, relative_error=0.05)
        counts = fresh(mean, size, 60, 100, seed=9)
        rates = alarms(NegativeBinomialCusum(), counts, np.full((len(counts), 1, 1), mean[0, 0]), size, found.threshold)[1].mean() * buckets
        assert rates == pytest.approx(found.alarms_per_day[0], rel=0.15)


def test_a_topic_so_quiet_that_any_evidence_is_rare_gets_threshold_zero():
    found = calibrate(NegativeBinomialCusum(), np.full((24, 2), [0.3, 0.002]), np.full(2, 1.0), 0.3, bucket_seconds=HOUR)
    assert found.threshold[0] > 0.0
    assert found.threshold[1] == 0.0
    assert 0.0 < found.alarms_per_day[1] < 0.1


def days_that_share_a_level(days, streams, topics, seed):
    """Counts `[days * 24, streams, topics]` of 0.4 an hour, where every day is quiet or busy as a whole: no hour shows it alone."""
    rng = np.random.default_rng(seed)
    return rng.poisson(0.4 * rng.gamma(4.0, 0.25, (days, 1, streams, topics)) * np.ones((24, 1, 1))).reshape(days * 24, streams, topics)


def test_days_that_rise_and_fall_as_a_whole_have_the_false_alarms_that_were_asked():
    watched, asked, mean = NegativeBinomialCusum(), 1 / 7, np.full((24, 12), 0.4)
    counts, found = days_that_share_a_level(112, 80, 12, seed=9), []
    for seed in (10, 11, 12):
        history = days_that_share_a_level(56, 1, 12, seed=seed)[:, 0]
        usual = Baseline.fit(history * 2, history, 4 * 86_400, HOUR)
        assert 0.12 < np.median(1 / usual.day_size) < 0.3  # 0.25 in truth
        for day_size in (usual.day_size, None):
            threshold = calibrate(watched, mean, usual.size, asked, bucket_seconds=HOUR, relative_error=0.05, day_size=day_size).threshold
            found.append(np.median(alarm_rates(watched, threshold, counts, mean, usual.size)) / asked)
    assert 0.8 < np.median(found[::2]) < 1.3
    assert min(found[1::2]) > 1.7  # as if hours were independent


def test_buckets_that_are_independent_have_no_days_in_common():
    rng = np.random.default_rng(3)
    history = rng.poisson(0.4 * rng.gamma(1.0, 1.0, (56 * 24, 12)))
    usual = Baseline.fit(history * 2, history, 4 * 86_400, HOUR)
    assert np.median(usual.day_size) > 20
    daily = history.reshape(56, 24, 12).sum(axis=1)
    assert (Baseline.fit(daily * 2, daily, 4 * 86_400, 86_400).day_size == 1000).all()


def test_drawn_streams_have_the_mean_and_variance_of_the_model():
    mean, size = np.array([[0.2, 2.0, 2.0], [1.0, 0.5, 0.5]]), np.array([0.5, 2.0, math.inf])
    even = np.full(3, math.inf)
    counts, means = gamma_poisson(np.random.default_rng(1), mean, size, 200, 2000, day_size=even, a_day=2)
    for phase in range(2):
        drawn, expected = counts[phase::2], means[phase, 0]
        assert sorted(expected.tolist()) in [sorted(row) for row in mean.tolist()]
        np.testing.assert_allclose(drawn.mean(axis=(0, 1)), expected, rtol=0.03)
        np.testing.assert_allclose(drawn.var(axis=(0, 1)), expected + expected**2 / size, rtol=0.04)


def test_delays_are_those_of_the_markov_chain_with_its_restarts():
    """A lattice as above: states 0 to 6 before a bucket, in control with a restart after each alarm until a surge begins."""
    mean, highest = math.log(2.0), 6

    def chain(rate):
        chances = np.exp(np.arange(60) * math.log(rate) - rate - np.array([math.lgamma(count + 1) for count in range(60)]))
        stays = np.zeros((highest + 1, highest + 1))
        for before in range(highest + 1):
            for count, chance in enumerate(chances):
                if (after := max(0, before + count - 1)) <= highest:
                    stays[before, after] += chance
        return stays

    control = chain(mean)
    control[:, 0] += 1.0 - control.sum(axis=1)
    before = np.linalg.matrix_power(control, 2000)[0]
    found = expected_delays(
        PoissonCusum(2.0),
        (highest + 0.5) * math.log(2.0),
        np.full((24, 1), mean),
        np.array([math.inf]),
        (1.5, 3.0),
        bucket_seconds=HOUR,
        streams=8000,
    )
    for column, factor in enumerate((1.5, 3.0)):
        unseen = [before.sum()]
        surge, state = chain(factor * mean), before
        for _ in range(14 * 24):
            state = state @ surge
            unseen.append(state.sum())
        assert found.within_a_day[0, column] == pytest.approx(1 - unseen[24], abs=4 * 0.5 / math.sqrt(8000))
        for hours, share in ((found.median_hours, 0.5), (found.p90_hours, 0.9)):
            exact = int(np.argmax(1 - np.array(unseen) >= share))
            assert hours[0, column] == pytest.approx(exact, abs=max(1.0, 0.06 * exact))


def test_larger_surges_and_more_false_alarms_mean_shorter_delays():
    often, rarely = (calibrate(Cusum(), MEAN, CLUMPS, rate, bucket_seconds=HOUR, relative_error=0.1) for rate in (0.5, 0.05))
    quick, slow = (expected_delays(Cusum(), each.threshold, MEAN, CLUMPS, bucket_seconds=HOUR, streams=300) for each in (often, rarely))
    for found in (quick, slow):
        assert found.median_hours.shape == (3, 3)
        assert (np.diff(found.median_hours, axis=1) < 0).all()
        assert (np.diff(found.within_a_day, axis=1) > 0).all()
        assert (found.p90_hours > found.median_hours).all()
    assert (quick.median_hours < slow.median_hours).all()


def test_what_is_not_noticed_within_the_horizon_is_infinite_and_goes_through_json():
    found = expected_delays(Cusum(), 50.0, MEAN, CLUMPS, (1.01, 500.0), bucket_seconds=HOUR, horizon_days=1, streams=100)
    assert np.isinf(found.p90_hours[:, 0]).all()
    assert (found.median_hours[1:, 1] <= 10).all()
    again = Delays.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False)))
    assert again.factors == (1.01, 500.0)
    for name in ("median_hours", "p90_hours", "within_a_day"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


def test_a_calibration_goes_through_json():
    found = calibrate(NegativeBinomialCusum(1.7), MEAN, CLUMPS, 1.0, bucket_seconds=HOUR, cooldown_buckets=3, relative_error=0.1)
    again = Calibration.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False)))
    assert (again.detector, again.false_alarms_per_day, again.bucket_seconds, again.cooldown_buckets) == (
        NegativeBinomialCusum(1.7),
        1.0,
        HOUR,
        3,
    )
    for name in ("threshold", "alarms_per_day", "standard_error"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))


def test_what_cannot_be_asked_is_said():
    with pytest.raises(InputError, match="above 0, and below the 24"):
        calibrate(Cusum(), MEAN, CLUMPS, 24.0, bucket_seconds=HOUR)
    with pytest.raises(InputError, match="above 0, and below the 4 "):
        calibrate(Cusum(), MEAN, CLUMPS, 5.0, bucket_seconds=HOUR, cooldown_buckets=5)
    with pytest.raises(InputError, match="simulated days of 24 buckets"):
        calibrate(Cusum(), MEAN, CLUMPS, 1e-5, bucket_seconds=HOUR)
    with pytest.raises(InputError, match="relative error"):
        calibrate(Cusum(), MEAN, CLUMPS, 1.0, bucket_seconds=HOUR, relative_error=0.0)
    with pytest.raises(InputError, match="factors"):
        expected_delays(Cusum(), 5.0, MEAN, CLUMPS, (), bucket_seconds=HOUR)
    with pytest.raises(ValueError, match="finite and above 0"):
        calibrate(Cusum(), np.zeros((24, 3)), CLUMPS, 1.0, bucket_seconds=HOUR)
    with pytest.raises(ValueError, match="do not divide a day"):
        calibrate(Cusum(), MEAN, CLUMPS, 1.0, bucket_seconds=7000)
    with pytest.raises(ValueError, match=r"\[period, topics\]"):
        calibrate(Cusum(), MEAN, CLUMPS[:2], 1.0, bucket_seconds=HOUR)


def test_drawn_days_share_a_level_and_keep_the_dispersion_of_a_bucket():
    mean, size, day_size = np.full((4, 1), 2.0), np.array([1.0]), np.array([2.0])
    counts, _ = gamma_poisson(np.random.default_rng(2), mean, size, 400, 2000, day_size=day_size, a_day=4)
    days = counts.reshape(100, 4, 2000)
    assert days.mean() == pytest.approx(2.0, rel=0.02)
    assert days.var() == pytest.approx(2.0 + 4.0, rel=0.04)
    covariance = ((days[:, 0] - 2.0) * (days[:, 3] - 2.0)).mean()
    assert covariance == pytest.approx(4.0 / 2.0, rel=0.05)
    assert ((days[:-1, 3] - 2.0) * (days[1:, 0] - 2.0)).mean() == pytest.approx(0.0, abs=0.1)
