"""An HTTP server that bounds what a client can cost: connections, the time of a request, and the bytes of its body."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

MOST_CONNECTIONS = 64
REQUEST_SECONDS = 10.0  # from when a request is waited for until its last byte: who sends a byte now and then is sent away too
_LINGER_SECONDS, _LINGER_BYTES = 2.0, 64 << 20  # what is read and thrown away behind a refusal, so that the client gets to see it


class _Deadline(io.RawIOBase):
    """What a connection sends, until a deadline."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self.until = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took too long")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)


class BoundedHandler(BaseHTTPRequestHandler):
    """Answers requests in JSON; a subclass says what its paths do.

    methods: path -> method -> name of the handler's method, which calls `answer` once.
    """

    protocol_version = "HTTP/1.1"
    methods: ClassVar[dict[str, dict[str, str]]] = {}
    most_bytes = 0

    def setup(self) -> None:
        super().setup()
        self.deadline = _Deadline(self.connection)
        self.rfile = io.BufferedReader(self.deadline)

    def handle_one_request(self) -> None:
        self.deadline.until = time.monotonic() + self.server.request_seconds
        super().handle_one_request()

    def dispatch(self) -> None:
        """Hands a request to the method of its path."""
        known = self.methods.get(self.path.partition("?")[0])
        if not self._is_meant_for_us():
            self.refuse(HTTPStatus.MISDIRECTED_REQUEST, f"this is not {self.headers['Host']}")
        elif known is None:
            self.refuse(HTTPStatus.NOT_FOUND, f"known: {', '.join(sorted(self.methods))}")
        elif self.command not in known:
            self.refuse(HTTPStatus.METHOD_NOT_ALLOWED, f"known: {', '.join(sorted(known))}", Allow=", ".join(sorted(known)))
        else:
            getattr(self, known[self.command])()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = dispatch  # noqa: N815 - http.server's names

    def body_length(self) -> int | None:
        """Bytes of the body; None where it cannot be read and the refusal was sent."""
        lengths = self.headers.get_all("Content-Length") or []
        if "Transfer-Encoding" in self.headers or not lengths:
            self.refuse(HTTPStatus.LENGTH_REQUIRED, "send Content-Length, not chunks")
        elif len(set(lengths)) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            self.refuse(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
        elif len(lengths[0]) > 15 or int(lengths[0]) > self.most_bytes:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {self.most_bytes:,} bytes at a time")
        else:
            return int(lengths[0])
        return None

    def body(self, length: int) -> bytes | None:
        """The body; None where the connection ended before its end."""
        content = self.rfile.read(length)
        self.close_connection = self.close_connection or len(content) < length
        return content if len(content) == length else None

    def handle_expect_100(self) -> bool:
        """Who asks before sending is told at once what a refusal would cost it."""
        return self.body_length() is not None and super().handle_expect_100()

    def refuse(self, status: HTTPStatus, message: str, **headers: str) -> None:
        """Answers with an error and ends the connection: what follows may be a body that was not read."""
        self.close_connection = True
        self.answer(status, {"error": message}, Connection="close", **headers)
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.deadline.until = time.monotonic() + _LINGER_SECONDS
            left = _LINGER_BYTES
            while left > 0 and (dropped := self.rfile.read1(1 << 16)):
                left -= len(dropped)

    def answer(self, status: HTTPStatus, content: dict[str, Any], **headers: str) -> None:
        """Sends JSON; underscores in the names of headers stand for hyphens."""
        sent = json.dumps(content).encode()
        self.connection.settimeout(self.server.request_seconds)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself complains of, a request line that is none, in JSON too."""
        self.close_connection = True
        if self.request_version != "HTTP/0.9":
            self.answer(HTTPStatus(code), {"error": message or HTTPStatus(code).phrase}, Connection="close")

    def version_string(self) -> str:
        return "tfarch"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a person is told what matters by the source."""

    def _is_meant_for_us(self) -> bool:
        """On the loopback, whether the client meant it: a page on the web whose name was made to point here sends that name."""
        if not self.server.loopback or "Host" not in self.headers:
            return True
        host = self.headers["Host"].strip().lower()
        return host.partition("]")[0] == "[::1" or host.partition(":")[0] in ("127.0.0.1", "localhost")


class BoundedServer(ThreadingHTTPServer):
    """A server of a thread for each connection, `MOST_CONNECTIONS` at most; more are told to come again.

    Args:
        address: host and port; port 0 for one that the system chooses.
        handler: a `BoundedHandler`.
        request_seconds: how long a request may take to arrive.
    """

    daemon_threads = True
    block_on_close = False  # close() waits, but not for ever
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, address: tuple[str, int], handler: type[BoundedHandler], request_seconds: float = REQUEST_SECONDS):
        self.request_seconds = request_seconds
        self.loopback = address[0] in ("127.0.0.1", "localhost")
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__(address, handler)
        self._serving = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="http", daemon=True)
        self._serving.start()

    def close(self, seconds: float) -> None:
        """Takes no more connections, gives those that are open `seconds` to be answered, and ends them."""
        self.shutdown()
        self._serving.join()
        with self._changed:
            self._changed.wait_for(lambda: not self._open, seconds)
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._open, seconds)
        self.server_close()

    def process_request(self, request: socket.socket, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            with contextlib.suppress(OSError):
                request.settimeout(1.0)
                request.sendall(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            self.shutdown_request(request)
            return
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: socket.socket, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()
            with self._changed:
                self._open.discard(request)
                self._changed.notify_all()

    def handle_error(self, request: socket.socket, client_address: Any) -> None:
        """A client that went away is no error of ours; anything else is shown as http.server shows it."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
