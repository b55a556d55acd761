"""What happens in a simulated stream has the rhythm, clumps, sentiments and surges that its settings ask for."""

import dataclasses
import itertools
from collections import Counter, defaultdict

import numpy as np
import pytest

from apps.finance_sentiment.simulation import StreamSettings, SurgeSettings
from apps.finance_sentiment.simulation.events import draw_events
from apps.finance_sentiment.simulation.rhythm import NEGATIVE

CALM = SurgeSettings(per_topic_week=0, history_days=2)
HOUR, DAY = 3600, 86_400


def test_as_many_stories_a_day_as_asked_for():
    settings = StreamSettings(silences_per_week=0, surges=CALM)
    counts = [len(draw_events(12, settings, np.random.default_rng(seed)).stories) / settings.days for seed in range(20)]
    assert np.mean(counts) == pytest.approx(150, rel=0.03)


def test_weekday_mornings_and_the_us_open_are_busy_and_nights_and_weekends_are_quiet():
    settings = StreamSettings(items_per_day=600, silences_per_week=0, surges=CALM)
    week = np.zeros((7, 24))
    for seed in range(5):
        for story in draw_events(12, settings, np.random.default_rng(seed)).stories:
            week[story.time // DAY % 7, story.time // HOUR % 24] += 1
    weekday, weekend = week[:5].mean(axis=0), week[5:].mean(axis=0)
    night, noon = weekday[[0, 1, 2, 3, 23]].mean(), weekday[[11, 12]].mean()
    assert weekday[7:9].mean() > 1.5 * noon > 4 * night
    assert weekday[14:16].mean() > 1.5 * noon
    assert weekend.sum() < weekday.sum() / 3


def test_topics_differ_in_volume_in_hours_and_in_negative_share():
    events = draw_events(12, StreamSettings(days=84, items_per_day=2000, surges=CALM), np.random.default_rng(3))
    volume, negative = (
        Counter(story.topic for story in events.stories),
        Counter(story.topic for story in events.stories if story.sentiment == NEGATIVE),
    )
    mornings = Counter(story.topic for story in events.stories if 6 <= story.time // HOUR % 24 < 10)
    shares = [negative[topic] / volume[topic] for topic in range(12)]
    assert max(volume.values()) > 2 * min(volume.values())
    assert 0.18 < min(shares) < 0.28 < 0.37 < max(shares) < 0.47
    assert np.ptp([mornings[topic] / volume[topic] for topic in range(12)]) > 0.05


@pytest.mark.parametrize("size", [3.0, 1e6])
def test_hourly_counts_of_every_topic_vary_as_negative_binomials_do(size):
    """Over the hours of the week, the variance between weeks is mean + mean^2 / size; 1e6 is Poisson but for rounding."""
    weeks = 40
    settings = StreamSettings(days=7 * weeks, items_per_day=1000, clump_size=size, silences_per_week=0, surges=CALM)
    counts = np.zeros((12, weeks, 168))
    for story in draw_events(12, settings, np.random.default_rng(1)).stories:
        counts[story.topic, story.time // (168 * HOUR), story.time // HOUR % 168] += 1
    mean, variance = counts.mean(axis=1), counts.var(axis=1, ddof=1)
    squared_mean = mean**2 - variance / weeks  # without bias
    found = variance.sum(axis=1) / mean.sum(axis=1)
    expected = 1 + squared_mean.sum(axis=1) / size / mean.sum(axis=1)
    assert found == pytest.approx(expected, rel=0.2)
    assert (found / expected).mean() == pytest.approx(1, abs=0.05)
    assert size > 100 or (found > 1.3).all()


def test_a_surge_multiplies_the_negative_stories_by_its_factor():
    """Over many seeds, what the windows hold beyond factor times expected is within four of its own standard errors."""
    beyond, held, usual = defaultdict(list), Counter(), Counter()
    for seed in range(80):
        events = draw_events(12, StreamSettings(silences_per_week=0.3), np.random.default_rng(seed))
        hours = Counter((story.topic, story.time // HOUR) for story in events.stories if story.sentiment == NEGATIVE)
        for surge, expected in zip(events.surges, events.expected, strict=True):
            found = sum(hours[surge.topic, hour] for hour in range(surge.start, surge.end))
            beyond[surge.factor].append(found - surge.factor * expected)
            held[surge.factor] += found
            usual[surge.factor] += expected
    assert sorted(beyond) == [1.5, 2.0, 4.0]
    for factor, each in beyond.items():
        assert abs(sum(each)) < 4 * np.sqrt(np.square(each).sum())
        assert held[factor] / usual[factor] == pytest.approx(factor, rel=0.08)


def test_the_other_stories_are_the_same_without_the_surges():
    settings = StreamSettings()
    calm = dataclasses.replace(settings, surges=dataclasses.replace(settings.surges, per_topic_week=0))
    with_surges, without = (draw_events(12, each, np.random.default_rng(8)) for each in (settings, calm))
    assert len(with_surges.surges) > 3
    assert [story for story in with_surges.stories if not story.added] == without.stories
    assert all(story.sentiment == NEGATIVE for story in with_surges.stories if story.added)


def test_about_one_surge_a_topic_in_three_weeks_after_the_history_and_none_too_close():
    settings, counts = StreamSettings(), []
    for seed in range(40):
        surges = draw_events(12, settings, np.random.default_rng(seed)).surges
        counts.append(len(surges) / 12)
        for surge in surges:
            assert 21 * 24 <= surge.start < surge.end <= 42 * 24
            assert 6 <= surge.end - surge.start <= 48
        for one, other in itertools.combinations(surges, 2):
            assert one.topic != other.topic or other.start - one.end >= 72 or one.start - other.end >= 72
    assert np.mean(counts) == pytest.approx(1, abs=0.15)


def test_factors_are_dealt_out_evenly():
    for seed in range(10):
        counts = Counter(surge.factor for surge in draw_events(12, StreamSettings(), np.random.default_rng(seed)).surges)
        assert max(counts.values()) - min(counts[factor] for factor in (1.5, 2.0, 4.0)) <= 1
