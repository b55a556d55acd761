"""The deciding part of a watch, item by item: a planted surge is told once, with its evidence; and nothing depends on when it is stored and restored."""

import json

import numpy as np
import pytest

from apps.finance_sentiment.stream.item import Item, MalformedItem, parse_time
from apps.finance_sentiment.watch.engine import Engine
from apps.finance_sentiment.watch.reading import Judgement
from apps.finance_sentiment.watch.settings import DAY, HOUR, WatchSettings
from tests.tiny_watch import told
from tfarch.errors import InputError

BEGIN = parse_time("2026-01-05")
TOPICS = ("oil", "rates")
SETTINGS = WatchSettings(history_days=14, false_alarms_per_day=0.02, silent_feeds_per_day=0.0)
SURGE = (BEGIN + 16 * DAY, BEGIN + 16 * DAY + 18 * HOUR)


def stream(days=19, surge=SURGE, seed=0):
    """(item, judgement): about an item an hour of each topic, a third of them negative; in the surge oil has four negative ones an hour more."""
    rng = np.random.default_rng(seed)
    found = []
    for hour in range(days * 24):
        begin = BEGIN + hour * HOUR
        for topic in range(2):
            extra = rng.poisson(4) if topic == 0 and surge[0] <= begin < surge[1] else 0
            for bad in [*(rng.random(rng.poisson(1.0)) < 1 / 3), *[True] * extra]:
                found.append((begin + rng.uniform(0, HOUR), topic, bool(bad)))
    found.sort()
    return [
        (
            Item(str(n), time, f"{TOPICS[topic]} story {n}", f"Publisher {n % 3}"),
            Judgement(topic, bad, -0.9 + (n % 7) / 100 if bad else 0.2),
        )
        for n, (time, topic, bad) in enumerate(found)
    ]


def engine(settings=SETTINGS):
    return Engine(TOPICS, "model 1", settings)


@pytest.fixture(scope="module")
def lines():
    return told(engine(), stream())


def of(lines, state, topic="oil"):
    return [line for line in lines if line["state"] == state and line["topic"] == topic]


def test_a_surge_fires_once_within_hours_and_is_resolved_after_it(lines):
    (fired,) = of(lines, "firing")
    assert SURGE[0] < parse_time(fired["time"]) <= SURGE[0] + 6 * HOUR
    later = [parse_time(line["time"]) for line in of(lines, "resolved") if parse_time(line["time"]) > parse_time(fired["time"])]
    assert SURGE[1] <= later[0] <= SURGE[1] + 24 * HOUR
    assert len(later) == 1


def test_nothing_is_told_while_the_usual_is_learned(lines):
    assert min(parse_time(line["time"]) for line in lines) > BEGIN + 14 * DAY


def test_the_alert_says_what_was_counted_and_what_is_usual(lines):
    (fired,) = of(lines, "firing")
    begin, end = parse_time(fired["opened"]), parse_time(fired["time"])
    counted = [judgement.negative for item, judgement in stream() if judgement.topic == 0 and begin <= item.time < end]
    assert (fired["items"], fired["negatives"]) == (len(counted), sum(counted))
    assert fired["negative_share"] == pytest.approx(sum(counted) / len(counted), abs=1e-4)
    assert fired["baseline"] == pytest.approx(1 / 3, abs=0.08)
    assert fired["expected_negatives"] == pytest.approx((end - begin) / HOUR / 3, rel=0.5)
    assert fired["detector"]["statistic"] > fired["detector"]["threshold"]
    assert fired["model"] == "model 1"


def test_the_evidence_are_the_worst_negative_headlines_of_the_surge_by_different_publishers(lines):
    (fired,) = of(lines, "firing")
    begin, end = parse_time(fired["opened"]), parse_time(fired["time"])
    there = {item.id: (item, judgement) for item, judgement in stream()}
    assert len(fired["evidence"]) == 5
    assert len({each["publisher"] for each in fired["evidence"][:3]}) == 3
    for each in fired["evidence"]:
        item, judgement = there[each["id"]]
        assert (judgement.negative, judgement.topic) == (True, 0)
        assert begin <= item.time < end
    worst = min(
        judgement.score for item, judgement in there.values() if judgement.negative and judgement.topic == 0 and begin <= item.time < end
    )
    assert fired["evidence"][0]["score"] == pytest.approx(worst)
    assert set(fired["publishers"]) == {"Publisher 0", "Publisher 1", "Publisher 2"}


def test_a_pending_alert_comes_before_or_with_it_and_is_the_same_alert(lines):
    pending, (fired,) = of(lines, "pending"), of(lines, "firing")
    if pending and parse_time(pending[-1]["time"]) < parse_time(fired["time"]):
        assert pending[-1]["opened"] == fired["opened"]


@pytest.mark.parametrize("every", [97, 400])
def test_what_was_stored_and_restored_goes_on_as_if_nothing_had_been(lines, every):
    items, found = stream(), []
    kept = engine()
    for start in range(0, len(items), every):
        found += told(kept, items[start : start + every])
        facts = json.loads(json.dumps(kept.as_facts()))
        buckets = [(number, np.array(counts.tolist())) for number, counts in sorted(kept.tally._counts.items())]
        kept = engine()
        kept.restore(facts, buckets)
    assert found == lines


def test_items_that_come_late_count_where_they_belong(lines):
    items = stream()
    late = []
    for position, (item, _) in enumerate(items):  # every fifth comes up to two hours late
        late.append((item.time + (position % 5 == 0) * 2 * HOUR, position))
    shuffled = [items[position] for _, position in sorted(late)]
    (fired,) = of(told(engine(), shuffled), "firing")
    (before,) = of(lines, "firing")
    assert abs(parse_time(fired["time"]) - parse_time(before["time"])) <= 3 * HOUR


def test_an_item_from_the_far_future_is_refused_and_closes_nothing():
    watched = engine()
    items = stream()
    found = told(watched, items[:2000])
    with pytest.raises(MalformedItem, match=r"its time, 2027-01-05T00:00:00Z, is 3\d\d\.\d days ahead"):
        watched.admit(Item("x", parse_time("2027-01-05"), "x", ""))
    found += told(watched, items[2000:])
    assert found == told(engine(), items)


def test_a_pause_of_the_stream_is_believed_when_others_confirm_it():
    watched = engine()
    told(watched, stream()[:100])
    later = [Item(f"later {n}", BEGIN + 30 * DAY + n, "x", "") for n in range(3)]
    for item in later[:2]:
        with pytest.raises(MalformedItem):
            watched.admit(item)
    watched.admit(later[2])
    assert watched.clock.now == later[2].time


def test_an_alert_that_is_open_before_a_long_pause_is_over_before_what_is_usual_is_forgotten():
    watched = engine()
    lines = told(watched, [each for each in stream() if each[0].time < SURGE[0] + 8 * HOUR])
    assert of(lines, "firing")
    assert not [line for line in of(lines, "resolved") if parse_time(line["time"]) > SURGE[0]]
    later = [Item(f"later {n}", BEGIN + 300 * DAY + n, "x", "") for n in range(3)]
    for item in later[:2]:
        with pytest.raises(MalformedItem):
            watched.admit(item)
    (over,) = [event.line for event in watched.admit(later[2]) if event.line["topic"] == "oil"]
    assert over["state"] == "resolved"
    assert watched.usual is None


def test_an_item_older_than_the_history_is_counted_nowhere():
    watched = engine()
    told(watched, stream()[:100])
    watched.count(Item("old", BEGIN - 400 * DAY, "x", ""), Judgement(0, True, -1.0))
    assert watched.tally.first == int(BEGIN // HOUR)
    assert watched.counted["older than the history that is kept"] == 1


def test_topics_that_fire_together_are_one_group():
    items = [(item, judgement) for item, judgement in stream()]
    both = [(item, Judgement(1 - judgement.topic, judgement.negative, judgement.score)) for item, judgement in stream(seed=1)]
    twin = sorted(
        [*items, *((Item(f"b{item.id}", item.time, item.text, item.publisher), j) for item, j in both)], key=lambda pair: pair[0].time
    )
    lines = told(engine(), twin)
    fired = [*of(lines, "firing", "oil"), *of(lines, "firing", "rates")]
    near = [line for line in fired if SURGE[0] < parse_time(line["time"]) <= SURGE[0] + 6 * HOUR]
    assert {line["topic"] for line in near} == {"oil", "rates"}
    assert len({line["group"] for line in near}) == 1


def test_an_alert_that_never_ends_does_not_end_the_watch():
    settings = WatchSettings(**{**SETTINGS.as_dict(), "history_days": 7, "keep_days": 7, "refit_days": 1})
    items = stream(days=24, surge=(BEGIN + 9 * DAY, BEGIN + 24 * DAY))
    (fired,) = of(told(engine(settings), items), "firing")
    assert parse_time(fired["time"]) < BEGIN + 10 * DAY


def test_other_settings_learn_other_thresholds_from_the_same_history():
    watched = engine()
    told(watched, stream(days=15, surge=(0, 0)))
    facts = json.loads(json.dumps(watched.as_facts()))
    stricter = Engine(TOPICS, "model 1", WatchSettings(**{**SETTINGS.as_dict(), "false_alarms_per_day": 0.01}))
    stricter.restore(facts, sorted(watched.tally._counts.items()))
    assert (stricter.usual.calibration.threshold > watched.usual.calibration.threshold).all()


@pytest.mark.parametrize(
    ("topics", "settings", "message"),
    [(("oil", "gold"), SETTINGS, "of other topics"), (TOPICS, WatchSettings(bucket_minutes=30), "counts by 60 minutes")],
)
def test_a_state_that_does_not_fit_is_refused(topics, settings, message):
    watched = engine()
    told(watched, stream()[:50])
    with pytest.raises(InputError, match=message):
        Engine(topics, "model 1", settings).restore(watched.as_facts(), [])


@pytest.mark.parametrize(
    "values",
    [
        {"bucket_minutes": 7},
        {"history_days": 2},
        {"keep_days": 10},
        {"detector": "magic"},
        {"false_alarms_per_day": 0},
        {"resolve_odds": float("nan")},
    ],
)
def test_settings_that_make_no_sense_are_told(values):
    with pytest.raises(InputError):
        WatchSettings(**values)


def test_a_feed_that_falls_silent_is_told_and_told_again_when_it_is_back():
    settings = WatchSettings(history_days=14, false_alarms_per_day=0.1, silent_feeds_per_day=0.05)
    items = stream(days=24, surge=(0, 0))
    begin, end = BEGIN + 19 * DAY, BEGIN + 22 * DAY
    kept = [(item, judgement) for item, judgement in items if item.publisher != "Publisher 1" or not begin <= item.time < end]
    lines = [line for line in told(engine(settings), kept) if line["kind"] == "silent_feed"]
    assert [(line["publisher"], line["state"]) for line in lines] == [("Publisher 1", "firing"), ("Publisher 1", "resolved")]
    fell, back = lines
    assert begin < parse_time(fell["time"]) < begin + 2 * DAY
    assert fell["opened"] == back["opened"]
    assert begin - DAY < parse_time(fell["opened"]) < begin
    assert fell["expected_items"] > 5
    assert end <= parse_time(back["time"]) < end + DAY
