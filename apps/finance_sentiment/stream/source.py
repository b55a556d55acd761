"""Where items come from: what the engine asks of every source, and the register by which a place on the command line becomes one.

A source hands out records as they came, unread; `item.parse_item` reads them, so that what is malformed is counted in one place whatever it came through.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tfarch.errors import InputError, unknown
from tfarch.progress import say as say_on_standard_error

Position = Any  # a JSON value that only the source understands


@dataclass(frozen=True)
class Record:
    """One item as it came.

    content: the line or message, or the object where the source had to read it.
    at: its `position`, or what gives it when it is asked for, where that is large.
    place: where a person finds it ("news.jsonl, line 12").
    acknowledge: to be called once it is stored safely, whatever became of it; None where nobody waits for that.
    """

    content: bytes | Mapping[str, Any]
    at: Position | Callable[[], Position]
    place: str
    acknowledge: Callable[[], None] | None = None

    @property
    def position(self) -> Position:
        """The source's position after it, for `Source.read` after a restart; None where a source cannot go back."""
        return self.at() if callable(self.at) else self.at


class Source(Protocol):
    """Where records come from.

    name: the same after a restart; the engine keeps the position under it.
    """

    name: str

    def read(self, position: Position = None) -> Iterator[Record | None]:
        """Records behind `position`, from the beginning where that is None.

        None stands between them where nothing is new at the moment, at least once a second; the end of the iterator is the end of the source.
        """

    def close(self) -> None:
        """Ends reading within a second, from any thread, and lets go of files and connections; a second call does nothing."""


@dataclass(frozen=True)
class Reading:
    """How a source is read.

    follow: wait for more where it ends for now.
    every: seconds between two looks at what has to be asked, a feed.
    say: takes what a person should know, a line at a time.
    """

    follow: bool = False
    every: float = 300.0
    say: Callable[[str], None] = say_on_standard_error


Opener = Callable[[str, Reading], Source]
FILE, FOLDER, STANDARD_INPUT = "a file", "a folder", "-"
_PACKAGE = "apps.finance_sentiment.stream"
# Imported when one is asked for: who reads a file shall not wait for a feed reader or need a Kafka client.
_SHIPPED = {
    STANDARD_INPUT: f"{_PACKAGE}.standard_input",
    FILE: f"{_PACKAGE}.file_source",
    FOLDER: f"{_PACKAGE}.folder_source",
    "http": f"{_PACKAGE}.feed_source",
    "https": f"{_PACKAGE}.feed_source",
    "listen": f"{_PACKAGE}.http_source",
    "kafka": f"{_PACKAGE}.kafka_source",
    "python": f"{_PACKAGE}.python_source",
}
_OPENERS: dict[str, Opener] = {}
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+):")  # of two characters at least: C: is a drive


def source_kind(*names: str) -> Callable[[Opener], Opener]:
    """Registers what opens a place such as `name:...`.

    >>> @source_kind("mail")  # doctest: +SKIP
    ... def open_mailbox(place: str, reading: Reading) -> Source: ...

    Raises:
        ValueError: a name is taken.
    """

    def register(opener: Opener) -> Opener:
        for name in names:
            if name in _OPENERS or _SHIPPED.get(name, opener.__module__) != opener.__module__:
                raise ValueError(f"there is a source of kind {name!r} already")
        _OPENERS.update(dict.fromkeys(names, opener))
        return opener

    return register


def open_source(place: str, *, follow: bool = False, every: float = 300.0, say: Callable[[str], None] = say_on_standard_error) -> Source:
    """The source that a place names: `-`, a file, a folder, or `scheme:...` of a registered kind.

    Args:
        place: as a person writes it.
        follow, every, say: see `Reading`.

    Raises:
        InputError: an unknown scheme, a file that is not there, or what the source itself complains of.
    """
    kind = _kind(place, follow)
    if kind not in _OPENERS and kind in _SHIPPED:
        importlib.import_module(_SHIPPED[kind])
    return _OPENERS[kind](place, Reading(follow, every, say))


def _kind(place: str, follow: bool) -> str:
    known = _OPENERS.keys() | _SHIPPED.keys()
    if place == STANDARD_INPUT:
        return STANDARD_INPUT
    if scheme := _SCHEME.match(place):
        if (name := scheme[1].lower()) not in known:
            raise unknown("kind of source", name, known, mend=f"a file of that name is ./{place}")
        return name
    path = Path(place)
    if place and path.is_dir():
        return FOLDER
    if place and path.exists():
        if not path.is_file():
            raise InputError("neither a file nor a folder", file=place, mend="a pipe is read by - and <")
        return FILE
    if not (follow and path.suffix and path.parent.is_dir()):  # one that is waited for
        raise InputError(f"{place or 'an empty name'}: no such file or folder")
    return FILE
