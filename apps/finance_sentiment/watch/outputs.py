"""Where alert changes go: each output is given every line once, in order, and the store notes what it has.

A line is stored before it is delivered, and noted as delivered afterwards: what a crash falls between is delivered again. A file of alerts is cut back to
what was noted first, so that it has each line once whatever happens; a webhook gets the line's number as a key to know a second one by.
"""

from __future__ import annotations

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

from apps.finance_sentiment.watch.store import Store
from tfarch.errors import InputError, TfarchError


class Output(Protocol):
    """Takes lines; `name` is what the store knows it by."""

    name: str

    def flush(self, store: Store) -> None:
        """Delivers what it has not been given yet, as far as it can be delivered now."""

    def close(self, store: Store) -> None:
        """Delivers what it can within a few seconds, and ends."""


class LineStream:
    """Standard output, or another stream: JSON Lines, or text for people.

    Raises:
        BrokenPipeError: the reader has gone.
    """

    def __init__(self, stream: Any = None, shown: Callable[[dict[str, Any]], str] | None = None, name: str = "stdout"):
        self.name, self._stream, self._shown = name, stream or sys.stdout, shown

    def flush(self, store: Store) -> None:
        seq, _ = store.delivered(self.name)
        for number, line in store.lines_after(seq):
            self._stream.write((line if self._shown is None else self._shown(json.loads(line))) + "\n")
            self._stream.flush()
            store.deliver(self.name, number)

    def close(self, store: Store) -> None:
        self.flush(store)


class AlertFile:
    """A file of JSON Lines that has every line once.

    Raises:
        InputError: it cannot be written, or holds what no watch with this state wrote.
    """

    def __init__(self, file: Path, store: Store):
        self.file, self.name = Path(file), f"file {Path(file).absolute()}"
        seq, size = store.delivered(self.name)
        try:
            there = self.file.stat().st_size if self.file.exists() else 0
            if there < (size or 0) or (seq == 0 and there):
                raise InputError(
                    "is not as this watch left it", file=self.file, mend="choose another --alerts, or begin with another --state"
                )
            self._stream = open(self.file, "ab")  # noqa: SIM115 - held until `close`
            self._stream.truncate(size or 0)  # what was written, but not noted
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", file=self.file, mend="choose another --alerts") from error

    def flush(self, store: Store) -> None:
        """Raises:
        TfarchError: the disk is full; what was half written is cut off again.
        """
        seq, size = store.delivered(self.name)
        lines = store.lines_after(seq)
        if not lines:
            return
        try:
            self._stream.write(b"".join(f"{line}\n".encode() for _, line in lines))
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            self._stream = open(self.file, "ab")  # noqa: SIM115 - without the half that the old buffer still holds
            self._stream.truncate(size or 0)
            raise TfarchError(f"{self.file} could not be written: {error.strerror}") from error
        store.deliver(self.name, lines[-1][0], self.file.stat().st_size)
        if len(lines) == 1000:
            self.flush(store)

    def close(self, store: Store) -> None:
        self.flush(store)
        self._stream.close()


class Webhook:
    """POSTs each line as JSON, one after another, from a thread of its own; what a server does not take is sent again, later and later.

    The request carries `Idempotency-Key: <line's number>-<time of the alert>`; a server that answers 2xx has it. After `give_up` seconds a line is given up and told.
    Status 4xx but for 408, 425 and 429 means that the server will never take it.

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
        give_up: float = 6 * 3600.0,
    ):
        if not url.startswith(("http://", "https://")):
            raise InputError(f"--webhook {url!r} is no http or https address")
        self.name, self._url, self._say = f"webhook {url}", url, say
        self._timeout, self._first_wait, self._give_up = timeout, first_wait, give_up
        self._waiting: queue.Queue[tuple[int, str] | None] = queue.Queue(100)  # what does not fit waits in the store
        self._done: queue.Queue[int] = queue.Queue()
        self._queued = store.delivered(self.name)[0]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send_all, name=self.name, daemon=True)
        self._thread.start()

    def flush(self, store: Store) -> None:
        last = None
        while not self._done.empty():
            last = self._done.get()
        if last is not None:
            store.deliver(self.name, last)
        for number, line in store.lines_after(self._queued, 100):
            try:
                self._waiting.put_nowait((number, line))
            except queue.Full:
                return
            self._queued = number

    def close(self, store: Store, seconds: float = 5.0) -> None:
        self.flush(store)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and store.delivered(self.name)[0] < self._queued:
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
        """Whether the line is dealt with; False where the end came first, and it stays in the store."""
        started, wait, told = time.monotonic(), self._first_wait, False
        while not self._ended.is_set():
            problem, final = self._tried(number, line)
            if problem is None:
                return True
            if final or time.monotonic() - started > self._give_up:
                self._say(f"warning: {self.name}: alert line {number} was given up: {problem}")
                return True
            if not told:
                self._say(f"warning: {self.name}: {problem}; trying again, later and later")
                told = True
            self._ended.wait(wait * random.uniform(0.8, 1.2))  # many watches shall not come back at once
            wait = min(wait * 2, 300.0)
        return False

    def _tried(self, number: int, line: str) -> tuple[str | None, bool]:
        """What went wrong, None where nothing did, and whether another try is in vain."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{number}-{json.loads(line)['time']}", "User-Agent": "tfarch"}
        request = urllib.request.Request(self._url, line.encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout):
                return None, False
        except urllib.error.HTTPError as error:
            return f"status {error.code}", 400 <= error.code < 500 and error.code not in (408, 425, 429)
        except (OSError, ValueError, urllib.error.URLError) as error:
            return str(getattr(error, "reason", error)), False
