"""What follows while nothing comes: a live stream's time goes on, but never past news that a slow source has still to bring."""

import time

import pytest

from apps.finance_sentiment.stream.item import parse_time
from apps.finance_sentiment.watch import quiet
from apps.finance_sentiment.watch.quiet import Quiet
from apps.finance_sentiment.watch.settings import HOUR
from tests.tiny_watch import DAYS, Given, calm, surge, watch

NOW = 1_800_000_000.0


class Clocks:
    """The clock on the wall and a steady one, both set by hand."""

    def __init__(self, wall=NOW):
        self.wall_now, self.steady_now = wall, 50.0
        self.quiet = Quiet(lambda: self.wall_now, lambda: self.steady_now)

    def pass_(self, seconds):
        self.wall_now += seconds
        self.steady_now += seconds


def test_nothing_follows_before_two_minutes_without_an_item_and_then_what_may_come_late_is_waited_for():
    clocks = Clocks()
    clocks.pass_(119)
    assert clocks.quiet.time(NOW - 7 * HOUR, 6.0) is None
    clocks.pass_(1)
    assert clocks.quiet.time(NOW - 7 * HOUR, 6.0) == NOW + 120 - 6 * HOUR
    clocks.quiet.heard()
    assert clocks.quiet.time(NOW, 6.0) is None


def test_before_the_first_item_and_in_a_replay_nothing_follows():
    clocks = Clocks()
    clocks.pass_(1000)
    assert clocks.quiet.time(None, 6.0) is None
    assert clocks.quiet.time(NOW - 100 * HOUR, 6.0) is None
    assert clocks.quiet.time(NOW + 100 * HOUR, 6.0) is None


@pytest.mark.parametrize("hours", [-48, 48])
def test_a_clock_that_is_set_while_the_watch_runs_is_not_followed(hours):
    clocks = Clocks()
    clocks.pass_(HOUR)
    clocks.quiet.heard()
    clocks.pass_(600)
    clocks.wall_now += hours * HOUR
    assert clocks.quiet.time(NOW + HOUR, 6.0) <= NOW + HOUR + 600 - 6 * HOUR


def test_a_clock_that_was_behind_at_the_start_is_mended_by_the_stream():
    clocks = Clocks(wall=NOW - 60 * HOUR)
    clocks.pass_(60)
    clocks.wall_now = NOW
    clocks.quiet.heard()
    clocks.pass_(300)
    assert clocks.quiet.time(NOW, 6.0) == NOW + 300 - 6 * HOUR


def test_what_came_while_the_watch_was_down_is_judged_alike_whether_its_source_is_quick_or_slow(tmp_path):
    outage = time.time() // HOUR * HOUR - 20 * HOUR
    before, backlog, found = calm(outage - DAYS * 24 * HOUR), surge(outage), {}
    for kind, waits in (("quick", []), ("slow", [None, lambda: time.sleep(1.2)])):
        (tmp_path / kind).mkdir()
        watch(tmp_path / kind, Given(before, name="before"))
        found[kind] = watch(tmp_path / kind, Given([*waits, *backlog]))
    assert any(line["state"] == "firing" for line in found["quick"])
    assert found["slow"] == found["quick"]


@pytest.mark.parametrize(("hours_ago", "states"), [(12, ["firing"]), (3, [])])
def test_a_live_stream_that_is_quiet_ends_its_buckets_but_for_those_that_late_items_may_change(tmp_path, monkeypatch, hours_ago, states):
    monkeypatch.setattr(quiet, "SECONDS", 0.5)
    end = time.time() // HOUR * HOUR - hours_ago * HOUR
    stream = [*calm(end - (DAYS * 24 + 1) * HOUR), *surge(end - HOUR, hours=1)]
    # What is to come has time to come on a busy machine too.
    lines = watch(tmp_path, Given([*stream, lambda: time.sleep(8.0 if states else 2.5)]))
    assert [line["state"] for line in lines][:1] == states
    assert [parse_time(line["time"]) for line in lines][:1] == [end] * len(states)
    assert all(parse_time(line["time"]) <= time.time() - 6 * HOUR for line in lines)
