"""Standard input as a source: JSON Lines from a pipe, which cannot be read a second time."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from typing import BinaryIO

from apps.finance_sentiment.stream.lines import Line, LineCutter
from apps.finance_sentiment.stream.source import STANDARD_INPUT, Position, Reading, Record, source_kind

_LOOK = 0.5  # seconds to wait for more before None is handed on


class StandardInput:
    """The lines of standard input, each a record, until it ends.

    What a pipe has given cannot be asked for again: records have no position, and what is not stored when the program dies is lost.

    Args:
        stream: what to read instead of standard input; it needs a file descriptor.
    """

    name = STANDARD_INPUT

    def __init__(self, reading: Reading, stream: BinaryIO | None = None):
        self._descriptor = (stream or sys.stdin).fileno()
        self._say = reading.say
        self._closed = threading.Event()

    def read(self, position: Position = None) -> Iterator[Record | None]:
        """See `Source.read`; there is no position to go on from."""
        self._say("standard input cannot be read a second time: what is not stored yet when this ends is lost")
        cutter, number = LineCutter(), 0
        while not self._closed.is_set():
            if not select.select([self._descriptor], [], [], _LOOK)[0]:
                yield None
                continue
            chunk = os.read(self._descriptor, 1 << 16)
            for line in cutter.feed(chunk):
                number += 1
                if not line.blank:
                    yield _record(number, line)
            if not chunk:
                if (line := cutter.rest()) and not line.blank:
                    yield _record(number + 1, line)
                return

    def close(self) -> None:
        """Ends reading; the stream stays open, it belongs to the process."""
        self._closed.set()


def _record(number: int, line: Line) -> Record:
    return Record(line.content, None, f"standard input, line {number}{line.remark}")


@source_kind(STANDARD_INPUT)
def open_standard_input(place: str, reading: Reading) -> StandardInput:
    """Standard input."""
    return StandardInput(reading)
