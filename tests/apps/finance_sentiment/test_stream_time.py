"""The stream's time goes by what its items agree on: no few wrong ones carry it off, an honest pause is followed, and what is read again is not counted again."""

import json
import random
from collections import Counter

import pytest

from apps.finance_sentiment.stream.duplicates import Duplicates
from apps.finance_sentiment.stream.item import Item, MalformedItem, parse_time
from apps.finance_sentiment.watch.clock import StreamClock, Vote
from apps.finance_sentiment.watch.engine import Engine
from apps.finance_sentiment.watch.reading import Judgement
from apps.finance_sentiment.watch.settings import DAY, HOUR, WatchSettings

BEGIN = parse_time("2026-01-05")
SETTINGS = WatchSettings(history_days=14, false_alarms_per_day=0.02, silent_feeds_per_day=0.0)
WIRE, POST = "wire", "post"


def clock(begin=BEGIN, count=40):
    """A clock that two publishers have told for twenty hours; it stands at the last item."""
    clock = StreamClock(72.0 * HOUR, 3.0 * HOUR)
    for number in range(count):
        assert clock.advance(vote(number, begin + (number - count + 1) * HOUR / 2, (WIRE, POST)[number % 2]))
    return clock


def vote(name, time, publisher=WIRE):
    return Vote(str(name), float(time), publisher)


def after(clock, *votes, **given):
    """Of each item whether it can be counted."""
    return [clock.advance(each, **given) for each in votes]


def test_a_stream_in_order_is_followed_to_its_last_item():
    assert clock().now == BEGIN
    assert clock().held >= 15


def test_an_item_hours_ahead_is_counted_but_moves_nothing():
    told = clock()
    assert told.advance(vote("webinar on Friday", BEGIN + 71 * HOUR))
    assert told.now == BEGIN
    assert told.advance(vote("next", BEGIN + 600, POST))
    assert told.now == BEGIN + 600


def test_an_item_a_little_ahead_is_believed_by_itself_and_many_such_are_not():
    told = clock()
    after(told, *(vote(f"x{n}", BEGIN + n * 2 * HOUR, "calendar") for n in range(1, 30)))
    assert told.now <= BEGIN + 3 * HOUR


def test_wrong_items_that_do_not_agree_move_nothing():
    told = clock()
    times = (BEGIN + 4 * DAY, BEGIN + 300 * DAY, parse_time("2191-01-01"))
    assert after(told, *(vote(f"x{n}", time, (WIRE, POST)[n % 2]) for n, time in enumerate(times))) == [False, False, False]
    assert told.now == BEGIN


def test_one_wrong_item_that_comes_again_and_again_has_one_vote():
    told = clock()
    assert not any(after(told, *[vote("x", BEGIN + 300 * DAY)] * 9))
    assert not any(after(told, *(vote(f"copy {n}", BEGIN + 300 * DAY, f"paper {n}") for n in range(9)), fresh=False))
    assert told.now == BEGIN


def test_a_calendar_of_one_publisher_among_others_moves_nothing():
    told = clock()
    for n in range(40):
        told.advance(vote(f"event {n}", BEGIN + 60 * HOUR + n * HOUR / 4, "calendar"))
    assert told.now == BEGIN
    assert told.advance(vote("next", BEGIN + 60, POST))
    assert told.now == BEGIN + 60


@pytest.mark.parametrize("publishers", [(WIRE, POST, WIRE), ("", "", ""), ("new", POST, "new")])
@pytest.mark.parametrize("days", [2, 5, 400])
def test_after_a_pause_the_third_item_is_believed(publishers, days):
    told = clock()
    times = [BEGIN + days * DAY + n * 600 for n in range(3)]
    found = after(told, *(vote(f"x{n}", time, who) for n, (time, who) in enumerate(zip(times, publishers, strict=True))))
    assert found == [days < 3, days < 3, True]
    assert told.now == times[-1]


def test_after_a_pause_of_a_stream_of_one_publisher_it_is_believed_too():
    told = StreamClock(72.0 * HOUR, 3.0 * HOUR)
    after(told, *(vote(n, BEGIN + n * HOUR) for n in range(20)))
    later = [vote(f"later {n}", BEGIN + 9 * DAY + n) for n in range(3)]
    assert after(told, *later) == [False, False, True]
    assert told.now == later[-1].time


def test_where_old_and_new_are_mixed_the_most_are_believed():
    told = clock()
    for n in range(12):
        told.advance(vote(f"old {n}", BEGIN - n, POST))
        told.advance(vote(f"new {n}", BEGIN + 8 * DAY + n * 60, (WIRE, "")[n % 2]))
    assert told.now >= BEGIN + 8 * DAY


def test_items_that_are_dated_by_the_day_are_followed_from_day_to_day():
    told = StreamClock(72.0 * HOUR, 0.0)
    for day in range(30):
        if day % 7 < 5:
            found = [told.advance(vote(f"{day}.{n}", BEGIN + day * DAY, "")) for n in range(6)]
            assert all(found)
            assert told.now == BEGIN + day * DAY


@pytest.mark.parametrize("wrong", ["2191-01-01", "1990-01-01", "2026-01-07"])
def test_a_wrong_first_item_is_forgotten(wrong):
    told = StreamClock(72.0 * HOUR, 3.0 * HOUR)
    told.advance(vote("x", parse_time(wrong), "rumour"))
    after(told, *(vote(n, BEGIN + n * 600) for n in range(4)))
    assert told.now == BEGIN + 1800
    assert told.anew == (wrong != "2026-01-07" or told.now < parse_time(wrong))
    after(told, vote(5, BEGIN + 3000))
    assert told.now == BEGIN + 3000


def test_a_jump_that_fewer_items_bore_out_than_contradict_it_is_taken_back():
    told = clock()
    after(told, *(vote(f"x{n}", parse_time("2191-01-01") + n, (WIRE, POST)[n % 2]) for n in range(3)))
    assert told.now > parse_time("2191-01-01")
    after(told, *(vote(f"y{n}", BEGIN + n * 60, (WIRE, POST)[n % 2]) for n in range(20)))
    assert told.now == BEGIN + 19 * 60
    assert told.anew


def test_time_does_not_go_back_for_old_items_that_are_read_again():
    told = clock()
    after(told, *(vote(f"old {n}", BEGIN - 100 * DAY + n * HOUR, (WIRE, POST)[n % 2]) for n in range(500)))
    assert told.now == BEGIN
    assert not told.anew


@pytest.mark.parametrize("every", [1, 3, 50])
def test_what_was_stored_goes_on_as_if_nothing_had_been(every):
    rng, votes = random.Random(0), []
    for n in range(1000):
        off = rng.choice((0, 0, 0, 0, -8 * HOUR, 80 * HOUR, 400 * DAY, -50 * DAY))
        votes.append(vote(rng.randrange(n + 1), BEGIN + n * 600 + (n > 500) * 20 * DAY + off, rng.choice((WIRE, POST, ""))))
    whole, stored, found = StreamClock(72.0 * HOUR, 3.0 * HOUR), StreamClock(72.0 * HOUR, 3.0 * HOUR), []
    for n, each in enumerate(votes):
        found.append((whole.advance(each), whole.now))
        assert (stored.advance(each), stored.now) == found[-1]
        if n % every == 0:
            stored = StreamClock.from_dict(json.loads(json.dumps(stored.as_dict())), 72.0 * HOUR, 3.0 * HOUR)
            assert stored == whole
    assert sum(counted for counted, _ in found) > 740  # a quarter is far ahead
    assert found[-1][1] == pytest.approx(BEGIN + 999 * 600 + 20 * DAY, abs=2 * HOUR)


def test_the_time_of_an_older_state_is_gone_on_from():
    told = StreamClock.from_dict({"now": BEGIN, "ahead": 2}, 72.0 * HOUR, 3.0 * HOUR)
    assert told.advance(vote(1, BEGIN + HOUR))
    assert told.now == BEGIN + HOUR


# --- in the engine ---


def items(days, seed=0, begin=BEGIN, surge=()):
    """(item, judgement) about two an hour, a third negative; in the hours of the surge four negative ones more."""
    rng, found = random.Random(seed), []
    for hour in range(days * 24):
        found += [(begin + (hour + rng.random()) * HOUR, rng.random() < 1 / 3) for _ in range(rng.choice((1, 2, 3)))]
        found += [(begin + (hour + rng.random()) * HOUR, True) for _ in range(4 if hour in surge else 0)]
    return [
        (Item(f"{begin}.{n}", time, f"Company{seed}x{n} opens plant{n} in town{n}", f"Publisher {n % 3}"), Judgement(0, bad, -0.5))
        for n, (time, bad) in enumerate(sorted(found))
    ]


def engine(**settings):
    return Engine(("oil",), "model 1", WatchSettings(**{**SETTINGS.as_dict(), **settings}))


def told(engine, stream, duplicates=None):
    """The lines that come of items, where those that repeat others are not counted."""
    lines = []
    for item, judgement in stream:
        fresh = duplicates is None or duplicates.find(item) is None
        if duplicates is not None:
            duplicates.add(item)
        try:
            lines += [event.line for event in engine.admit(item, fresh=fresh)]
        except MalformedItem:
            continue
        if fresh:
            engine.count(item, judgement)
    return lines


def counted(engine):
    return sum(int(each[:, 0].sum()) for each in engine.tally._counts.values())


def test_one_item_of_a_wrong_time_makes_no_others_late_and_hides_no_surge():
    stream = items(17, surge=range(16 * 24, 16 * 24 + 12))
    place = next(n for n, (item, _) in enumerate(stream) if item.time > BEGIN + 15.9 * DAY)
    webinar = (Item("x", BEGIN + 18.8 * DAY, "Webinar on Friday", "Publisher 1"), Judgement(0, False, 0.1))
    plain, disturbed = engine(), engine()
    lines = told(plain, stream)
    assert "firing" in [line["state"] for line in lines]
    assert told(disturbed, [*stream[:place], webinar, *stream[place:]]) == lines
    assert disturbed.counted == plain.counted + Counter({"counted": 1})


def test_a_wrong_first_item_costs_the_items_until_it_is_contradicted():
    stream = items(16)
    for wrong in ("2191-01-01", "1990-01-01", "2025-12-11"):
        watched = engine()
        told(watched, [(Item("x", parse_time(wrong), "x", ""), Judgement(0, True, -0.9)), *stream])
        assert counted(watched) >= len(stream) - 2
        assert watched.usual is not None
        assert watched.usual.baseline.rates.sum() / 7 == pytest.approx(len(stream) / 16, rel=0.1)
        assert not any(number > watched.tally.bucket(BEGIN + 17 * DAY) for number in watched.tally._counts)


def test_after_a_wrong_jump_was_taken_back_what_is_usual_is_learned_at_once():
    stream = items(17)
    wrong = [(Item(f"x{n}", BEGIN + 45 * DAY + n, f"x{n}", f"Publisher {n}"), Judgement(0, True, -0.9)) for n in range(3)]
    watched = engine()
    told(watched, [*stream[:-100], *wrong, *stream[-100:]])
    assert watched.usual is not None
    assert watched.usual.fitted_at <= BEGIN + 17 * DAY
    assert max(watched.tally._counts) <= watched.tally.bucket(BEGIN + 17 * DAY)
    assert len(stream) - 20 <= counted(watched) <= len(stream)


# --- what is read again ---


def test_what_is_read_again_is_not_counted_again():
    stream, watched, duplicates = items(10), engine(), Duplicates()
    told(watched, stream, duplicates)
    assert counted(watched) == len(stream)
    told(watched, stream, duplicates)
    assert counted(watched) == len(stream)
    assert watched.counted["older than the duplicates remember"] > len(stream) / 2
    told(watched, items(1, begin=BEGIN + 10 * DAY, seed=1), duplicates)
    assert watched.clock.now > BEGIN + 10.9 * DAY


def test_a_history_of_months_in_order_is_counted_as_it_is():
    stream = items(70)
    watched = engine(keep_days=100, history_days=90)
    told(watched, stream, Duplicates())
    assert counted(watched) == len(stream)
    assert "older than the duplicates remember" not in watched.counted


def test_what_may_be_late_is_remembered_and_counted():
    watched = engine(lateness_hours=100.0)
    duplicates = Duplicates(window_seconds=watched.remembered_seconds)
    stream = items(10)
    late = [pair for pair in stream if pair[0].time < BEGIN + 6.5 * DAY and int(pair[0].time) % 5 == 0]
    on_time = [pair for pair in stream if pair not in late]
    told(watched, [*on_time, *late, *late], duplicates)
    within = [pair for pair in late if pair[0].time >= watched.clock.now - 100 * HOUR]
    assert within
    assert counted(watched) == len(on_time) + len(within)
    assert engine(lateness_hours=1.0).remembered_seconds == 48 * HOUR


# --- another model ---


def test_another_model_with_the_same_topics_says_so_and_learns_anew():
    said = []
    before = engine()
    lines = told(before, items(17, surge=range(16 * 24, 17 * 24)))
    assert [line["state"] for line in lines][-1] == "firing"
    facts, buckets = json.loads(json.dumps(before.as_facts())), sorted(before.tally._counts.items())
    other = Engine(("oil",), "model 2", SETTINGS, say=said.append)
    other.restore(facts, buckets)
    assert len(said) == 1
    assert "of another model (model 1; now model 2)" in said[0]

    twice = Engine(("oil",), "model 2", SETTINGS, say=said.append)  # killed before an item came: all is still to be done
    twice.restore(json.loads(json.dumps(other.as_facts())), buckets)
    assert len(said) == 2
    lines = told(other, items(15, begin=BEGIN + 17 * DAY, seed=1))
    assert [(line["topic"], line["state"], line["time"]) for line in lines[:1]] == [("oil", "resolved", "2026-01-22T00:00:00Z")]
    assert other.usual.fitted_at == BEGIN + 31 * DAY
    assert min(other.tally._counts) == other.tally.bucket(BEGIN + 17 * DAY)

    same = Engine(("oil",), "model 2", SETTINGS, say=said.append)
    same.restore(json.loads(json.dumps(other.as_facts())), sorted(other.tally._counts.items()))
    assert same.usual is not None
    assert len(said) == 2
