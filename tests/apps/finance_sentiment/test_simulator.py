"""A simulated stream is determined by its seed, has the flaws of real feeds, tells no text again too soon, and its truth tells all of it."""

import dataclasses
import datetime
import json
import re
from collections import Counter

import numpy as np
import pytest

from apps.finance_sentiment.simulation import StreamSettings, SurgeSettings, sample_rows, simulate, write
from apps.finance_sentiment.simulation.copies import broken, edited, syndicated
from apps.finance_sentiment.simulation.publishers import PUBLISHERS
from apps.finance_sentiment.simulation.rows import REST, RowPool
from apps.finance_sentiment.stream.item import MalformedItem, parse_item
from tfarch.errors import InputError

CALM = SurgeSettings(per_topic_week=0, history_days=2)
SHORT = StreamSettings(days=9, surges=SurgeSettings(per_topic_week=1, history_days=2, apart_days=1))
ROWS = sample_rows()
HOUR, DAY = 3600, 86_400


def seconds(time):
    return datetime.datetime.fromisoformat(time).timestamp()


def stories(simulated):
    """The items that tell a story for the first time."""
    return [item for line, item in enumerate(simulated.items, start=1) if str(line) not in simulated.truth["duplicates"]]


@pytest.fixture(scope="module")
def default():
    return simulate(ROWS, StreamSettings(), seed=0)


# The stream as a whole


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(tmp_path):
    for name, seed in (("one", 5), ("again", 5), ("other", 6)):
        write(tmp_path / name / "items.jsonl", tmp_path / name / "truth.json", simulate(ROWS, SHORT, seed))
    files = {name: [(tmp_path / name / file).read_bytes() for file in ("items.jsonl", "truth.json")] for name in ("one", "again", "other")}
    assert files["one"] == files["again"]
    assert files["one"][0] != files["other"][0]
    assert files["one"][1] != files["other"][1]
    assert [path.name for path in (tmp_path / "one").iterdir() if path.name.endswith(".part")] == []


def test_a_written_stream_is_read_back_line_by_line(tmp_path):
    simulated = simulate(ROWS, SHORT, seed=1)
    write(tmp_path / "items.jsonl", tmp_path / "truth.json", simulated)
    lines = (tmp_path / "items.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == simulated.items
    assert json.loads((tmp_path / "truth.json").read_text(encoding="utf-8")) == simulated.truth
    assert all(parse_item(line).id in simulated.truth["labels"] for line in lines)


def test_a_default_stream_is_several_thousand_items_over_six_weeks(default):
    assert 6_000 < len(default.items) < 14_000
    times = [seconds(item["time"]) for item in default.items]
    assert seconds(default.truth["start"]) == seconds("2026-01-05T00:00:00Z") <= min(times)
    assert max(times) < seconds(default.truth["end"]) == seconds("2026-02-16T00:00:00Z")
    assert default.truth["history_end"] == "2026-01-26T00:00:00Z"
    assert default.truth["settings"]["start"] == "2026-01-05"
    assert len(default.truth["topics"]) == 12


def test_every_id_has_the_topic_and_sentiment_of_its_row():
    rows = [
        (f"{topic} {sentiment} {name}", sentiment, topic)
        for topic in ("a", "b")
        for sentiment in ("negative", "neutral", "positive")
        for name in "xyz"
    ]
    simulated = simulate(rows, dataclasses.replace(SHORT, syndicated=0, edited=0), seed=0)
    for item in simulated.items:
        label = simulated.truth["labels"][item["id"]]
        assert item["text"].startswith(f"{label['topic']} {label['sentiment']} ")


def test_the_truth_tells_what_each_surge_brought(default):
    assert default.truth["surges"]
    told = Counter()
    for item in stories(default):
        told[tuple(default.truth["labels"][item["id"]].values()), seconds(item["time"]) // HOUR] += 1
    for surge in default.truth["surges"]:
        hours = range(int(seconds(surge["start"])) // HOUR, int(seconds(surge["end"])) // HOUR)
        found = sum(told[(surge["topic"], "negative"), hour] for hour in hours)
        assert 0 <= surge["added"] <= found
        assert surge["expected"] > 0
    assert sum(surge["added"] for surge in default.truth["surges"] if surge["factor"] == 4) > 20


# The flaws of feeds


def test_late_items_arrive_hours_after_their_time_and_others_do_not():
    settings = dataclasses.replace(SHORT, repeated=0, days=20)
    for late, expected in ((0.0, 0.0), (0.1, 0.1)):
        simulated = simulate(ROWS, dataclasses.replace(settings, late=late), seed=2)
        latest, behind = 0.0, 0
        for item in simulated.items:
            behind += seconds(item["time"]) < latest - HOUR
            latest = max(latest, seconds(item["time"]))
        # Of a story only the first line is late, and at night nothing shows how late it is.
        assert behind / len(stories(simulated)) == pytest.approx(expected, abs=0.03)


def test_every_line_that_tells_a_story_again_is_marked_and_says_how(default):
    family = {publisher.name: publisher.family for publisher in PUBLISHERS}
    first, kinds, labels = {}, Counter(), default.truth["labels"]
    for line, item in enumerate(default.items, start=1):
        mark = default.truth["duplicates"].get(str(line))
        if mark is None:
            assert item["id"] not in first
            first[item["id"]] = item
            continue
        original = first[mark["of"]]
        kinds[mark["kind"]] += 1
        assert labels[item["id"]] == labels[original["id"]]
        if mark["kind"] == "syndicated":
            assert item["id"] != original["id"]
            assert family[item["publisher"]] == family[original["publisher"]]
            assert abs(seconds(item["time"]) - seconds(original["time"])) <= 45 * 60 + 3 * HOUR
        else:
            assert item["id"] == original["id"]
            assert (item["text"] == original["text"]) == (mark["kind"] == "repeated")
    assert kinds["repeated"] / len(first) == pytest.approx(0.02, abs=0.006)
    assert kinds["edited"] / len(first) == pytest.approx(0.02, abs=0.006)
    assert 0.2 < kinds["syndicated"] / len(first) < 0.5


def test_a_syndicated_text_differs_a_little_and_keeps_its_words():
    rng = np.random.default_rng(0)
    for text, _, _ in ROWS:
        copy = syndicated(text, "Meridian Asia", rng)
        assert copy != text
        words = re.findall(r"\w+", copy.replace("Meridian Asia", "").lower())
        assert words == re.findall(r"\w+", text.lower())


def test_an_edited_text_is_marked_as_an_update_or_has_another_number():
    rng = np.random.default_rng(0)
    ways = Counter()
    for text, _, _ in ROWS:
        again = edited(text, rng)
        assert again != text
        ways[again.endswith(text)] += 1
        assert again.endswith(text) or re.sub(r"[\d.,]+", "#", again) == re.sub(r"[\d.,]+", "#", text)
    assert ways[False] > 20


def test_a_silent_publisher_brings_nothing():
    simulated = simulate(ROWS, dataclasses.replace(SHORT, silences_per_week=1), seed=0)
    assert len(simulated.truth["silences"]) > 5
    for silence in simulated.truth["silences"]:
        times = [seconds(item["time"]) for item in simulated.items if item["publisher"] == silence["publisher"]]
        assert times
        assert not [time for time in times if seconds(silence["start"]) <= time < seconds(silence["end"])]


def test_malformed_lines_are_told_and_cannot_be_read():
    simulated = simulate(ROWS, dataclasses.replace(SHORT, malformed=0.1), seed=0)
    lines = [number for number, item in enumerate(simulated.items, start=1) if isinstance(item, str)]
    assert simulated.truth["malformed"] == lines
    assert len(lines) / len(simulated.items) == pytest.approx(0.1 / 1.1, abs=0.02)
    for number in lines:
        with pytest.raises(MalformedItem):
            parse_item(simulated.items[number - 1])
    for number, mark in simulated.truth["duplicates"].items():
        item = simulated.items[int(number) - 1]
        assert (item["id"] == mark["of"]) == (mark["kind"] != "syndicated")


def test_every_way_of_breaking_a_line_breaks_it():
    item = {"id": "a-1", "time": "2026-01-05T10:00:00Z", "text": "Rates", "publisher": "Quickline"}
    rng = np.random.default_rng(0)
    for line in {broken(item, rng) for _ in range(400)}:
        assert "\n" not in line
        with pytest.raises(MalformedItem):
            parse_item(line)


# Texts


def test_no_text_is_told_again_within_48_hours_where_there_are_rows_enough():
    rows = sample_rows(("train", "valid", "test"))
    simulated = simulate(rows, StreamSettings(items_per_day=60, surges=CALM), seed=0)
    last = {}
    for item in sorted(stories(simulated), key=lambda item: item["time"]):
        time = seconds(item["time"])
        assert time - last.get(item["text"], 0) >= REST, item["text"]
        last[item["text"]] = time
    assert len(last) > 1_500


def plain_rows(count):
    return [
        (f"plain {sentiment} words of row {'abcdefghijklmnopqrstuvwxyz'[n % 26] * (1 + n // 26)}", sentiment, "a")
        for sentiment in ("negative", "neutral", "positive")
        for n in range(count)
    ]


def test_a_row_rests_for_48_hours_while_others_are_left():
    pool, rng, last = RowPool(plain_rows(50)), np.random.default_rng(0), {}
    for hour in range(500):
        text = pool.draw("a", "negative", hour * HOUR, rng)
        assert hour - last.get(text, -1000) >= 48
        last[text] = hour
    assert len(last) == 50


def test_the_least_recently_used_row_is_next_where_none_is_rested():
    pool, rng = RowPool(plain_rows(5)), np.random.default_rng(0)
    texts = [pool.draw("a", "negative", hour * HOUR, rng) for hour in range(40)]
    assert all(text == texts[place % 5] for place, text in enumerate(texts))


def test_where_none_is_rested_rows_that_can_be_varied_are_preferred():
    rows = [*plain_rows(3), *((f"Profit down {n} percent at the mill", "negative", "a") for n in (21, 34))]
    pool, rng = RowPool(rows), np.random.default_rng(0)
    texts = [pool.draw("a", "negative", hour * HOUR, rng) for hour in range(20)]
    assert Counter(text.startswith("plain") for text in texts) == {True: 3, False: 17}
    assert len(set(texts)) == 20


# What cannot be done


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"days": 0}, "days is 0"),
        ({"items_per_day": 0}, "items_per_day is 0"),
        ({"items_per_day": float("nan")}, "items_per_day is nan"),
        ({"clump_size": 0}, "clump_size is 0"),
        ({"late": 1.5}, "late is 1.5; it must be 0 to 1"),
        ({"least_negative": 0.5}, "most_negative is 0.45; it must be 0.5 to 1"),
        ({"days": 21}, "a history of 21 days leaves nothing of 21"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, said):
    with pytest.raises(InputError, match=re.escape(said)):
        StreamSettings(**change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"factors": ()}, "factors is empty"),
        ({"factors": (0.5,)}, "factors is 0.5"),
        ({"longest_hours": 3}, "longest_hours is 3; it must be at least 6"),
    ],
)
def test_surges_that_make_no_sense_are_refused(change, said):
    with pytest.raises(InputError, match=re.escape(said)):
        SurgeSettings(**change)


@pytest.mark.parametrize(
    ("rows", "seed", "said"),
    [
        ([], 0, "no rows"),
        ([("text", "glad", "a")], 0, "unknown sentiment 'glad'; known: negative, neutral, positive"),
        ([("text", "negative", "a")], 0, "topic 'a' has no neutral row"),
        (ROWS, -1, "seed is -1"),
    ],
)
def test_rows_and_seeds_that_cannot_be_used_are_refused(rows, seed, said):
    with pytest.raises(InputError, match=re.escape(said)):
        simulate(rows, SHORT, seed)
