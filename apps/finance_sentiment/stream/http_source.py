"""Items that are sent to us as a source: a small HTTP server that answers once they are stored."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from itertools import chain, islice
from typing import ClassVar

from apps.finance_sentiment.stream.http_server import BoundedHandler, BoundedServer
from apps.finance_sentiment.stream.json_document import TooManyElementsError, read_document
from apps.finance_sentiment.stream.lines import LineCutter
from apps.finance_sentiment.stream.source import Position, Reading, Record, source_kind
from tfarch.errors import InputError

MOST_BYTES = 4 << 20  # of a request
MOST_WAITING = 10_000  # items that are not acknowledged yet
PATIENCE = 30.0  # seconds for which a request waits until all its items are stored
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines")
_DOCUMENT = "application/json"
_RETRY_AFTER = "5"  # seconds


class _Delivery:
    """The items of one request, on their way to being stored."""

    def __init__(self, items: int):
        self._missing = set(range(items))
        self._changed = threading.Condition()
        self.given_up = False

    def stored(self, number: int) -> None:
        """Item `number` is stored; a second call does nothing."""
        with self._changed:
            self._missing.discard(number)
            self._changed.notify_all()

    def give_up(self) -> None:
        """Nobody waits any longer."""
        with self._changed:
            self.given_up = True
            self._changed.notify_all()

    def wait(self, seconds: float) -> bool:
        """Whether all are stored, at the latest after `seconds` or when it is given up."""
        with self._changed:
            self._changed.wait_for(lambda: not self._missing or self.given_up, seconds)
            self.given_up = self.given_up or bool(self._missing)
            return not self._missing


class HttpSource:
    """`POST /items` takes a JSON object, a list of them, or JSON Lines; `GET /health` says that it lives.

    The answer is 202 with `{"accepted": n}` once all n items were acknowledged, which means stored. Where they are not in time, or the queue is full, it is
    503 with Retry-After, and the client sends all of them again; what was stored by then is found by its id. Only JSON types are taken, so that a page on
    the web cannot post here from a browser behind its user's back.

    Args:
        host, port: where it listens; port 0 for one that the system chooses. On another host than the loopback there is no check of who sends.
        waiting: items that may wait for being stored.
        patience: seconds for which a request waits for that.
        request_seconds: how long a request may take to arrive.

    Raises:
        InputError: it cannot listen there.
    """

    def __init__(
        self,
        port: int,
        reading: Reading,
        *,
        host: str = "127.0.0.1",
        waiting: int = MOST_WAITING,
        patience: float = PATIENCE,
        request_seconds: float = 10.0,
    ):
        self.name = f"listen:{host}:{port}"
        self.patience = patience
        self.most = waiting
        self._queue: deque[tuple[_Delivery, Record]] = deque()
        self._deliveries: dict[_Delivery, int] = {}  # those that are waited for, with their items
        self._changed = threading.Condition()
        self._closed = False
        handler = type("Handler", (_Handler,), {"source": self})
        try:
            self._server = BoundedServer((host, port), handler, request_seconds)
        except OSError as error:
            raise InputError(f"cannot listen at {host}:{port}: {error.strerror}", mend="another port: listen:PORT") from error
        self.port: int = self._server.server_address[1]
        if not self._server.loopback:
            reading.say(f"anybody who reaches {host}:{self.port} can send items: there is no check of who it is")

    def read(self, position: Position = None) -> Iterator[Record | None]:
        """See `Source.read`; there is no position to go on from: what was not acknowledged is sent again by the client."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed, 0.5)
                if self._closed:
                    return
                record = self._queue.popleft()[1] if self._queue else None
            yield record

    def close(self) -> None:
        """Answers 503 to those who wait, and ends the server."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._queue.clear()
            for delivery in self._deliveries:
                delivery.give_up()
            self._changed.notify_all()
        self._server.close(1.0)

    def waiting(self) -> int:
        """Items that were sent and are not stored yet."""
        with self._changed:
            return sum(self._deliveries.values())

    def deliver(self, contents: list[bytes], sender: str) -> bool:
        """Queues the items of one request and waits until they are stored; False where they were not, or there is no room for them."""
        delivery = _Delivery(len(contents))
        with self._changed:
            if self._closed or sum(self._deliveries.values()) + len(contents) > self.most:
                return False
            self._deliveries[delivery] = len(contents)
            for number, content in enumerate(contents):
                place = f"POST /items from {sender}, item {number + 1}"
                self._queue.append((delivery, Record(content, None, place, partial(delivery.stored, number))))
            self._changed.notify_all()
        stored = delivery.wait(self.patience)
        with self._changed:
            del self._deliveries[delivery]
            if not stored:  # the client sends them again: what was not read yet would be read twice
                self._queue = deque(each for each in self._queue if each[0] is not delivery)
        return stored


class _Handler(BoundedHandler):
    methods: ClassVar = {"/items": {"POST": "post_items"}, "/health": {"GET": "get_health"}}
    most_bytes = MOST_BYTES
    source: HttpSource

    def get_health(self) -> None:
        self.answer(HTTPStatus.OK, {"status": "ok", "waiting": self.source.waiting()})

    def post_items(self) -> None:
        length = self.body_length()
        if length is None or not self._has_known_type():
            return
        body = self.body(length)
        if body is None:
            return
        try:
            contents = _contents(body, self.headers.get_content_type(), self.source.most)
        except TooManyElementsError as error:
            self.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": str(error)})
            return
        except ValueError as error:
            self.answer(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        if self.source.deliver(contents, f"{self.client_address[0]}:{self.client_address[1]}"):
            self.answer(HTTPStatus.ACCEPTED, {"accepted": len(contents)})
        else:
            self.answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "not all is stored: send all again"}, Retry_After=_RETRY_AFTER)

    def _has_known_type(self) -> bool:
        """Whether the body is JSON of a kind that is read; else the refusal was sent."""
        kind = self.headers.get_content_type() if "Content-Type" in self.headers else "missing"
        charset = self.headers.get_content_charset("utf-8")
        if kind in (_DOCUMENT, *_LINES) and charset in ("utf-8", "us-ascii") and "Content-Encoding" not in self.headers:
            return True
        known = f"{_DOCUMENT} and {_LINES[0]}, in UTF-8, not compressed"
        self.refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type is {kind}; known: {known}")
        return False


def _contents(body: bytes, kind: str, most: int) -> list[bytes]:
    """The items of a body; single ones that are malformed too, for they are counted and set aside behind the source.

    Raises:
        TooManyElementsError: there are more than `most`.
        ValueError: there are none.
    """
    if kind in _LINES:
        cutter = LineCutter()
        lines = (line for line in chain(cutter.feed(body), iter(cutter.rest, None)) if not line.blank)
        contents = [line.content for line in islice(lines, most + 1)]
        if len(contents) > most:
            raise TooManyElementsError(f"at most {most:,} items at a time")
    elif body.lstrip()[:1] in (b"{", b"["):
        contents = read_document(body, most)
    else:
        raise ValueError("neither a JSON object nor a list")
    if not contents:
        raise ValueError("no items")
    return contents


@source_kind("listen")
def open_listener(place: str, reading: Reading) -> HttpSource:
    """`listen:PORT` on the loopback, or `listen:HOST:PORT`.

    Raises:
        InputError: no port, or it cannot listen there.
    """
    host, _, port = place.partition(":")[2].rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise InputError(f"{place} names no port from 0 to 65535", mend="listen:8080")
    return HttpSource(int(port), reading, host=host or "127.0.0.1")
