"""Feeds that fell silent: what was to be expected of each is measured from when it is known, and a dead network is told once."""

import json
import random

import pytest

from apps.finance_sentiment.stream.item import Item, parse_time
from apps.finance_sentiment.watch.engine import Engine
from apps.finance_sentiment.watch.feeds import LEAST_GAPS, Feeds
from apps.finance_sentiment.watch.reading import Judgement
from apps.finance_sentiment.watch.settings import DAY, HOUR, WatchSettings

BEGIN = parse_time("2026-01-05")
WEIGHTS = {"Wire": 5.0, "Post": 3.0, "Star": 2.0, "Desk": 2.0, "Rare": 0.7}


def items(days, silent=lambda publisher, day: False, seed=0):
    """(item, judgement) of an item every ten minutes in the mean, by publishers of these weights."""
    rng, found = random.Random(seed), []
    for hour in range(days * 24):
        for _ in range(rng.randint(3, 9)):
            time = BEGIN + (hour + rng.random()) * HOUR
            publisher = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            if not silent(publisher, (time - BEGIN) / DAY):
                found.append((time, publisher))
    return [
        (Item(str(n), time, f"story {n}", publisher), Judgement(0, n % 3 == 0, -0.2)) for n, (time, publisher) in enumerate(sorted(found))
    ]


def told(stream, restart=None):
    """The engine and its lines of feeds."""
    engine = Engine(("oil",), "m", WatchSettings(history_days=14, false_alarms_per_day=0.1, silent_feeds_per_day=0.001))
    lines = []
    for n, (item, judgement) in enumerate(stream):
        lines += [event.line for event in engine.admit(item)]
        engine.count(item, judgement)
        if n == restart:
            facts, buckets = json.loads(json.dumps(engine.as_facts())), sorted(engine.tally._counts.items())
            engine = Engine(engine.topics, "m", engine.settings)
            engine.restore(facts, buckets)
    return engine, [line for line in lines if line["kind"] == "silent_feed"]


def test_nothing_is_measured_while_the_usual_is_learned():
    engine, _ = told(items(14))
    assert engine.usual is None
    assert {feed.gaps for feed in engine.feeds._feeds.values()} == {0}


def test_what_was_to_be_expected_of_a_feed_is_what_it_brings():
    engine, lines = told(items(26, lambda publisher, day: publisher == "Desk" and day >= 23))
    (fell,) = lines
    assert (fell["publisher"], fell["state"]) == ("Desk", "firing")
    assert "publishers" not in fell
    hours = (parse_time(fell["time"]) - parse_time(fell["opened"])) / HOUR
    assert fell["expected_items"] == pytest.approx(hours * 6 * WEIGHTS["Desk"] / sum(WEIGHTS.values()), rel=0.2)
    shares = {name: feed.share for name, feed in engine.feeds._feeds.items()}
    for name, weight in WEIGHTS.items():
        assert shares[name] == pytest.approx(weight / sum(WEIGHTS.values()), rel=0.25)


@pytest.mark.parametrize("restart", [None, 3400])
def test_a_dead_network_is_told_once_and_once_that_it_is_back(restart):
    stream = items(28, lambda publisher, day: 23 <= day < 25)
    _, lines = told(stream, restart)
    assert [(line["publisher"], line["state"]) for line in lines] == [("all 5 publishers", "firing"), ("all 5 publishers", "resolved")]
    fell, back = lines
    assert set(fell["publishers"]) == set(back["publishers"]) == set(WEIGHTS)
    assert fell["opened"] == back["opened"]
    assert BEGIN + 22.9 * DAY < parse_time(fell["opened"]) < BEGIN + 23 * DAY
    assert parse_time(fell["time"]) < BEGIN + 24 * DAY
    assert BEGIN + 25 * DAY <= parse_time(back["time"]) < BEGIN + 25.2 * DAY


def test_of_most_that_fall_silent_together_the_one_who_does_not_come_back_is_told_by_himself():
    dead = ("Wire", "Star", "Desk", "Post")
    _, lines = told(items(30, lambda publisher, day: publisher in dead and 23 <= day < (30 if publisher == "Star" else 24.5)))
    states = [(line["publisher"], line["state"]) for line in lines]
    assert states[:2] == [(states[0][0], "firing"), (states[0][0], "resolved")]
    assert states[0][0] in ("4 of 5 publishers", "all 5 publishers")
    assert states[2:] == [("Star", "firing")]


def test_a_publisher_among_others_who_speak_is_told_by_himself():
    _, lines = told(items(30, lambda publisher, day: publisher in ("Post", "Desk") and day >= 23))
    assert sorted(line["publisher"] for line in lines) == ["Desk", "Post"]


def fed(feeds, gaps, publishers):
    for _ in range(gaps):
        feeds.expect(1.0)
        for publisher in publishers:
            feeds.seen(publisher, 0.0)


def test_a_rare_publisher_of_an_outage_that_is_told_is_no_alert_of_its_own():
    feeds = Feeds(0.05)
    fed(feeds, LEAST_GAPS + 1, ("a", "b", "c"))
    for _ in range(LEAST_GAPS + 1):
        for _ in range(9):
            feeds.expect(1.0)
            for publisher in ("a", "b", "c"):
                feeds.seen(publisher, 0.0)
        feeds.seen("rare", 0.0)
    feeds.expect(1.0)
    feeds.seen("rare", 1.0)
    found = []
    for hour in range(200):
        feeds.expect(1.0)
        found += feeds.step(float(hour), 24.0)
    (one,) = found
    assert one.publisher in ("3 of 4 publishers", "all 4 publishers")
    back = [each for name in ("rare", "a", "b", "c") if (each := feeds.seen(name, 300.0)) is not None]
    assert [each.state for each in back] == ["resolved"]
    assert set(back[0].publishers) == {"a", "b", "c", "rare"}
    assert not any(feed.silent_since is not None for feed in feeds._feeds.values())
