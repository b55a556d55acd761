"""Each finding on a log that has just that fault, and none on a sound one."""

import time

import numpy as np
import pytest

from tfarch.data.behaviour import Catalogue, Interactions
from tfarch.data.behaviour.check import LogSurvey, check_log

YEAR = 365 * 86_400.0


def survey(users=None, items=None, times=None, *, texts=None, since=None, values=None, **facts):
    """A sound log of 80 users with 150 events each over a year, but for what is given."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(80), 150) if users is None else users
    items = rng.integers(0, 20, len(users)) if items is None else items
    times = rng.permutation(len(users)) * (YEAR / len(users)) + 1.6e9 if times is None else times
    names = [str(item) for item in range(20)]
    log = Interactions.of([f"u{user}" for user in users], [str(item) for item in items], times, values=values, item_ids=names)
    texts = [f"Item {name}" for name in names] if texts is None else texts
    catalogue = Catalogue(log.item_ids, tuple(texts), tuple(texts), ((),) * 20, np.full(20, np.nan) if since is None else since)
    return LogSurvey(log, catalogue, np.arange(len(log)), "log.csv", **{"dated": True, "bad_rows": (), "liked": 0.0, **facts})


def found(survey):
    """By kind; but for what every one of these logs has: of twenty items each user has had all before."""
    return {finding.kind: finding for finding in check_log(survey) if finding.kind != "had_before"}


def test_what_a_user_had_before_he_is_asked_for_is_told():
    told = {finding.kind: finding for finding in check_log(survey())}["had_before"]
    assert told.severity == "note"
    assert 900 < told.count < 1200  # nearly a fifth of the events from the middle on
    users = np.repeat(np.arange(8), 20)
    once = survey(users=users, items=np.tile(np.arange(20), 8))
    assert "had_before" not in {finding.kind for finding in check_log(once)}


def test_a_sound_log_has_nothing_to_complain_of():
    assert found(survey()) == {}


def test_items_without_text_or_of_the_same_are_told():
    texts = ["", "", "Twin", "Twin", *(f"Item {number}" for number in range(16))]
    told = found(survey(texts=texts))
    assert told["items_without_text"].count == 2
    assert told["items_without_text"].severity == "warning"
    assert [example.label for example in told["items_without_text"].examples] == ["0", "1"]
    assert told["items_of_one_text"].count == 2
    assert [example.text for example in told["items_of_one_text"].examples] == ["Twin", "Twin"]


def test_users_with_one_event_are_told():
    users = np.concatenate([np.repeat(np.arange(80), 150), [100, 101]])
    told = found(survey(users=users))
    assert set(told) == {"users_with_one_event"}
    assert told["users_with_one_event"].count == 2
    assert {example.label for example in told["users_with_one_event"].examples} == {"u100", "u101"}


def test_events_out_of_time_are_told():
    times = np.random.default_rng(1).permutation(12000) * (YEAR / 12000) + 1.6e9
    times[:3] = time.time() + 10 * YEAR
    since = np.full(20, np.nan)
    since[4] = 1.6e9 + YEAR / 2
    told = found(survey(times=times, since=since))
    assert (told["events_in_the_future"].severity, told["events_in_the_future"].count) == ("error", 3)
    early = told["events_before_their_item"]
    assert 200 < early.count < 400
    assert all("Item 4" in example.text for example in early.examples)


def test_repeated_events_and_bursts_are_told():
    users, items = np.repeat(np.arange(80), 150), np.tile(np.arange(20), 600)
    times = np.random.default_rng(2).permutation(12000) * (YEAR / 12000) + 1.6e9
    times[:25], items[:25] = 1.6e9, [*range(20), 0, 1, 2, 3, 4]
    told = found(survey(users=users, items=items, times=times))
    assert told["repeated_events"].count == 5
    assert told["bursts"].count == 25
    assert told["bursts"].severity == "note"


def test_a_log_without_times_is_told_and_not_asked_for_what_needs_them():
    users = np.random.default_rng(3).permutation(np.repeat(np.arange(80), 150))
    assert set(found(survey(users=users, times=np.arange(12000.0), dated=False))) == {"no_times"}


def test_a_value_that_no_event_has_is_an_error():
    told = found(survey(values=np.full(12000, 3.0), liked=4.0))
    assert told["nothing_wanted"].severity == "error"


@pytest.mark.parametrize(("events", "severity"), [(2, "error"), (120, "warning")])
def test_a_log_of_which_nobody_can_be_asked_is_told(events, severity):
    users = np.repeat(np.arange(12), events)
    assert found(survey(users=users))["few_queries"].severity == severity
