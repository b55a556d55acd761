"""When something happened, as people write it: ISO 8601, or seconds since 1970."""

from __future__ import annotations

import datetime
import math
from typing import Any

_EARLIEST = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC).timestamp()
_LATEST = datetime.datetime(2200, 1, 1, tzinfo=datetime.UTC).timestamp()


def seconds_of(value: Any) -> float:
    """Seconds since 1970 of a time in ISO 8601 (UTC where it names no zone) or in such seconds.

    Raises:
        ValueError: it is neither, or lies outside 1970 to 2200; the message says which.
    """
    if isinstance(value, bool) or value is None:
        raise ValueError("lacks time" if value is None else "time is bool, not a time")
    if isinstance(value, (int, float)):
        seconds = float(value) if abs(value) < 1e15 else math.inf
    elif isinstance(value, str):
        try:
            moment = datetime.datetime.fromisoformat(value.strip())
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()
        except (ValueError, OverflowError) as error:
            raise ValueError(f"time {value[:40]!r} is not ISO 8601") from error
    else:
        raise ValueError(f"time is {type(value).__name__}, not a time")
    if not _EARLIEST <= seconds < _LATEST:  # NaN is neither
        # Python refuses to print an integer of thousands of digits.
        shown = "of many digits" if isinstance(value, int) and math.isinf(seconds) else f"{value!r:.40}"
        raise ValueError(f"time {shown} lies outside 1970 to 2200")
    return seconds


def iso_time(seconds: float) -> str:
    """UTC in ISO 8601, to the second: 2026-03-01T09:30:00Z."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
