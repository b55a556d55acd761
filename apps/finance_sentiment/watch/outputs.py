"""Where alert changes go: each output is given every line once, in order, and the store notes what it has.

A line is stored before it is delivered, and noted as delivered afterwards: what a crash falls between is delivered again. A file of alerts is cut back to
what was noted first, so that it has each line once whatever happens; a webhook gets the line's number as a key to know a second one by.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import random
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from apps.finance_sentiment.watch.store import Store
from tfarch.errors import InputError, TfarchError

STDOUT = "stdout"
_GONE = "status 410"
_ADDRESS = "http(s)://host/path, percent-encoded"


class Output(Protocol):
    """Takes lines; `name` is what the store knows it by."""

    name: str

    def flush(self, store: Store) -> None:
        """Delivers what it has not been given yet, as far as it can be delivered now."""

    def close(self, store: Store) -> None:
        """Delivers what it can within a few seconds, and ends."""


class LineStream:
    """Standard output, or another stream: JSON Lines, or text for people. One that is new to the store begins with the next line.

    Raises:
        BrokenPipeError: the reader has gone.
    """

    def __init__(self, store: Store, stream: Any = None, shown: Callable[[dict[str, Any]], str] | None = None, name: str = STDOUT):
        self.name, self._stream, self._shown = name, stream or sys.stdout, shown
        store.begin(name)

    def flush(self, store: Store) -> None:
        while lines := store.lines_after(store.delivered(self.name)[0]):
            for number, line in lines:
                self._stream.write((line if self._shown is None else self._shown(json.loads(line))) + "\n")
                self._stream.flush()
                store.deliver(self.name, number)

    def close(self, store: Store) -> None:
        self.flush(store)


class Viewed:
    """Standard output while a view has it: what was shown there is not told again by a later call without the view."""

    name = STDOUT

    def flush(self, store: Store) -> None:
        last = store.last_line()
        if last > store.delivered(self.name)[0]:
            store.deliver(self.name, last)

    def close(self, store: Store) -> None:
        self.flush(store)


class AlertFile:
    """A file of JSON Lines that has every line once. Where it is moved away or emptied, as logrotate does, a file of its name goes on with the next line.

    Raises:
        InputError: it cannot be written, or holds what no watch with this state wrote.
    """

    def __init__(self, file: Path, store: Store):
        self.file, self.name = Path(file), f"file {Path(file).absolute()}"
        seq, size = store.delivered(self.name)
        try:
            there = self.file.stat().st_size if self.file.exists() else 0
            if there and (there < (size or 0) or seq == 0):
                raise InputError(
                    "is not as this watch left it", file=self.file, mend="choose another --alerts, or begin with another --state"
                )
            self._stream = self._opened()
            if there:
                self._stream.truncate(size or 0)  # what was written, but not noted
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", file=self.file, mend="choose another --alerts") from error

    def flush(self, store: Store) -> None:
        """Raises:
        TfarchError: the disk is full; what was half written is cut off again.
        """
        while lines := store.lines_after(store.delivered(self.name)[0]):
            try:
                size = self._written(b"".join(f"{line}\n".encode() for _, line in lines))
            except OSError as error:
                raise TfarchError(f"{self.file} could not be written: {error.strerror}") from error
            store.deliver(self.name, lines[-1][0], size)

    def close(self, store: Store) -> None:
        self.flush(store)
        self._stream.close()

    def _written(self, content: bytes) -> int:
        """Writes all of it, or nothing; bytes of the file afterwards."""
        if self._was_moved():
            self._stream.close()
            self._stream = self._opened()
        descriptor = self._stream.fileno()
        size = os.fstat(descriptor).st_size
        try:
            left = memoryview(content)
            while left:
                left = left[self._stream.write(left) :]
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                self._stream.truncate(size)
            raise
        return os.fstat(descriptor).st_size

    def _was_moved(self) -> bool:
        try:
            there = os.stat(self.file)
        except FileNotFoundError:
            return True
        return not os.path.samestat(there, os.fstat(self._stream.fileno()))

    def _opened(self) -> Any:
        return open(self.file, "ab", buffering=0)  # no buffer that still holds the half of what a full disk did not take


class Webhook:
    """POSTs each line as JSON, one after another, from a thread of its own. What a server does not take is sent again, later and later, until it is taken:
    no line is given up, none overtakes another, and those that wait lie in the store.

    The request carries `Idempotency-Key: <line's number>-<time of the alert>`; a server that answers 2xx has the line. Redirects are not followed, as most turn
    a POST into a GET without the line. One that answers 410 (gone for good) gets nothing more until the next start. A webhook that is new to the store begins
    with the next line.

    Args:
        timeout: seconds for a part of an answer.
        first_wait, longest_wait: seconds between two tries, which double from one to the next.

    Raises:
        InputError: not an http or https address.
    """

    def __init__(
        self,
        url: str,
        store: Store,
        say: Callable[[str], None],
        *,
        timeout: float = 10.0,
        first_wait: float = 1.0,
        longest_wait: float = 300.0,
    ):
        self.name, self._url, self._shown, self._say = f"webhook {url}", url, f"webhook {_checked(url)}", say
        self._timeout, self._first_wait, self._longest_wait = timeout, first_wait, longest_wait
        self._waiting: queue.Queue[tuple[int, str]] = queue.Queue(100)  # what does not fit waits in the store
        self._done: queue.Queue[int] = queue.Queue()
        self._told: set[str] = set()
        store.begin(self.name)
        self._queued = store.delivered(self.name)[0]
        self._ended = threading.Event()
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._thread = threading.Thread(target=self._send_all, name="webhook", daemon=True)
        self._thread.start()

    def flush(self, store: Store) -> None:
        last = None
        while not self._done.empty():
            last = self._done.get()
        if last is not None:
            store.deliver(self.name, last)
        if self._ended.is_set():
            return
        for number, line in store.lines_after(self._queued, 100):
            try:
                self._waiting.put_nowait((number, line))
            except queue.Full:
                return
            self._queued = number

    def close(self, store: Store, seconds: float = 5.0) -> None:
        self.flush(store)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and store.delivered(self.name)[0] < self._queued and not self._ended.is_set():
            time.sleep(0.02)
            self.flush(store)
        self._ended.set()
        self._thread.join(self._timeout + 1)
        self.flush(store)

    def _send_all(self) -> None:
        while not self._ended.is_set():
            try:
                number, line = self._waiting.get(timeout=0.1)
            except queue.Empty:
                continue
            if self._sent(number, line):
                self._done.put(number)

    def _sent(self, number: int, line: str) -> bool:
        """Whether the server has the line; False where the end came first, and it stays in the store."""
        wait = self._first_wait
        while not self._ended.is_set():
            problem = self._problem(number, line)
            if problem is None:
                if self._told:
                    self._told.clear()
                    self._say(f"{self._shown} takes alerts again")
                return True
            if problem == _GONE:
                self._say(f"warning: {self._shown}: {problem}; nothing more is sent there until the next start")
                self._ended.set()
            elif problem not in self._told:
                self._told.add(problem)
                self._say(f"warning: {self._shown}: {problem}; trying again, later and later")
            self._ended.wait(wait * random.uniform(0.8, 1.2))  # many watches shall not come back at once
            wait = min(wait * 2, self._longest_wait)
        return False

    def _problem(self, number: int, line: str) -> str | None:
        """What went wrong with sending a line, without what may be secret in the address; None where nothing did."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{number}-{json.loads(line)['time']}", "User-Agent": "tfarch"}
        request = urllib.request.Request(self._url, line.encode(), headers)
        try:
            with self._opener.open(request, timeout=self._timeout):
                return None
        except urllib.error.HTTPError as error:
            error.close()
            return f"status {error.code}" + (", a redirect, which is not followed" if 300 <= error.code < 400 else "")
        except http.client.HTTPException as error:
            return f"its answer is no HTTP ({type(error).__name__})"
        except (OSError, ValueError) as error:
            return str(getattr(error, "reason", error)) or type(error).__name__


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: the redirect is an error."""


def _checked(url: str) -> str:
    """The address as people are shown it: host and port, for the rest may hold a key.

    Raises:
        InputError: it is none.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # a port that is none is complained of here
    except ValueError as error:
        raise InputError("--webhook is no http or https address", mend=_ADDRESS) from error
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if parts.scheme not in ("http", "https") or not host or not (url.isascii() and url.isprintable()) or " " in url:
        raise InputError(f"--webhook {shown!r} is no http or https address", mend=_ADDRESS)
    if parts.username is not None:
        raise InputError(f"--webhook {shown!r} holds a user name, which is not sent", mend="leave it out")
    return shown
