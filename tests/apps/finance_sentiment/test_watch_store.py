"""The file that a watch keeps its state in: no other database becomes one, what is written is on the disk, and it can be read while a watch works with it."""

import os
import signal
import sqlite3

import numpy as np
import pytest

from apps.finance_sentiment.watch.store import APPLICATION_ID, Store
from apps.finance_sentiment.watch.timeline import write_timeline
from tests.tiny_watch import DAYS, HOUR, Given, calm, surge, watch
from tfarch.errors import InputError

BEGIN = 1_800_000_000 // HOUR * HOUR


def state(folder):
    return folder / "state.sqlite"


@pytest.mark.parametrize("schema", ["CREATE TABLE notes (text TEXT)", "CREATE TABLE facts (name, value)", "PRAGMA application_id = 7"])
def test_a_database_of_something_else_is_refused_and_left_as_it_was(tmp_path, schema):
    with sqlite3.connect(state(tmp_path)) as base:
        base.execute(schema)
    base.close()
    before = state(tmp_path).read_bytes()
    for read_only in (False, True):
        with pytest.raises(InputError, match="is no state of a watch but another database"):
            Store(state(tmp_path), read_only=read_only)
    assert state(tmp_path).read_bytes() == before
    assert not state(tmp_path).with_name("state.sqlite-wal").exists()


def test_a_state_says_what_it_is_and_an_older_one_that_does_not_is_taken(tmp_path):
    Store(state(tmp_path)).write(facts={"x": 1}, positions={})
    with sqlite3.connect(state(tmp_path)) as base:
        assert base.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        base.execute("PRAGMA application_id = 0")
    base.close()
    for read_only in (True, False, True):
        store = Store(state(tmp_path), read_only=read_only)
        assert store.fact("x") == 1
        store.close()
    with sqlite3.connect(state(tmp_path)) as base:
        assert base.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    base.close()


def test_a_bucket_of_nothing_has_no_row(tmp_path):
    store = Store(state(tmp_path))
    store.write(facts={}, positions={}, buckets=[(1, np.array([[2, 1]])), (2, np.array([[3, 0]]))])
    store.write(facts={}, positions={}, buckets=iter([(2, np.array([[0, 0]])), (3, np.array([[0, 0]]))]))
    assert [(number, counts.tolist()) for number, counts in store.buckets()] == [(1, [[2, 1]])]


def test_a_refused_file_is_not_kept_locked(tmp_path):
    state(tmp_path).write_bytes(b"no database at all, and longer than the head of one is" * 10)
    for _ in range(2):
        with pytest.raises(InputError, match="is no state of a watch"):
            Store(state(tmp_path))
    state(tmp_path).unlink()
    Store(state(tmp_path)).close()


def test_what_a_batch_changes_is_on_the_disk_before_anybody_is_told(tmp_path):
    store, said = Store(state(tmp_path)), []
    store._base.set_trace_callback(said.append)
    store.write(facts={}, positions={})
    (begun,) = [number for number, statement in enumerate(said) if statement.startswith("BEGIN")]
    assert [statement for statement in said[:begun] if "synchronous" in statement][-1] == "PRAGMA synchronous=FULL"
    assert "COMMIT" in said
    store.close()


def test_the_timeline_is_written_while_the_watch_is_at_work(tmp_path):
    watch(tmp_path, Given([*calm(BEGIN), *surge(BEGIN + DAYS * 24 * HOUR)]))
    at_work = Store(state(tmp_path))
    at_work.write(
        facts={}, positions={}, lines=[{**next(at_work.every_line()), "state": "firing", "topic": "oil", "time": "2030-01-01T00:00:00Z"}]
    )
    told = write_timeline(state(tmp_path), tmp_path / "page.html")
    at_work.write(facts={}, positions={})
    at_work.close()
    assert told["alerts"] == 2
    assert "2030-01-01" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("killed", [False, True])
def test_a_state_is_read_after_its_watch_ended_and_after_it_was_killed(tmp_path, killed):
    child = os.fork()
    if child == 0:
        try:
            store = Store(state(tmp_path))
            store.write(facts={"x": 1}, positions={})
            if killed:
                os.kill(os.getpid(), signal.SIGKILL)
            store.close()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) == killed
    assert state(tmp_path).with_name("state.sqlite-wal").exists() == killed
    for read_only in (True, False, True):
        store = Store(state(tmp_path), read_only=read_only)
        assert store.fact("x") == 1
        store.close()


def test_what_is_read_beside_a_watch_is_as_of_one_moment_and_cannot_be_written(tmp_path):
    at_work = Store(state(tmp_path))
    at_work.write(facts={"x": 1}, positions={})
    beside = Store(state(tmp_path), read_only=True)
    assert beside.fact("x") == 1
    at_work.write(facts={"x": 2}, positions={}, lines=[{"state": "firing", "time": "2026-01-05T00:00:00Z"}])
    assert (beside.fact("x"), beside.last_line()) == (1, 0)
    with pytest.raises(Exception, match="could not be written"):
        beside.write(facts={}, positions={})
    beside.close()
    at_work.close()
    assert Store(state(tmp_path), read_only=True).fact("x") == 2
