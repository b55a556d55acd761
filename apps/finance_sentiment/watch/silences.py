"""Silences that a person has asked for: alerts of some topics are followed, but not sent, for a while. When it is over, what is then the case is sent."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.finance_sentiment.stream.item import MalformedItem, parse_time
from apps.finance_sentiment.watch.alert import RESOLVED
from tfarch.data.moments import iso_time
from tfarch.errors import InputError


@dataclass(frozen=True)
class Silenced:
    """Topics that match a pattern, from one event time to another, seconds since 1970."""

    pattern: str
    begin: float = -math.inf
    end: float = math.inf

    def holds(self, topic: str, time: float) -> bool:
        """Whether an alert of this topic is kept back at this time."""
        return self.begin <= time < self.end and fnmatch.fnmatchcase(topic, self.pattern)


def read_silence(text: str) -> Silenced:
    """`TOPIC` or `TOPIC=FROM/UNTIL`, where a topic may have `*` and a time may be left out: `earnings=/2026-04-01`.

    Raises:
        InputError: a time is none.
    """
    pattern, _, period = text.partition("=")
    begin, _, end = period.partition("/")
    try:
        return Silenced(pattern, parse_time(begin) if begin else -math.inf, parse_time(end) if end else math.inf)
    except MalformedItem as error:
        raise InputError(f"--silence {text!r}: {error}", mend="write TOPIC or TOPIC=FROM/UNTIL with ISO 8601 times") from error


Line = Mapping[str, Any]  # an alert change, as it is written
_Name = tuple[str, str]  # kind of alert; topic or publisher


class HeldBack:
    """Alert changes that fell into a silence, as far as they are still to be told: what was told before it and is over, and what is open when it ends.

    Args:
        lines: all alert changes that there were before, in order.
    """

    def __init__(self, silences: Sequence[Silenced], lines: Iterable[Line] = ()):
        self._silences = silences
        self._told: dict[_Name, str] = {}  # the state that was told last
        self._held: dict[_Name, list[Line]] = {}
        self._next = -math.inf  # before that time no silence of what is held ends
        for line in lines:
            self._note(line)

    def pass_on(self, line: Line) -> list[Line]:
        """What follows from an alert change: itself, `silenced` where a silence holds at its own time; else behind what was held back."""
        time = parse_time(line["time"])
        if self._holds(_name(line), time):
            silenced = {**line, "silenced": True}
            self._note(silenced)
            return [silenced]
        lines = [*self._released(_name(line), time), line]
        self._note(line)
        return lines

    def ended(self, time: float) -> list[Line]:
        """What was held back by silences that are over at this time: each as it was, with the time until which it was `silenced_until`."""
        lines: list[Line] = []
        if not self._held or time < self._next:
            return lines
        for name, held in list(self._held.items()):
            latest = max(time, *(parse_time(line["time"]) for line in held))  # a line may be ahead of the stream, where that was quiet
            if not self._holds(name, latest):
                lines += self._released(name, latest)
        self._next = min((silence.end for silence in self._silences if silence.end > time), default=math.inf)
        return lines

    def _released(self, name: _Name, time: float) -> list[Line]:
        held = self._held.get(name, ())
        lines = [
            {**{key: value for key, value in line.items() if key not in ("silenced", "seq")}, "silenced_until": iso_time(time)}
            for line in held
        ]
        for line in lines:
            self._note(line)
        return lines

    def _holds(self, name: _Name, time: float) -> bool:
        return any(silence.holds(name[1], time) for silence in self._silences)

    def _note(self, line: Line) -> None:
        name, over = _name(line), line["state"] == RESOLVED
        held = self._held.pop(name, [])
        if not line.get("silenced"):
            self._told[name] = line["state"]
            return
        ends = [each for each in held if each["state"] == RESOLVED]
        if over and not ends and self._told.get(name, RESOLVED) != RESOLVED:
            ends = [line]
        if held := ends if over else [*ends, line]:
            self._held[name] = held
            self._next = -math.inf


def _name(line: Line) -> _Name:
    return line["kind"], line["topic"] or line.get("publisher") or ""
