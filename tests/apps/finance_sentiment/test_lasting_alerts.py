"""Alerts that late items raise, that begin where a rule says nothing of beginnings, and that last until what they tell of has become the usual."""

import math
from dataclasses import replace

import numpy as np
import pytest

from apps.finance_sentiment.detection import Baseline, ordinary_days
from apps.finance_sentiment.stream.item import Item, parse_time
from apps.finance_sentiment.watch.alert import FIRING, PENDING, RESOLVED, Alert, next_state
from apps.finance_sentiment.watch.engine import Engine
from apps.finance_sentiment.watch.reading import Judgement
from apps.finance_sentiment.watch.settings import DAY, HOUR, WatchSettings
from tests.tiny_watch import told

BEGIN = parse_time("2026-01-05")


def after(alert, **seen):
    """The state after a bucket that ends at 100 hours, in which nothing is the matter but what is `seen`."""
    usual = {"begun": 90.0 * HOUR, "statistic": 0.0, "alarm": False, "neutral": 0.0, "pending_at": 3.0, "calm": False}
    rules = {"rest_seconds": 6.0 * HOUR, "quiet_seconds": 24.0 * HOUR, "outlasted": False}
    return next_state(alert, topic=0, time=100.0 * HOUR, **{**usual, **rules, **seen})


def test_a_topic_of_which_any_evidence_is_an_alarm_is_not_pending_without_any():
    assert after(None, statistic=0.0, pending_at=0.0) is None
    assert after(None, statistic=0.1, pending_at=0.0).state == PENDING
    assert after(Alert(0, PENDING, 90.0 * HOUR), statistic=0.0, pending_at=0.0).state == RESOLVED


def test_an_alert_that_outlasted_all_is_over_whatever_comes_in():
    fired = Alert(0, FIRING, 0.0, 0.0, 99.0 * HOUR)
    assert after(fired, statistic=9.0, alarm=True).state == FIRING
    assert after(fired, statistic=9.0, alarm=True, outlasted=True).state == RESOLVED
    assert after(Alert(0, PENDING, 0.0), alarm=True, outlasted=True).state == FIRING  # there was no alert to outlast


def test_an_alert_is_over_when_the_odds_are_so_or_nothing_was_heard_for_a_day():
    fired = Alert(0, FIRING, 0.0, 10.0 * HOUR, 95.0 * HOUR)
    assert after(fired, calm=True).state == FIRING  # the detector still rests
    assert after(replace(fired, last_alarm=93.0 * HOUR), calm=True).state == RESOLVED
    assert after(replace(fired, last_alarm=77.0 * HOUR)).state == FIRING
    assert after(replace(fired, last_alarm=76.0 * HOUR)).state == RESOLVED
    assert after(replace(fired, last_alarm=50.0 * HOUR), statistic=2.0).state == FIRING  # it is on its way to another one


def items(days, level, seed=0, topics=2):
    """(item, judgement) in order of time: `level(day, topic)` negatives an hour, and twice as many others."""
    rng, found = np.random.default_rng(seed), []
    for hour in range(days * 24):
        for topic in range(topics):
            for bad, share in ((True, 1.0), (False, 2.0)):
                count = rng.poisson(share * level(hour / 24, topic))
                found += [(BEGIN + (hour + part) * HOUR, topic, bad) for part in rng.random(count)]
    found.sort()
    return [
        (Item(str(n), time, f"story {n}", f"P{n % 3}"), Judgement(topic, bad, -0.9 if bad else 0.2))
        for n, (time, topic, bad) in enumerate(found)
    ]


def engine_of(**settings):
    return Engine(
        ("oil", "rates"), "m", WatchSettings(**{"history_days": 14, "false_alarms_per_day": 0.02, "silent_feeds_per_day": 0.0, **settings})
    )


def test_what_lasts_for_two_weeks_is_told_once_and_is_then_the_usual():
    """Another feed is added for good: three times as much of oil from the 20th day on."""
    engine = engine_of(longest_days=7)
    lines = told(engine, items(45, lambda day, topic: 1.5 if topic == 0 and day >= 20 else 0.5))
    times = {
        state: [parse_time(line["time"]) for line in lines if line["topic"] == "oil" and line["state"] == state]
        for state in ("firing", "resolved")
    }
    fired = [time for time in times["firing"] if time >= BEGIN + 20 * DAY]
    assert fired[0] < BEGIN + 21 * DAY
    assert any(abs(time - fired[0] - 7 * DAY) <= HOUR for time in times["resolved"])
    assert sum(time < fired[0] + 7 * DAY for time in fired) <= 3
    assert sum(time > fired[0] + 7 * DAY for time in fired) <= 2
    assert engine.usual.baseline.week().mean(axis=0) == pytest.approx([1.5, 0.5], rel=0.15)


def test_an_alarm_that_late_items_raise_fires_an_alert_that_is_pending():
    stream = items(17, lambda day, topic: 0.5)
    now = BEGIN + 17 * DAY
    surge = [(Item(f"s{n}", now + n, f"surge {n}", "P"), Judgement(0, True, -0.9)) for n in range(9)]  # of oil, in one hour

    def hour_over(hour):
        """Three items of rates, of which nothing is the matter: the stream's time goes on."""
        return [(Item(f"t{hour}{n}", now + hour * HOUR + n, f"tick {hour} {n}", f"P{n}"), Judgement(1, False, 0.0)) for n in range(3)]

    engine = engine_of()
    on_time = told(engine, [*stream, *surge, *hour_over(1)])
    assert [line["state"] for line in on_time if line["topic"] == "oil" and parse_time(line["time"]) > now][:1] == ["firing"]

    # Six come in time and make it pending, the others two hours late: the alarm is in a bucket that is past.
    late = [*surge[:6], *hour_over(1), *hour_over(2), *surge[6:], *hour_over(3)]
    states = [line["state"] for line in told(engine_of(), stream + late) if line["topic"] == "oil" and parse_time(line["time"]) > now]
    assert states[:2] == ["pending", "firing"]


def test_an_alert_of_the_ratio_begins_when_more_than_usual_comes_in():
    lines = told(engine_of(detector="ratio"), items(24, lambda day, topic: 2.5 if topic == 0 and day >= 22 else 0.5))
    fired = next(
        line for line in lines if line["topic"] == "oil" and line["state"] == "firing" and parse_time(line["time"]) > BEGIN + 22 * DAY
    )
    assert BEGIN + 20 * DAY < parse_time(fired["opened"]) < parse_time(fired["time"])


def test_days_that_are_many_on_end_are_no_outliers():
    expected, observed = np.full((60, 1), 20.0), np.full((60, 1), 20.0)
    observed[[10, 30, 31]] = 80.0
    observed[20] = 0.0
    observed[50:] = 60.0  # for good
    left_out = np.flatnonzero(~ordinary_days(observed, expected, np.arange(60))[:, 0])
    assert left_out.tolist() == [10, 20, 30, 31]


@pytest.mark.parametrize("half_life", [None, 7.0])
def test_a_step_of_the_level_is_followed(half_life):
    rng, days = np.random.default_rng(4), 56
    level = np.where(np.arange(days * 24) >= 44 * 24, 2.5, 1.0)[:, None] * np.linspace(0.2, 1.5, 12)
    negatives = rng.poisson(level)
    found = Baseline.fit(negatives + rng.poisson(2 * level), negatives, 4 * DAY, HOUR, half_life_days=half_life)
    assert np.median(found.week().mean(axis=0) / level[-1]) > 0.75
    assert np.median(found.left_out) <= 1


def test_whatever_half_life_is_chosen_the_week_is_that_of_the_history():
    """The choice may differ from one pass of the fit to the next: nothing of an earlier one may stay."""
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        growth = np.exp(np.linspace(0.0, math.log(1.4), 42 * 24))[:, None]
        negatives = rng.poisson(np.linspace(0.1, 1.0, 6) * growth)
        fit = Baseline.fit(negatives + rng.poisson(2 * np.linspace(0.1, 1.0, 6) * growth), negatives, 4 * DAY, HOUR, half_life_days=None)
        if math.isinf(fit.half_life_days):
            found.append(fit.week().mean() / negatives.mean())
    assert len(found) >= 3
    np.testing.assert_allclose(found, 1.0, atol=0.03)
