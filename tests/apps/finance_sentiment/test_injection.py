"""Surges injected into real items are copies of other news in the right number, at plausible times, and the truth tells them."""

import dataclasses
import datetime

import numpy as np
import pytest

from apps.finance_sentiment.simulation import StreamSettings, SurgeSettings, inject_surges
from apps.finance_sentiment.simulation.events import draw_events
from apps.finance_sentiment.simulation.rhythm import NEGATIVE
from apps.finance_sentiment.stream.item import Item, parse_item
from tfarch.data.moments import iso_time
from tfarch.errors import InputError

CALM = SurgeSettings(per_topic_week=0, history_days=2)
INJECTED = SurgeSettings(per_topic_week=0.5, history_days=14)
HOUR, DAY = 3600, 86_400


def seconds(time):
    return datetime.datetime.fromisoformat(time).timestamp()


def real(days, daily=False, seed=0, per_day=40):
    """Uneven items of two topics, and their labels."""
    events = draw_events(2, StreamSettings(days=days, items_per_day=per_day, surges=CALM), np.random.default_rng(seed))
    start = seconds("2024-03-04T00:00:00Z")
    times = [start + (story.time // DAY * DAY if daily else story.time) for story in events.stories]
    items = [Item(f"r{n}", time, f"text {n}", "Paper") for n, time in enumerate(times)]
    labels = {
        item.id: ("ab"[story.topic], "negative" if story.sentiment == NEGATIVE else "neutral")
        for item, story in zip(items, events.stories, strict=True)
    }
    return items, labels


@pytest.mark.parametrize("daily", [False, True])
def test_injected_items_are_copies_of_negative_ones_from_elsewhere_inside_the_surge(daily):
    items, labels = real(90, daily)
    simulated = inject_surges(items, labels, INJECTED, seed=1)
    sources = {item.text: item for item in items}
    added = [item for item in simulated.items if item["id"] not in labels]
    assert [item for item in simulated.items if item["id"] in labels] == [
        {"id": item.id, "time": iso_time(item.time), "text": item.text, "publisher": item.publisher} for item in items
    ]
    assert [item["time"] for item in simulated.items] == sorted(item["time"] for item in simulated.items)
    assert len(added) == sum(surge["added"] for surge in simulated.truth["surges"]) > 10
    for surge in simulated.truth["surges"]:
        start, end = seconds(surge["start"]), seconds(surge["end"])
        assert start >= items[0].time // DAY * DAY + 14 * DAY
        mine = [
            item
            for item in added
            if start <= seconds(item["time"]) < end and simulated.truth["labels"][item["id"]]["topic"] == surge["topic"]
        ]
        assert len(mine) == surge["added"]
        assert len({item["text"] for item in mine}) == len(mine)
        for item in mine:
            source = sources[item["text"]]
            assert labels[source.id] == (surge["topic"], "negative")
            assert not start - 3 * DAY <= source.time < end + 3 * DAY
            assert simulated.truth["labels"][item["id"]] == {"topic": surge["topic"], "sentiment": "negative"}
        if daily:
            assert start % DAY == end % DAY == 0
            assert all(seconds(item["time"]) % DAY == 0 for item in mine)


def test_copies_stand_anywhere_among_the_items_of_their_day():
    items, labels = real(90, daily=True)
    places = []
    for seed in range(4):
        by_day = {}
        for item in inject_surges(items, labels, INJECTED, seed=seed).items:
            by_day.setdefault(item["time"], []).append(item["id"] in labels)
        places += [place / (len(day) - 1) for day in by_day.values() for place, real in enumerate(day) if not real and len(day) > 1]
    assert np.quantile(places, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.1)


def test_injected_surges_multiply_what_the_weeks_around_expect():
    items, labels = real(120, seed=4)
    beyond, added, expected = [], 0, 0
    for seed in range(25):
        for surge in inject_surges(items, labels, dataclasses.replace(INJECTED, factors=(3.0,)), seed).truth["surges"]:
            beyond.append(surge["added"] - 2 * surge["expected"])
            added, expected = added + surge["added"], expected + surge["expected"]
    assert abs(sum(beyond)) < 4 * np.sqrt(np.square(beyond).sum())
    assert added / expected == pytest.approx(2, rel=0.05)


def test_what_is_expected_without_a_surge_is_what_there_is_on_average():
    items, labels = real(120, seed=4)
    found = expected = 0
    for seed in range(25):
        for surge in inject_surges(items, labels, INJECTED, seed).truth["surges"]:
            window = seconds(surge["start"]), seconds(surge["end"])
            found += sum(labels[item.id] == (surge["topic"], "negative") and window[0] <= item.time < window[1] for item in items)
            expected += surge["expected"]
    assert found / expected == pytest.approx(1, abs=0.2)


def test_copies_come_from_the_pool_that_is_given():
    items, labels = real(60)
    pool = [Item(f"p{n}", items[0].time, f"pooled {n}", "Archive") for n in range(300)]
    labels |= {item.id: ("ab"[n % 2], "negative") for n, item in enumerate(pool)}
    simulated = inject_surges(items, labels, INJECTED, seed=0, pool=pool)
    added = [item for item in simulated.items if item["id"].startswith("added-")]
    assert added
    assert all(item["publisher"] == "Archive" for item in added)
    assert not any(item["id"].startswith("p") for item in simulated.items)


def test_the_same_seed_injects_the_same_and_another_does_not():
    items, labels = real(60)
    one, again, other = (inject_surges(items, labels, INJECTED, seed) for seed in (1, 1, 2))
    assert one == again != other


def test_injection_says_what_it_lacks():
    items, labels = real(60)
    with pytest.raises(InputError, match="no items"):
        inject_surges([], {}, INJECTED, 0)
    with pytest.raises(InputError, match="item 'r0' has no label"):
        inject_surges(items, {}, INJECTED, 0)
    with pytest.raises(InputError, match="history of 60 days leaves nothing of 60"):
        inject_surges(items, labels, SurgeSettings(history_days=60), 0)
    with pytest.raises(InputError, match=r"needs \d+ negative items and there are 0 to copy"):
        inject_surges(items, labels, dataclasses.replace(INJECTED, factors=(4.0,)), 0, pool=[])
    once = inject_surges(items, labels, INJECTED, 1)
    told = {name: (label["topic"], label["sentiment"]) for name, label in once.truth["labels"].items()}
    with pytest.raises(InputError, match="an item has the id 'added-000001'"):
        inject_surges([parse_item(item) for item in once.items], told, INJECTED, 1)
