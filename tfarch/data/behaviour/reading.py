"""Files of events and of items into `Interactions` and a `Catalogue`: CSV, TSV and JSON Lines, as texts with labels are read.

A row that cannot be used is skipped and reported with its line, or stops the run where `strict` is set.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfarch.data.behaviour.catalogue import Catalogue
from tfarch.data.behaviour.interactions import Interactions
from tfarch.data.moments import seconds_of
from tfarch.data.reading import read_fields
from tfarch.data.tables import BadRow
from tfarch.errors import InputError

SEPARATOR = "|"  # of several categories or tags in one cell


@dataclass(frozen=True)
class EventColumns:
    """Names of the columns of a log; behaviour, time and value may be missing."""

    user: str = "user"
    item: str = "item"
    behaviour: str = "behaviour"
    time: str = "timestamp"
    value: str = "rating"


@dataclass(frozen=True)
class ItemColumns:
    """Names of the columns of an item table; all but the item's own may be missing.

    texts: what a model reads, joined in this order.
    """

    item: str = "item"
    title: str = "title"
    texts: tuple[str, ...] = ("title", "description", "tags")
    category: str = "category"
    since: str = "since"  # a year, a date, or seconds since 1970


@dataclass(frozen=True)
class EventFile:
    """What a log held.

    lines: of each event of the log, from 1, int32 `[n]`.
    dated: whether its events have times; else they are numbered by their rows, which then count as seconds.
    """

    log: Interactions
    lines: np.ndarray
    dated: bool
    bad_rows: tuple[BadRow, ...]
    sha256: str


@dataclass(frozen=True)
class ItemFile:
    """What an item table held."""

    catalogue: Catalogue
    bad_rows: tuple[BadRow, ...]
    sha256: str


class _Rows:
    """Notes bad rows, or refuses the first where `strict` is set."""

    def __init__(self, path: Path, strict: bool):
        self.path, self.strict, self.bad = path, strict, []

    def skip(self, line: int, reason: str) -> None:
        if self.strict:
            raise InputError(reason, file=self.path, line=line, mend="mend the row, or skip such rows with --set data.strict=false")
        self.bad.append(BadRow(self.path.name, line, reason))

    def require_some(self, found: int, what: str) -> None:
        if found:
            return
        if self.bad:
            first = self.bad[0]
            raise InputError(f"none of its {len(self.bad):,} rows can be used; this one: {first.reason}", file=self.path, line=first.line)
        raise InputError(f"it has no {what}", file=self.path)


def read_events(
    path: str | Path, columns: EventColumns = EventColumns(), *, strict: bool = False, items: tuple[str, ...] = ()
) -> EventFile:
    """The events of a file. Times are ISO 8601 or seconds since 1970.

    Args:
        items: ids of a catalogue, which have its numbers; events of others get the numbers after them.

    Raises:
        InputError: the file cannot be read, lacks the column of users or items, or has no usable row; or a bad row and `strict` is set; or some rows have a
            time and others not.
    """
    path = Path(path)
    rows, lines, users, found, behaviours, times, values = _Rows(path, strict), [], [], [], [], [], []
    wanted = {columns.user: "user", columns.item: "item", columns.behaviour: "behaviour", columns.time: "time", columns.value: "value"}
    if len(wanted) < 5:
        raise InputError("two of the columns of events have the same name", file=path, mend="name a column for each")
    undated: list[int] = []

    def take(line: int, fields: list[str], reason: str | None) -> None:
        if reason:
            return rows.skip(line, reason)
        user, item, behaviour, time, value = (field.strip() for field in fields)
        if not user or not item:
            return rows.skip(line, "empty user" if not user else "empty item")
        try:
            when, weight = _time(time), _number(value) if value else 1.0
        except ValueError as error:
            return rows.skip(line, str(error))
        if when is None:
            undated.append(line)
        lines.append(line)
        users.append(user)
        found.append(item)
        behaviours.append(behaviour)
        times.append(float(len(times)) if when is None else when)
        values.append(weight)

    sha256 = read_fields(path, wanted, take, spare={columns.behaviour, columns.time, columns.value})
    rows.require_some(len(users), "events")
    if undated and len(undated) < len(users):
        raise InputError("this event has no time, others have one", file=path, line=undated[0], mend="give all events a time, or none")
    log = Interactions.of(users, found, np.array(times), behaviours, np.array(values), item_ids=items)
    in_order = np.array(lines, np.int32)[np.argsort(times, kind="stable")]
    return EventFile(log, in_order, not undated, tuple(rows.bad), sha256)


def read_items(path: str | Path, columns: ItemColumns = ItemColumns(), *, strict: bool = False) -> ItemFile:
    """The items of a file. Of an id that stands twice, the first row counts.

    Raises:
        InputError: the file cannot be read, lacks the column of items, or has no usable row; or a bad row and `strict` is set.
    """
    path = Path(path)
    rows, names = _Rows(path, strict), list(dict.fromkeys([columns.item, columns.title, *columns.texts, columns.category, columns.since]))
    found: dict[str, tuple[str, str, tuple[str, ...], float]] = {}

    def take(line: int, fields: list[str], reason: str | None) -> None:
        if reason:
            return rows.skip(line, reason)
        cells = {name: field.strip() for name, field in zip(names, fields, strict=True)}
        item = cells[columns.item]
        if not item or item in found:
            return rows.skip(line, f"item {item!r} stands twice" if item else "empty item")
        try:
            since = _since(cells[columns.since])
        except ValueError as error:
            return rows.skip(line, str(error))
        parts = [", ".join(_several(cells[name])) for name in columns.texts if cells[name]]
        text = ". ".join(part.rstrip(".") for part in parts)
        categories = tuple(dict.fromkeys(_several(cells[columns.category])))
        found[item] = (cells[columns.title], text, categories, since)

    sha256 = read_fields(path, dict.fromkeys(names, "text") | {columns.item: "item"}, take, spare=set(names) - {columns.item})
    rows.require_some(len(found), "items")
    titles, texts, categories, since = zip(*found.values(), strict=True)
    return ItemFile(Catalogue(tuple(found), titles, texts, categories, np.array(since)), tuple(rows.bad), sha256)


def _several(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(SEPARATOR) if part.strip()]


def _time(cell: str) -> float | None:
    """Seconds since 1970 of such a number or of ISO 8601; None of an empty cell."""
    if not cell:
        return None
    try:
        number = float(cell)
    except ValueError:
        return seconds_of(cell)
    return seconds_of(number)


def _since(cell: str) -> float:
    """Seconds since 1970 of a year, a date or such seconds, of any time: an item may be older than what is measured in seconds. NaN of an empty cell."""
    if not cell:
        return math.nan
    if cell.isdecimal() and len(cell) == 4 and cell != "0000":
        return datetime.datetime(int(cell), 1, 1, tzinfo=datetime.UTC).timestamp()
    try:
        return _number(cell)
    except ValueError:
        pass
    try:
        moment = datetime.datetime.fromisoformat(cell)
    except ValueError as error:
        raise ValueError(f"since {cell[:40]!r} is no year, no date of ISO 8601 and no seconds") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise ValueError(f"{cell[:40]!r} is no number") from error
    if not math.isfinite(value):
        raise ValueError(f"{cell[:40]!r} is no finite number")
    return value
