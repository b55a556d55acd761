"""Outputs get every line once and in order, whatever a server answers and whoever moves a file away; a new one begins with the next line."""

import contextlib
import io
import itertools
import json
import os
import socket
import threading
import time

import pytest

from apps.finance_sentiment.watch.outputs import AlertFile, LineStream, Viewed, Webhook
from apps.finance_sentiment.watch.store import Store
from tfarch.errors import InputError, TfarchError

OK = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
SECRET = "/services/T0/s3cret?key=s3cret"


def status(code, *headers):
    return "\r\n".join((f"HTTP/1.1 {code} x", "Content-Length: 0", "Connection: close", *headers, "", "")).encode()


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "state.sqlite")
    yield store
    store.close()


def add(store, *states):
    """Stores lines that are to be delivered."""
    store.write(facts={}, positions={}, lines=[{"state": state, "time": "2026-01-05T00:00:00Z"} for state in states])


def states_of(text):
    return [json.loads(line)["state"] for line in text.splitlines()]


@contextlib.contextmanager
def server(*answers):
    """A server that gives these bytes as answers, the last of them to all that follow: (address, requests as (method, path, body))."""
    listening, got = socket.create_server(("127.0.0.1", 0)), []
    left = itertools.chain(answers, itertools.repeat(answers[-1]))

    def serve():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                method, path, _ = stream.readline().decode().split()
                headers = dict(line.decode().lower().strip().split(": ", 1) for line in iter(stream.readline, b"\r\n"))
                got.append((method, path, stream.read(int(headers.get("content-length", 0)))))
                connection.sendall(next(left))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", got
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def sent(store, address, *states, seconds=5.0):
    """What a webhook says while lines are sent to it."""
    said = []
    hook = Webhook(address, store, said.append, timeout=2.0, first_wait=0.02, longest_wait=0.1)
    add(store, *states)
    hook.close(store, seconds)
    return said


def test_an_answer_that_is_no_http_is_told_once_and_costs_no_line(store):
    with server(b"rubbish\r\n\r\n", b"", OK) as (address, got):
        said = sent(store, address, "a", "b")
    assert [json.loads(body)["state"] for _, _, body in got] == ["a", "a", "a", "b"]
    assert sum("no HTTP" in line for line in said) <= 2
    assert said[-1].endswith("takes alerts again")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_its_answer_is_no_delivery(store, code):
    with server(OK) as (elsewhere, other), server(status(code, f"Location: {elsewhere}/x"), OK) as (address, got):
        said = sent(store, address, "a")
    assert other == []
    assert [method for method, _, _ in got] == ["POST", "POST"]
    assert f"status {code}, a redirect, which is not followed" in said[0]


@pytest.mark.parametrize("code", [400, 401, 404, 413, 422, 429, 500, 503])
def test_a_line_that_is_refused_is_sent_until_it_is_taken_and_none_overtakes_it(store, code):
    with server(*[status(code)] * 4, OK) as (address, got):
        said = sent(store, address, "a", "b")
    assert [json.loads(body)["state"] for _, _, body in got] == ["a"] * 5 + ["b"]
    assert sum("warning" in line for line in said) == 1
    assert f"status {code}; trying again" in said[0]


def test_what_no_server_took_lies_in_the_store_until_the_next_start(store):
    with server(status(401)) as (address, _):
        sent(store, address, "a", "b", seconds=0.3)
        assert store.delivered(f"webhook {address}")[0] == 0
    with server(OK) as (other, got):
        store.deliver(f"webhook {other}", store.delivered(f"webhook {address}")[0])  # as if it were the same, answering now
        sent(store, other, "c")
    assert [json.loads(body)["state"] for _, _, body in got] == ["a", "b", "c"]


def test_the_pace_grows_to_its_bound(store):
    with server(status(500)) as (address, got):
        said, begun = [], time.monotonic()
        hook = Webhook(address, store, said.append, first_wait=0.01, longest_wait=0.1)
        add(store, "a")
        hook.close(store, 1.0)
        tries = (time.monotonic() - begun) / 0.08 + 5  # 0.01, 0.02, 0.04, 0.08, then 0.08 at least
    assert 5 <= len(got) <= tries
    assert len(said) == 1


def test_a_webhook_that_is_gone_for_good_gets_nothing_more_and_keeps_nobody_waiting(store):
    with server(status(410)) as (address, got):
        begun = time.monotonic()
        said = sent(store, address, "a", "b", seconds=30.0)
    assert time.monotonic() - begun < 10
    assert len(got) == 1
    assert said == [f"warning: webhook {address}: status 410; nothing more is sent there until the next start"]
    assert store.delivered(f"webhook {address}")[0] == 0


def test_what_may_be_secret_in_an_address_is_not_told(store):
    with server(status(500), b"rubbish\r\n\r\n", OK) as (address, got):
        said = sent(store, address + SECRET, "a")
    assert got[0][1] == SECRET
    assert said
    assert not any("s3cret" in line for line in said)
    for wrong in (
        "ftp://user:s3cret@host/?s3cret",
        "http://user:s3cret@host/",
        "http://host:s3cret/",
        "http:///s3cret",
        "http://host/a b?s3cret",
    ):
        with pytest.raises(InputError) as refused:
            Webhook(wrong, store, said.append)
        assert "s3cret" not in str(refused.value)


def test_a_webhook_and_standard_output_that_are_new_begin_with_the_next_line(store):
    add(store, "old")
    stream = io.StringIO()
    output = LineStream(store, stream)
    output.flush(store)
    with server(OK) as (address, got):
        sent(store, address, "new")
    output.flush(store)
    assert [json.loads(body)["state"] for _, _, body in got] == ["new"]
    assert states_of(stream.getvalue()) == ["new"]


def test_what_was_stored_and_not_told_is_told_by_the_next_call_though_nothing_was_told_before(store):
    LineStream(store, io.StringIO())
    add(store, "a")  # and the watch is killed
    stream = io.StringIO()
    LineStream(store, stream).flush(store)
    assert states_of(stream.getvalue()) == ["a"]


def test_what_a_view_showed_is_not_told_again_without_it(store):
    LineStream(store, io.StringIO()).flush(store)
    viewed = Viewed()
    add(store, "shown")
    viewed.close(store)
    add(store, "new")
    stream = io.StringIO()
    LineStream(store, stream).close(store)
    assert states_of(stream.getvalue()) == ["new"]


def test_more_lines_than_are_read_at_once_are_told_at_the_end(store):
    stream = io.StringIO()
    output = LineStream(store, stream)
    add(store, *["a"] * 2100)
    output.close(store)
    assert len(states_of(stream.getvalue())) == 2100


def alerts(file):
    return states_of(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("create", [False, True])
def test_a_file_of_alerts_that_is_rotated_goes_on_in_a_new_one(store, tmp_path, create):
    file, old = tmp_path / "alerts.jsonl", tmp_path / "alerts.jsonl.1"
    output = AlertFile(file, store)
    add(store, "a", "b")
    output.flush(store)
    file.rename(old)
    if create:
        file.touch()
    add(store, "c")
    output.flush(store)
    assert (alerts(old), alerts(file)) == (["a", "b"], ["c"])
    assert store.delivered(output.name) == (3, file.stat().st_size)
    add(store, "d")
    output.close(store)
    again = AlertFile(file, store)
    add(store, "e")
    again.close(store)
    assert alerts(file) == ["c", "d", "e"]


@pytest.mark.parametrize("empty", [False, True])
def test_a_file_of_alerts_that_was_rotated_while_no_watch_was_at_work_goes_on_too(store, tmp_path, empty):
    file = tmp_path / "alerts.jsonl"
    output = AlertFile(file, store)
    add(store, "a")
    output.close(store)
    if empty:
        os.truncate(file, 0)
    else:
        file.rename(tmp_path / "old")
    again = AlertFile(file, store)
    add(store, "b")
    again.close(store)
    assert alerts(file) == ["b"]


@pytest.mark.parametrize("content", ["mine\n", '{"state": "a", "time": "2026-01-05T00:00:00Z", "seq"'])
def test_a_file_of_somebody_else_is_refused_and_left_alone(store, tmp_path, content):
    file = tmp_path / "alerts.jsonl"
    if not content.startswith("mine"):
        output = AlertFile(file, store)
        add(store, "a")
        output.close(store)
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="is not as this watch left it"):
        AlertFile(file, store)
    assert file.read_text(encoding="utf-8") == content


def test_what_a_full_disk_took_half_is_cut_off_and_written_later(store, tmp_path, monkeypatch):
    file = tmp_path / "alerts.jsonl"
    output = AlertFile(file, store)
    add(store, "a")
    output.flush(store)
    add(store, "b", "c")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(TfarchError, match="could not be written: No space left"):
            output.flush(store)
    assert alerts(file) == ["a"]
    output.close(store)
    assert alerts(file) == ["a", "b", "c"]
