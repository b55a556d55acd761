"""One item of a stream: a JSON object `{"id", "time", "text", "publisher"}` as a record that the rest can rely on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfarch.data.moments import seconds_of

MOST_CHARACTERS = 200_000  # of a text; a report of a hundred pages has as many
MOST_ID = 512  # characters of an id; of a longer one the end becomes a hash


class MalformedItem(ValueError):  # noqa: N818 - a fact about the item, not a failure of ours
    """An item that cannot be used; the message says why, in a few words."""


@dataclass(frozen=True)
class Item:
    """A text that somebody published.

    id: as the publisher or the stream names it.
    time: event time, seconds since 1970 in UTC.
    """

    id: str
    time: float
    text: str
    publisher: str


def parse_item(line: str | bytes | Mapping[str, Any]) -> Item:
    """The item that a JSON line, or an object that was read already, holds.

    `text` is needed. `time` is ISO 8601 (UTC where it names no zone) or seconds since 1970; `publisher` may be missing. Without `id` the item is named
    by a hash of its publisher, time and text.

    Raises:
        MalformedItem: it is no JSON object, lacks text or time, or one of them cannot be used.
    """
    if isinstance(line, bytes):
        try:
            line = line.decode("utf-8-sig")  # some programs begin a file with a byte order mark
        except UnicodeDecodeError as error:
            raise MalformedItem(f"not UTF-8 (byte {error.start})") from error
    if isinstance(line, str):
        try:
            line = json.loads(line)
        except json.JSONDecodeError as error:
            raise MalformedItem(f"not JSON: {error.msg}") from error
        except RecursionError as error:
            raise MalformedItem("not JSON: nested too deeply") from error
        except ValueError as error:
            raise MalformedItem("a number of thousands of digits") from error
    if not isinstance(line, Mapping):
        raise MalformedItem(f"a JSON {type(line).__name__}, not an object")
    text, publisher = _string(line, "text"), _string(line, "publisher", "")
    if not text.strip():
        raise MalformedItem("empty text")
    if len(text) > MOST_CHARACTERS:
        raise MalformedItem(f"a text of {len(text):,} characters; at most {MOST_CHARACTERS:,}")
    time = parse_time(line.get("time"))
    name = _name(line.get("id")) or _hash(json.dumps([publisher, time, text]))
    return Item(name, time, text, publisher.strip()[:256])


def _name(value: Any) -> str:
    """An id as text; empty where there is none."""
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        # NaN would be the id of many; and what has more digits than a hash was never meant as an id.
        if not abs(value) < 1e100:
            raise MalformedItem("id is no finite number")
        value = str(value)
    if not isinstance(value, str):
        raise MalformedItem(f"id is {type(value).__name__}, not text")
    _sound("id", value)
    value = value.strip()
    # Two long ids that only differ at their ends are two.
    return value if len(value) <= MOST_ID else f"{value[: MOST_ID - 25]}-{_hash(value)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _string(line: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = line.get(name, default)
    if value is None and default is not None:
        value = default
    if not isinstance(value, str):
        raise MalformedItem(f"lacks {name}" if value is None else f"{name} is {type(value).__name__}, not text")
    _sound(name, value)
    return value


def _sound(name: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise MalformedItem(f"{name} holds half of a surrogate pair") from error


def parse_time(value: Any) -> float:
    """Seconds since 1970 of a time in ISO 8601 (UTC where it names no zone) or in such seconds.

    Raises:
        MalformedItem: it is neither, or lies outside 1970 to 2200.
    """
    try:
        return seconds_of(value)
    except ValueError as error:
        raise MalformedItem(str(error)) from error
