"""Items that are posted are accepted once they are stored, and no client can hold the server up."""

import contextlib
import http.client
import itertools
import json
import socket
import threading
import time
import tracemalloc

import pytest

from apps.finance_sentiment.stream import http_server
from apps.finance_sentiment.stream.http_source import MOST_BYTES, HttpSource
from apps.finance_sentiment.stream.source import Reading
from tfarch.errors import InputError

ITEM = {"time": 1, "text": "Volvo cuts jobs"}
JSON = {"Content-Type": "application/json"}
LINES = {"Content-Type": "application/x-ndjson"}


class Engine(threading.Thread):
    """Reads a source and stores what it reads, unless told to leave it."""

    def __init__(self, source, stores=True):
        super().__init__(daemon=True)
        self.source, self.stores, self.records = source, stores, []
        self.start()

    def run(self):
        for record in self.source.read():
            if record is not None:
                self.records.append(record)
                if self.stores:
                    record.acknowledge()


@pytest.fixture
def open_http():
    """Opens sources that are closed at the end, with whoever reads them."""
    with contextlib.ExitStack() as stack:

        def run(*, engine=True, stores=True, **options):
            source = HttpSource(0, Reading(say=lambda message: None), **options)
            stack.callback(source.close)
            return (source, Engine(source, stores)) if engine else source

        yield run


def ask(source, method, path, body=None, headers=None):
    """Status, object and headers of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", source.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None, answer.headers


def raw(source, sent, *, wait=10):
    """What the server says to bytes, until it closes the connection."""
    with socket.create_connection(("127.0.0.1", source.port), timeout=wait) as connection:
        connection.sendall(sent)
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
        return answer


@pytest.mark.parametrize(
    ("body", "headers", "contents"),
    [
        (json.dumps(ITEM), JSON, [ITEM]),
        (json.dumps([ITEM, {"id": "b"}]), JSON, [ITEM, {"id": "b"}]),
        (json.dumps([ITEM, 7, "x"]), {"Content-Type": "application/json; charset=UTF-8"}, [ITEM, b"7", b'"x"']),
        (f"{json.dumps(ITEM)}\r\n\nrubbish", LINES, [json.dumps(ITEM).encode(), b"rubbish"]),
    ],
    ids=["object", "list", "list with malformed items", "lines"],
)
def test_what_is_posted_is_read_and_accepted(open_http, body, headers, contents):
    source, engine = open_http()
    assert ask(source, "POST", "/items", body, headers)[:2] == (202, {"accepted": len(contents)})
    assert [record.content for record in engine.records] == [
        each if isinstance(each, bytes) else json.dumps(each).encode() for each in contents
    ]
    assert {record.position for record in engine.records} == {None}
    assert engine.records[-1].place.startswith("POST /items from 127.0.0.1:")
    assert engine.records[-1].place.endswith(f", item {len(contents)}")


def test_the_answer_waits_until_the_last_item_is_stored(open_http):
    source = open_http(engine=False)
    answered = []
    client = threading.Thread(target=lambda: answered.append(ask(source, "POST", "/items", json.dumps([ITEM, ITEM]), JSON)[:2]))
    client.start()
    first, second = itertools.islice(filter(None, source.read()), 2)
    first.acknowledge()
    first.acknowledge()  # once more counts for nothing
    client.join(0.2)
    assert answered == []
    assert source.waiting() == 2
    second.acknowledge()
    client.join(5)
    assert answered == [(202, {"accepted": 2})]
    assert source.waiting() == 0


def test_what_is_not_stored_in_time_is_to_be_sent_again_and_then_read_once(open_http):
    source = open_http(engine=False, patience=0.1)
    status, _, headers = ask(source, "POST", "/items", json.dumps([ITEM, ITEM]), JSON)
    assert status == 503
    assert int(headers["Retry-After"]) > 0
    engine = Engine(source)
    assert ask(source, "POST", "/items", json.dumps([ITEM, ITEM]), JSON)[0] == 202
    assert len(engine.records) == 2


def test_a_full_queue_takes_nothing_of_a_request_that_does_not_fit(open_http):
    source = open_http(engine=False, waiting=3, patience=20.0)
    first = threading.Thread(target=ask, args=(source, "POST", "/items", json.dumps([ITEM] * 2), JSON))
    first.start()
    while source.waiting() < 2:
        time.sleep(0.01)
    status, _, headers = ask(source, "POST", "/items", json.dumps([ITEM] * 2), JSON)
    assert (status, "Retry-After" in headers) == (503, True)
    assert source.waiting() == 2
    engine = Engine(source)
    first.join()
    assert len(engine.records) == 2


def test_more_items_than_can_ever_wait_are_too_many(open_http):
    source, engine = open_http(waiting=3)
    assert ask(source, "POST", "/items", json.dumps([ITEM] * 4), JSON)[:2] == (413, {"error": "at most 3 items at a time"})
    assert ask(source, "POST", "/items", f"{json.dumps(ITEM)}\n" * 4, LINES)[:2] == (413, {"error": "at most 3 items at a time"})
    assert engine.records == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"[" + b"{}," * 1_300_000 + b"{}]", JSON, 413),
        (b'{"a":[' + b"{}," * 500_000 + b"[" * 99, JSON, 400),
        (b'[{"a":' + b"[0," * 60_000, JSON, 400),
        (b"\n" * 300_000, LINES, 400),
        (b"1\n" * 2_000_000, LINES, 413),
    ],
    ids=["elements", "one element", "depth", "blank lines", "lines"],
)
def test_a_body_that_holds_much_in_few_bytes_takes_little_room(open_http, body, headers, status):
    source, engine = open_http()
    tracemalloc.start()
    try:
        assert ask(source, "POST", "/items", body, headers)[0] == status
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20_000_000
    assert engine.records == []


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        (b"", JSON, "neither"),
        (b"{", JSON, "not JSON"),
        (b"\xff", JSON, "neither"),
        (b'{"text": "\xff"}', JSON, "not UTF-8"),
        (b'"text"', JSON, "neither a JSON object nor a list"),
        (b"[]", JSON, "no items"),
        (b"[" * 100_000, JSON, "nested too deeply"),
        (b"\n\n", LINES, "no items"),
    ],
)
def test_a_body_that_holds_no_items_is_a_bad_request_and_the_connection_lives_on(open_http, body, headers, says):
    source, engine = open_http()
    connection = http.client.HTTPConnection("127.0.0.1", source.port, timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", "/items", body, headers)
        answer = connection.getresponse()
        assert answer.status == 400
        assert says in json.loads(answer.read())["error"]
        connection.request("POST", "/items", json.dumps(ITEM), JSON)
        assert connection.getresponse().status == 202
    assert len(engine.records) == 1


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "allow"),
    [
        ("POST", "/other", JSON, 404, None),
        ("GET", "/", {}, 404, None),
        ("GET", "/items", {}, 405, "POST"),
        ("DELETE", "/items", {}, 405, "POST"),
        ("OPTIONS", "/items", {}, 405, "POST"),
        ("HEAD", "/items", {}, 405, "POST"),
        ("POST", "/health", JSON, 405, "GET"),
        ("POST", "/items", {}, 415, None),
        ("POST", "/items", {"Content-Type": "text/plain"}, 415, None),
        ("POST", "/items", {"Content-Type": "application/x-www-form-urlencoded"}, 415, None),
        ("POST", "/items", {"Content-Type": "application/json; charset=utf-16"}, 415, None),
        ("POST", "/items", {**JSON, "Content-Encoding": "gzip"}, 415, None),
        ("POST", "/items", {**JSON, "Host": "evil.example"}, 421, None),
        ("BREW", "/items", {}, 501, None),
    ],
)
def test_what_is_not_meant_for_it_is_refused(open_http, method, path, headers, status, allow):
    source, engine = open_http()
    found, _, answered = ask(source, method, path, json.dumps(ITEM) if method == "POST" else None, headers)
    assert (found, answered["Allow"]) == (status, allow)
    assert engine.records == []


def test_health_says_that_it_lives(open_http):
    source, _ = open_http()
    assert ask(source, "GET", "/health")[:2] == (200, {"status": "ok", "waiting": 0})


def test_a_client_that_sends_too_much_gets_to_see_the_refusal(open_http):
    source, engine = open_http()
    status, answer, _ = ask(source, "POST", "/items", b"[" + b" " * (MOST_BYTES + 100) + b"]", JSON)
    assert (status, answer["error"]) == (413, "at most 4,194,304 bytes at a time")
    assert engine.records == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"", b"411"),
        (b"Transfer-Encoding: chunked\r\n", b"411"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", b"411"),
        (b"Content-Length: -1\r\n", b"400"),
        (b"Content-Length: 1e3\r\n", b"400"),
        (b"Content-Length: 3\r\nContent-Length: 4\r\n", b"400"),
        (b"Content-Length: 99999999999999999999999\r\n", b"413"),
        (b"Content-Length: 5000000\r\nExpect: 100-continue\r\n", b"413"),
    ],
)
def test_a_body_needs_a_length_that_can_be_believed(open_http, headers, status):
    source, _ = open_http()
    with socket.create_connection(("127.0.0.1", source.port), timeout=5) as connection:
        connection.sendall(b"POST /items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + headers + b"\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000).split()[1] == status


def test_who_asks_first_is_told_to_go_on(open_http):
    source, _ = open_http()
    body = json.dumps(ITEM).encode()
    with socket.create_connection(("127.0.0.1", source.port), timeout=5) as connection:
        connection.sendall(
            b"POST /items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert connection.recv(1000).split()[1] == b"100"
        connection.sendall(body)
        assert connection.recv(1000).split()[1] == b"202"


@pytest.mark.parametrize("sent", [b"\x16\x03\x01 this is no HTTP\r\n\r\n", b"GET\r\n\r\n", b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n"])
def test_what_is_no_http_is_refused(open_http, sent):
    source, _ = open_http()
    raw(source, sent)
    assert ask(source, "GET", "/health")[0] == 200


@pytest.mark.parametrize(
    "beginning",
    [b"", b"POST /items HTTP/1.1\r\nHost: lo", b"POST /items HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"],
    ids=["nothing", "headers", "body"],
)
def test_who_sends_a_byte_now_and_then_is_sent_away(open_http, beginning):
    source, engine = open_http(request_seconds=0.3)
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", source.port), timeout=5) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(beginning)
        connection.settimeout(0.05)
        while time.monotonic() < started + 5:
            connection.sendall(b" ")
            with contextlib.suppress(TimeoutError):
                if not connection.recv(1000):
                    break
    assert time.monotonic() < started + 2
    assert engine.records == []


def test_connections_beyond_the_most_are_told_to_come_again(open_http, monkeypatch):
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 2)
    source, _ = open_http()
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            idle = stack.enter_context(socket.create_connection(("127.0.0.1", source.port), timeout=5))
            idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200" in idle.recv(1000)
        answer = raw(source, b"")
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After" in answer
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # the idle ones have gone
        with contextlib.suppress(ConnectionError, http.client.HTTPException):
            if ask(source, "GET", "/health")[0] == 200:
                break
    assert ask(source, "GET", "/health")[0] == 200


def test_many_clients_at_once_lose_nothing_and_get_nothing_twice(open_http):
    source, engine = open_http()
    answers = []

    def send(client):
        for number in range(10):
            items = [{"id": f"{client}-{number}-{place}"} for place in range(5)]
            answers.append(ask(source, "POST", "/items", json.dumps(items), JSON)[0])

    clients = [threading.Thread(target=send, args=(client,)) for client in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert answers == [202] * 80
    assert len({json.loads(record.content)["id"] for record in engine.records}) == len(engine.records) == 400


def test_closing_answers_those_who_wait_and_frees_the_port(open_http):
    source = open_http(engine=False)
    answers = []
    client = threading.Thread(target=lambda: answers.append(ask(source, "POST", "/items", json.dumps(ITEM), JSON)[0]))
    client.start()
    while not source.waiting():
        time.sleep(0.01)
    idle = socket.create_connection(("127.0.0.1", source.port), timeout=5)
    idle.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200" in idle.recv(1000)
    started = time.monotonic()
    source.close()
    source.close()
    assert time.monotonic() < started + 4
    client.join(5)
    assert answers == [503]
    assert list(source.read()) == []
    with idle:
        while idle.recv(1000):  # until its end
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", source.port), timeout=5)
    HttpSource(source.port, Reading()).close()


def test_a_port_that_is_taken_is_the_users_error(open_http):
    source = open_http(engine=False)
    with pytest.raises(InputError, match=f"cannot listen at 127.0.0.1:{source.port}"):
        HttpSource(source.port, Reading())


def test_it_listens_on_the_loopback_unless_another_host_is_named_and_then_it_warns():
    said = []
    HttpSource(0, Reading(say=said.append)).close()
    assert said == []
    HttpSource(0, Reading(say=said.append), host="0.0.0.0").close()
    assert len(said) == 1
    assert "no check of who it is" in said[0]
