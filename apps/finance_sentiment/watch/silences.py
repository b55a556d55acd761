"""Silences that a person has asked for: alerts of some topics are followed, but not sent, for a while."""

from __future__ import annotations

import fnmatch
import math
from dataclasses import dataclass

from apps.finance_sentiment.stream.item import MalformedItem, parse_time
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
