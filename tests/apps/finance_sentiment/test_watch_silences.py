"""Silences hold by the time of each alert change, however the stream is cut into batches; when one is over, what is then the case is told, once."""

import itertools
import json

import pytest

from apps.finance_sentiment.stream.item import parse_time
from apps.finance_sentiment.watch import loop
from apps.finance_sentiment.watch.outputs import LineStream
from apps.finance_sentiment.watch.shown import alert_text
from apps.finance_sentiment.watch.silences import HeldBack, Silenced, read_silence
from apps.finance_sentiment.watch.timeline import write_timeline
from tests.tiny_watch import DAYS, HOUR, Given, calm, surge, watch
from tfarch.data.moments import iso_time

BEGIN = parse_time("2026-01-05")
SURGE = BEGIN + DAYS * 24 * HOUR
STREAM = [*calm(BEGIN), *surge(SURGE, hours=12), *calm(SURGE + 12 * HOUR, hours=5 * 24)]
TEN = [parse_time("2026-02-01") + hour * HOUR for hour in range(10)]


def line(state, hour, topic="oil"):
    return {"kind": "surge", "topic": topic, "state": state, "time": iso_time(TEN[hour])}


def told(lines):
    return [(each["topic"], each["state"], each["time"][11:13]) for each in lines if not each.get("silenced")]


def passed(changes, silences, *, restart_before=None, ended=()):
    """Every line that is stored where alert changes come at their own time; `ended` are hours at which the stream's time is looked at."""
    stored, held = [], HeldBack(silences)
    for number, change in enumerate(changes):
        if number == restart_before:
            held = HeldBack(silences, [{**each, "seq": seq} for seq, each in enumerate(stored, 1)])
        hour = TEN.index(parse_time(change["time"]))
        for each in ended:
            if each <= hour:
                stored += held.ended(TEN[each])
        stored += held.pass_on(change)
    return stored + held.ended(TEN[-1])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("firing", 3), ("resolved", 4)], []),
        ([("pending", 3), ("firing", 4)], [("firing", "04")]),
        ([("pending", 4), ("resolved", 8)], [("pending", "04"), ("resolved", "08")]),
        ([("firing", 3), ("resolved", 8)], [("firing", "03"), ("resolved", "08")]),
        ([("firing", 1), ("resolved", 4)], [("firing", "01"), ("resolved", "04")]),
        ([("firing", 1), ("resolved", 3), ("firing", 4)], [("firing", "01"), ("resolved", "03"), ("firing", "04")]),
        ([("firing", 1), ("resolved", 3), ("firing", 4), ("resolved", 5)], [("firing", "01"), ("resolved", "03")]),
        ([("pending", 1), ("firing", 3)], [("pending", "01"), ("firing", "03")]),
        ([("firing", 6), ("resolved", 7)], [("firing", "06"), ("resolved", "07")]),
    ],
)
def test_what_is_told_is_the_state_before_the_silence_and_the_one_after_it(changes, expected):
    lines = [line(*each) for each in changes]
    silences = [Silenced("oil", TEN[2], TEN[6])]
    stored = passed(lines, silences)
    assert told(stored) == [("oil", *each) for each in expected]
    for restart, looked in itertools.product((None, *range(len(lines))), ((), (3,), (6, 7))):
        assert told(passed(lines, silences, restart_before=restart, ended=looked)) == told(stored)


def test_a_line_is_silenced_by_its_own_time_and_its_own_topic():
    silences = [Silenced("o*", TEN[2], TEN[4])]
    held = HeldBack(silences)
    assert [held.pass_on(line("firing", hour))[-1].get("silenced") for hour in (1, 2, 3, 4)] == [None, True, True, None]
    assert "silenced" not in held.pass_on(line("firing", 3, "rates"))[0]
    feed = {"kind": "silent_feed", "topic": None, "publisher": "our wire", "state": "firing", "time": iso_time(TEN[3])}
    assert held.pass_on(feed)[0]["silenced"]


def test_a_line_that_is_ahead_of_the_stream_is_not_told_for_being_ahead_of_the_silence():
    held = HeldBack([Silenced("oil", TEN[2], TEN[6])])
    held.pass_on(line("firing", 3))
    assert held.ended(TEN[1]) == held.ended(TEN[5]) == []
    assert told(held.ended(TEN[6])) == [("oil", "firing", "03")]
    assert held.ended(TEN[7]) == []


def test_a_silence_that_a_person_lifts_ends_at_the_next_start():
    held = HeldBack([Silenced("oil")])
    (stored,) = held.pass_on(line("firing", 3))
    (lifted,) = HeldBack([], [{**stored, "seq": 1}]).ended(TEN[5])
    assert lifted == {**line("firing", 3), "silenced_until": iso_time(TEN[5])}


@pytest.fixture(scope="module")
def calm_lines(tmp_path_factory):
    """The lines of the stream without a silence: one alert fires and is resolved."""
    lines = watch(tmp_path_factory.mktemp("calm"), Given(STREAM))
    assert [each["state"] for each in lines if each["state"] != "pending"] == ["firing", "resolved"]
    return lines


def silence_around(lines, *, after=1.5, length=3.0):
    """From shortly before the alert fires to some hours later, while it still fires."""
    fired = parse_time(next(each["time"] for each in lines if each["state"] == "firing"))
    return read_silence(f"oil={iso_time(fired - after * HOUR)}/{iso_time(fired + length * HOUR)}")


def delivered(text):
    return [json.loads(each) for each in text.splitlines()]


@pytest.mark.parametrize("batch", [512, 7, 50])
def test_an_alert_that_outlasts_a_silence_is_told_when_it_is_over_whatever_the_batches(tmp_path, calm_lines, monkeypatch, capsys, batch):
    monkeypatch.setattr(loop, "BATCH", batch)
    silence = silence_around(calm_lines)
    stored = watch(tmp_path, Given(STREAM), outputs=[LineStream], silences=[silence])
    lines = [each for each in delivered(capsys.readouterr().out) if each["state"] != "pending"]
    assert [each["state"] for each in lines] == ["firing", "resolved"]
    fired, whole = lines[0], next(each for each in calm_lines if each["state"] == "firing")
    assert silence.end <= parse_time(fired["silenced_until"]) < silence.end + HOUR
    assert {**fired, "seq": 0} == {**whole, "seq": 0, "silenced_until": fired["silenced_until"]}
    assert "silenced until" in alert_text(fired)
    assert [each.get("silenced", False) for each in stored if each["state"] == "firing"] == [True, False]


def test_it_is_told_once_though_the_watch_is_started_again_and_again(tmp_path, calm_lines, capsys):
    silence = silence_around(calm_lines)
    for end in range(600, len(STREAM) + 30, 30):
        watch(tmp_path, Given(STREAM[:end]), outputs=[LineStream], silences=[silence])
    lines = [each for each in delivered(capsys.readouterr().out) if each["state"] != "pending"]
    assert [each["state"] for each in lines] == ["firing", "resolved"]


def test_the_timeline_has_it_once_and_says_until_when_it_was_silenced(tmp_path, calm_lines):
    watch(tmp_path, Given(STREAM), silences=[silence_around(calm_lines)])
    assert write_timeline(tmp_path / "state.sqlite", tmp_path / "page.html")["alerts"] == 1
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<details>") == 1
    assert "silenced until 2026-01-1" in page
