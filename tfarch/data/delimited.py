"""Records of a CSV or TSV file, with true line numbers, that survive broken quoting.

Python's `csv` module takes a quote that is never closed for one endless field, or for a garbled one. Here such a record is reported at
its own line, and reading goes on at the next line, so that one slip costs one row and not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import NamedTuple

_QUOTED = re.compile(r'"(?:[^"]++|"")*+"')
# The csv module refuses fields over 131,072 characters unless told otherwise; the largest value that a C long holds on every system.
_FIELD_LIMIT = 2**31 - 1
# Every slip makes the lines after it be read again. Real files have few; this bounds the work on one that is made of slips.
_LINES_REREAD = 2_000_000


class Record(NamedTuple):
    """One record: its first physical line (from 1) and its fields, or, where it is broken, why."""

    line: int
    fields: list[str]
    broken: str | None = None


class _Rewindable:
    """The lines of a file; those of the record that is being read can be given back."""

    def __init__(self, lines: Iterable[str]):
        self._lines, self._returned = iter(lines), deque()
        self.taken: list[str] = []
        self.first = 1  # physical line of taken[0]

    def __iter__(self) -> _Rewindable:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        return line

    def begin_record(self) -> None:
        self.first += len(self.taken)
        self.taken.clear()

    def give_back_all_but_first(self) -> None:
        self._returned.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def records(lines: Iterable[str], delimiter: str) -> Iterator[Record]:
    """The records of `lines` (each with its line end); blank lines between them are passed over.

    Quoting is that of RFC 4180: a field that begins with a quote ends with one, holds line breaks and delimiters, and doubles its own
    quotes. A quote inside a field that does not begin with one is plain text.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _FIELD_LIMIT))  # global to the process; only ever raised, so no reader is harmed
    source = _Rewindable(lines)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    reread, suspect_until = 0, 0
    while True:
        source.begin_record()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line, last = source.first, source.first + len(source.taken) - 1
            reason = _diagnosis(str(error), source.taken, line, delimiter)
            reread += last - line
            if reread <= _LINES_REREAD:
                source.give_back_all_but_first()
                suspect_until = max(suspect_until, last)
            else:
                reason += f"; lines {line} to {last} are passed over, after too many such rows"
            yield Record(line, [], reason)
            reader = csv.reader(source, delimiter=delimiter, strict=True)
            continue
        if not fields:
            continue
        if source.first <= suspect_until and sum(line.count('"') for line in source.taken) % 2:
            # A lone quote just below a broken record is that record's tail, not a row of its own.
            yield Record(source.first, [], "belongs to the broken quoting above it")
            continue
        yield Record(source.first, fields)


def _diagnosis(error: str, taken: list[str], first: int, delimiter: str) -> str:
    """What is wrong with the record that starts at line `first`, in a reader's words."""
    if "new-line character" in error:
        return "a carriage return outside quotes"
    opened = _open_quote(taken, first, delimiter)
    if "unexpected end" in error:
        return f"the quote opened on line {opened} is never closed"
    last = first + len(taken) - 1
    return f"the quote opened on line {opened} is not closed before line {last} has another (a quote inside a quoted field is doubled)"


def _open_quote(taken: list[str], first: int, delimiter: str) -> int:
    """The line of the opening quote of the first field that is quoted wrongly."""
    text, position = "".join(taken), 0
    while position < len(text):
        if text[position] == '"':
            closed = _QUOTED.match(text, position)
            if closed is None or text[closed.end() : closed.end() + 1] not in (delimiter, "\r", "\n", ""):
                break
            position = closed.end()
        following = text.find(delimiter, position)
        if following < 0:
            break
        position = following + 1
    return first + bisect_right(list(accumulate(map(len, taken))), position)
