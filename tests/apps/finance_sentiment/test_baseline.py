"""What is usual is found in short, gappy and troubled histories, believed as far as the data go, and followed when it drifts."""

import json
import math

import numpy as np
import pytest

from apps.finance_sentiment.detection import Baseline, calibrate, make_detector, ordinary_days
from apps.finance_sentiment.detection.shrinkage import believed
from apps.finance_sentiment.detection.week import hour_of_week
from tfarch.errors import InputError

HOUR, DAY = 3600, 86_400
MONDAY = 4 * DAY  # 5 January 1970
_HOURS = np.arange(168)
PROFILE = np.exp(0.8 * np.sin(2 * np.pi * (_HOURS - 6) / 24)) * np.where(_HOURS >= 120, 0.4, 1.0)
PROFILE /= PROFILE.mean()
DAILY = np.linspace(3.0, 40.0, 12)  # items a topic
SHARE = 1 / 3


def usual(weeks, daily=DAILY, own=0.0, seed=0):
    """Expected items `[weeks * 168, topics]`; with `own`, each topic's hours stray from the common profile by that log-deviation."""
    stray = np.exp(own * np.random.default_rng(seed).standard_normal((168, len(daily))) - own**2 / 2)
    return np.tile(PROFILE[:, None] * daily / 24 * stray, (weeks, 1))


def draw(items, size=0.8, share=SHARE, seed=0):
    """Counts and negatives of a history, over-dispersed; `size` is that of the negatives."""
    rng = np.random.default_rng(seed)

    def clumps(mean, r):
        return rng.poisson(mean if math.isinf(r) else mean * rng.gamma(r, 1 / r, mean.shape))

    negatives = clumps(items * share, size)
    return negatives + clumps(items * (1 - share), 2 * size), negatives


def relative_squared_error(found, true):
    """Of expected counts, in Poisson variances: what an hour's expectation is wrong by, beside its own chance."""
    return float(((found - true) ** 2 / true).mean() / true.mean())


def test_the_week_begins_on_monday_and_its_hours_are_utc():
    assert hour_of_week(np.array([MONDAY, MONDAY + 3599, MONDAY + DAY, MONDAY - 1, 1_772_357_400])).tolist() == [
        0,
        0,
        24,
        167,
        153,
    ]  # Sunday 09:30
    assert hour_of_week(np.array([1_700_000_000.0])).tolist() == [22 + 24]  # Tuesday 14 November 2023, 22:13:20


def test_the_expected_counts_are_near_the_true_ones():
    items = usual(8)
    counts, negatives = draw(items)
    found = Baseline.fit(counts, negatives, MONDAY, HOUR)
    assert found.rates.shape == (168, 12)
    assert relative_squared_error(found.week(), items[:168] * SHARE) < 0.02
    np.testing.assert_allclose(found.share, SHARE, atol=0.06)
    np.testing.assert_allclose((found.week().sum(axis=0) / 7), DAILY * SHARE, rtol=0.25)


def test_times_anywhere_in_a_bucket_and_in_any_week_give_its_expectation():
    found = Baseline.fit(*draw(usual(2)), MONDAY, HOUR)
    times = MONDAY + np.array([0, 1800, 3599.9, 604_800, 100 * 604_800 + 60])
    np.testing.assert_array_equal(found.mean(times), np.repeat(found.week()[:1], 5, axis=0))
    np.testing.assert_allclose(found.mean(times), found.volume(times) * found.share)


def test_a_history_may_begin_at_any_hour():
    items = usual(9)
    counts, negatives = draw(items)
    found = Baseline.fit(counts[29:], negatives[29:], MONDAY + 29 * HOUR, HOUR)
    assert relative_squared_error(found.week(), items[:168] * SHARE) < 0.02


def test_shrinking_is_better_than_each_cell_alone_and_than_the_pooled_profile_alone():
    items = usual(8, own=0.5)
    counts, negatives = draw(items)
    found, true = Baseline.fit(counts, negatives, MONDAY, HOUR).week(), items[:168] * SHARE
    alone = np.maximum(negatives.reshape(8, 168, 12).mean(axis=0), 1e-3)
    pooled = PROFILE[:, None] * DAILY / 24 * SHARE
    assert relative_squared_error(found, true) < 0.7 * relative_squared_error(pooled, true)
    assert relative_squared_error(found, true) < 0.3 * relative_squared_error(alone, true)


def test_cells_are_believed_the_more_the_more_they_really_differ():
    rng = np.random.default_rng(1)
    expected = np.full(2000, 8.0)
    alike, alike_weight = believed(rng.poisson(expected), expected, 1.0)
    unlike, unlike_weight = believed(rng.poisson(expected * rng.gamma(5.0, 0.2, 2000)), expected, 1.0)
    assert alike_weight.max() < 0.1
    assert alike.std() < 0.05
    assert unlike_weight.mean() == pytest.approx(8 / (5 + 8), abs=0.06)  # the posterior's own weight, for a prior that 5 items' worth holds
    clumped, clumped_weight = believed(
        rng.poisson(expected * rng.gamma(5.0, 0.2, 2000)), expected, 2.6
    )  # as much as the prior's spread explains
    assert clumped_weight.max() < 0.1
    assert clumped.std() < unlike.std() / 3


def test_a_cell_without_data_is_what_its_parents_say():
    multiplier, weight = believed(np.zeros(3), np.zeros(3), 1.0)
    assert multiplier.tolist() == [1, 1, 1]
    assert weight.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("weeks", "tolerance"), [(4, 0.25), (26, 0.15)])
def test_the_dispersion_is_that_of_the_negatives(weeks, tolerance):
    for size in (0.8, 3.0):
        sizes = [Baseline.fit(*draw(usual(weeks), size, seed=seed), MONDAY, HOUR).size for seed in range(6)]
        assert np.mean(1.0 / np.array(sizes)) == pytest.approx(1 / size, rel=tolerance)


def test_counts_that_are_poisson_are_found_to_be_nearly_so_and_never_less_dispersed():
    found = Baseline.fit(*draw(usual(8), math.inf), MONDAY, HOUR)
    assert (found.size > 10).all()
    assert (found.size <= 1000).all()


def test_a_topic_with_little_has_the_dispersion_of_all():
    daily = np.array([0.3, *[20.0] * 8])
    own = [Baseline.fit(*draw(usual(4, daily), 0.8, seed=seed), MONDAY, HOUR).size for seed in range(8)]
    inverse = 1.0 / np.array(own)
    assert inverse[:, 0].std() < 0.5 * 1.25
    assert inverse[:, 0].mean() == pytest.approx(1.25, rel=0.3)


def test_a_surge_hidden_in_the_history_changes_next_to_nothing():
    items = usual(6)
    quiet = Baseline.fit(*draw(items), MONDAY, HOUR)
    surge, topic = items.copy(), 7
    surge[17 * 24 : 20 * 24, topic] *= 6  # three days, of two more items an hour and worse
    share = np.full(items.shape, SHARE)
    share[17 * 24 : 20 * 24, topic] = 0.7
    troubled = Baseline.fit(*draw(surge, share=share), MONDAY, HOUR)
    assert troubled.left_out[topic] == 3
    assert np.delete(troubled.left_out, topic).sum() <= 3
    of_week = lambda found: found.week()[:, topic].sum()  # noqa: E731
    naive = (surge * share)[:, topic].sum() / (items * SHARE)[:, topic].sum()
    assert naive > 1.7  # what a plain average would have made of it
    assert of_week(troubled) == pytest.approx(of_week(quiet), rel=0.1)
    assert troubled.share[topic] == pytest.approx(quiet.share[topic], abs=0.04)
    assert troubled.size[topic] == pytest.approx(quiet.size[topic], rel=0.35)


def test_a_day_without_anything_is_left_out_as_an_outage():
    counts, negatives = draw(usual(6))
    counts[15 * 24 : 16 * 24] = negatives[15 * 24 : 16 * 24] = 0
    found = Baseline.fit(counts, negatives, MONDAY, HOUR)
    assert found.left_out[-6:].min() >= 1  # topics that would have had 20 items or more
    assert found.week().sum() == pytest.approx((usual(1) * SHARE).sum(), rel=0.05)


def test_few_ordinary_days_are_taken_for_extreme_even_where_days_clump():
    rng = np.random.default_rng(2)
    expected = np.ones((24 * 700, 5))
    level = np.repeat(rng.gamma(5.0, 0.2, (700, 5)), 24, axis=0)
    for observed in (rng.poisson(expected), rng.poisson(expected * level)):
        ordinary = ordinary_days(observed, expected, np.arange(24 * 700) // 24)
        assert ordinary.shape == (700, 5)
        assert (~ordinary).mean() < 0.005


def test_a_share_of_few_items_is_drawn_to_that_of_all():
    daily = np.array([30.0, 30.0, 0.2])
    counts, negatives = draw(usual(4, daily))
    negatives[:, 2] = counts[:, 2]  # all of the few
    found = Baseline.fit(counts, negatives, MONDAY, HOUR)
    items = counts[:, 2].sum()
    assert 1 <= items < 20
    assert found.share[2] == pytest.approx((items + 20 * negatives.sum() / counts.sum()) / (items + 20), abs=0.02)


def test_a_topic_of_which_nothing_was_ever_heard_is_expected_rarely_but_not_never():
    counts, negatives = draw(usual(4))
    counts[:, 3] = negatives[:, 3] = 0
    week = Baseline.fit(counts, negatives, MONDAY, HOUR).week()
    assert (week > 0).all()
    assert week[:, 3].sum() * 4 < 1.0


def test_buckets_need_not_be_hours():
    items = usual(8)
    counts, negatives = draw(items)
    coarse = [each.reshape(-1, 6, 12).sum(axis=1) for each in (counts, negatives)]
    found = Baseline.fit(*coarse, MONDAY, 6 * HOUR)
    assert found.week().shape == (28, 12)
    assert relative_squared_error(found.week(), items[:168].reshape(28, 6, 12).sum(axis=1) * SHARE) < 0.02
    quarters = draw(np.repeat(items, 4, axis=0) / 4)
    found = Baseline.fit(*quarters, MONDAY, 900)
    assert found.week().shape == (672, 12)
    assert found.week().sum() == pytest.approx(items[:168].sum() * SHARE, rel=0.05)


def test_a_history_of_three_days_will_do_if_it_may_be_incomplete_and_not_one_of_two():
    items = usual(1)
    counts, negatives = draw(items)
    with pytest.raises(InputError, match=r"3\.0 days tells too little .*a whole week, or 3 days as an incomplete history"):
        Baseline.fit(counts[:72], negatives[:72], MONDAY, HOUR)
    with pytest.raises(InputError, match="3 days are the least"):
        Baseline.fit(counts[:71], negatives[:71], MONDAY, HOUR, incomplete=True)
    found = Baseline.fit(counts[:72], negatives[:72], MONDAY, HOUR, incomplete=True)
    assert relative_squared_error(found.week()[:120], items[:120] * SHARE) < 0.25
    saturday, monday = found.week()[120:144], found.week()[:24]
    assert saturday.sum() == pytest.approx(monday.sum(), rel=0.3)  # nothing was seen of a weekend, so it is taken to be like the rest


def test_buckets_that_were_not_recorded_count_neither_way():
    items = usual(9)
    counts, negatives = (each.astype(float) for each in draw(items))
    counts[100:268], negatives[100:268] = np.nan, np.nan
    negatives[400:420, 2] = np.nan
    found = Baseline.fit(counts, negatives, MONDAY, HOUR)
    assert relative_squared_error(found.week(), items[:168] * SHARE) < 0.02
    assert found.left_out.sum() <= 4
    counts[24:, 5] = np.nan
    with pytest.raises(InputError, match=r"1\.0 days were recorded of topic 5 \(3 are the least\)"):
        Baseline.fit(counts, negatives, MONDAY, HOUR)


def test_a_drift_of_volume_and_share_is_followed():
    history, now = usual(4), usual(8)
    found = Baseline.fit(*draw(history), MONDAY, HOUR, half_life_days=7)
    for week in range(8):
        part = slice(week * 168, (week + 1) * 168)
        counts, negatives = draw(now[part] * 2, share=0.5, seed=week + 1)
        found = found.updated(negatives, counts, MONDAY + np.arange(28 * 24, 28 * 24 + 168) * HOUR)
    ratio = found.week().sum(axis=0) / (history[:168] * SHARE).sum(axis=0)
    np.testing.assert_allclose(ratio, 3.0, rtol=0.2)  # twice the volume, and half as much again of it negative
    np.testing.assert_allclose(found.share, 0.5, atol=0.06)


def test_a_growing_stream_is_expected_at_its_latest_level_and_its_growth_is_no_scatter():
    """Three times as many items, and half as many again of them negative, over half a year: the mean of it is half of what comes next."""
    weeks = 26
    growth = np.exp(np.linspace(0.0, math.log(3.0), weeks * 168))[:, None]
    share = np.linspace(0.25, 0.375, weeks * 168)[:, None]
    counts, negatives = draw(usual(weeks) * growth, share=share)
    found, mean = (Baseline.fit(counts, negatives, MONDAY, HOUR, half_life_days=each) for each in (None, math.inf))
    steady = Baseline.fit(*draw(usual(weeks), share=0.3), MONDAY, HOUR, half_life_days=None)
    coming = (usual(1) * 3.0 * 0.375).sum(axis=0)
    assert 7 <= found.half_life_days <= 28
    assert 0.85 < np.median(found.week().sum(axis=0) / coming) < 1.05
    assert np.median(mean.week().sum(axis=0) / coming) < 0.6
    np.testing.assert_allclose(np.median(found.size), np.median(steady.size), rtol=0.15)
    assert np.median(mean.size) < 0.9 * np.median(steady.size)


def test_a_stream_that_does_not_drift_is_not_forgotten():
    chosen = [Baseline.fit(*draw(usual(weeks), seed=seed), MONDAY, HOUR, half_life_days=None) for weeks in (3, 8) for seed in range(8)]
    assert sum(math.isinf(each.half_life_days) for each in chosen) >= 15


def test_after_a_half_life_half_of_a_change_is_followed():
    """Without chance: the expected counts themselves, half as many again, for as long as the half-life."""
    found = Baseline.fit(*draw(usual(30)), MONDAY, HOUR, half_life_days=14)
    times = MONDAY + np.arange(14 * 24) * HOUR
    after = found.updated(found.mean(times) * 1.5, found.volume(times) * 1.5, times)
    np.testing.assert_allclose(after.week() / found.week(), 1.25, rtol=0.02)
    np.testing.assert_allclose(after.share, found.share, rtol=1e-9)


def test_what_has_no_weight_is_neither_learnt_nor_a_reason_to_forget():
    found = Baseline.fit(*draw(usual(4)), MONDAY, HOUR, half_life_days=14)
    times, weight = MONDAY + np.arange(72) * HOUR, np.ones(12)
    weight[5] = 0.0  # its alert is open
    counts, negatives = draw(usual(1)[:72] * 10, seed=5)
    after = found.updated(negatives, counts, times, weight)
    np.testing.assert_array_equal(after.rates[:, 5], found.rates[:, 5])
    assert after.share[5] == found.share[5]
    assert after.evidence[5] == found.evidence[5]
    assert (np.delete(after.week(), 5, axis=1) > 1.3 * np.delete(found.week(), 5, axis=1)).all()


@pytest.mark.parametrize("half_life", [5.0, math.inf])
def test_bucket_by_bucket_gives_the_same_as_all_at_once(half_life):
    found = Baseline.fit(*draw(usual(4)), MONDAY, HOUR, half_life_days=half_life)
    (counts, negatives), times = draw(usual(1), seed=6), MONDAY + np.arange(168) * HOUR
    weight = np.random.default_rng(7).uniform(0, 1, (168, 12))
    at_once, step = found.updated(negatives, counts, times, weight), found
    for bucket in range(168):
        one = slice(bucket, bucket + 1)
        step = step.updated(negatives[one], counts[one], times[one], weight[one])
    for name in ("rates", "share", "evidence"):
        np.testing.assert_allclose(getattr(step, name), getattr(at_once, name), rtol=1e-9)


def test_a_topic_that_falls_silent_for_a_year_is_still_expected_now_and_then():
    found = Baseline.fit(*draw(usual(4)), MONDAY, HOUR, half_life_days=7)
    nothing, times = np.zeros((168, 12)), MONDAY + np.arange(168) * HOUR
    for _ in range(52):
        found = found.updated(nothing, nothing, times)
    assert (found.week() > 0).all()
    assert (found.week().sum(axis=0) < 0.2 * DAILY * SHARE).all()
    assert np.isfinite(found.share).all()


def test_a_baseline_goes_through_json():
    for found in (Baseline.fit(*draw(usual(2)), MONDAY, HOUR), Baseline.fit(*draw(usual(2)), MONDAY, HOUR, half_life_days=9)):
        again = Baseline.from_dict(json.loads(json.dumps(found.as_dict(), allow_nan=False)))
        assert (again.bucket_seconds, again.half_life_days) == (found.bucket_seconds, found.half_life_days)
        for name in ("rates", "share", "size", "evidence", "left_out"):
            np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
        np.testing.assert_array_equal(again.week(), found.week())


def test_what_it_says_is_what_calibration_takes():
    found = Baseline.fit(*draw(usual(4)), MONDAY, HOUR)
    thresholds = calibrate(
        make_detector("negative_binomial_cusum"), found.week(), found.size, 0.5, bucket_seconds=HOUR, relative_error=0.1
    ).threshold
    assert thresholds.shape == (12,)
    assert (thresholds > 0).all()


@pytest.mark.parametrize(
    ("counts", "negatives", "start", "bucket", "said"),
    [
        (np.ones((200, 2)), np.ones((200, 3)), MONDAY, HOUR, "one shape"),
        (np.ones(200), np.ones(200), MONDAY, HOUR, "one shape"),
        (np.ones((200, 2)), np.full((200, 2), 2), MONDAY, HOUR, "between 0 and the counts"),
        (np.ones((200, 2)), np.full((200, 2), -1), MONDAY, HOUR, "between 0 and the counts"),
        (np.ones((200, 2)), np.ones((200, 2)), MONDAY + 60, HOUR, "no multiple"),
        (np.ones((200, 2)), np.ones((200, 2)), MONDAY, 7000, "do not divide"),
    ],
)
def test_arrays_that_do_not_fit_are_an_error(counts, negatives, start, bucket, said):
    with pytest.raises(ValueError, match=said):
        Baseline.fit(counts, negatives, start, bucket)


def test_a_half_life_of_nothing_is_an_error():
    with pytest.raises(InputError, match="half-life"):
        Baseline.fit(*draw(usual(2)), MONDAY, HOUR, half_life_days=0)
