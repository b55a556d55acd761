"""One data file into a `Table`: CSV, TSV and JSON Lines, UTF-8 with or without a byte order mark.

A row that cannot be used is skipped and reported with its line, or stops the run where `strict` is set. A file that as a whole cannot be
what was meant (missing column, UTF-16, not one usable row) is an `InputError`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tfarch.config import DataConfig
from tfarch.data.delimited import records
from tfarch.data.tables import BadRow, Table
from tfarch.errors import InputError, unknown

# The delimiters that a file of each kind may use, likeliest first; JSON Lines has none. In many countries spreadsheets write semicolons.
FORMATS = {".csv": (",", ";", "\t"), ".tsv": ("\t",), ".jsonl": (), ".ndjson": ()}

_SURROGATE = re.compile("[\ud800-\udfff]")
_COLUMNS_SHOWN = 20


@dataclass(frozen=True)
class Reading:
    """What a file gave: its rows, those that were skipped, and the hash of its bytes."""

    table: Table
    bad_rows: tuple[BadRow, ...]
    sha256: str


class MissingColumnError(InputError):
    """A table has no column of the name that was asked for; `option` is what the column is for, text or label."""

    def __init__(self, message: str, option: str, **place):
        super().__init__(message, mend=f"name the right one with --{option}-column", **place)
        self.option = option


class EmptyColumnError(InputError):
    """No row of a table has a label, where a row may lack it."""


class RowCollector:
    """Takes rows one by one and sorts the usable from the bad.

    Args:
        place: the file as the user gave it, for errors.
        shown: its name in tables and reports.
        strict: raise on the first bad row instead of noting it.
        labelled: a row without a label is bad, and not merely one that another task has a label for.
    """

    def __init__(self, place: str | Path, shown: str, strict: bool, labelled: bool = True):
        self._place, self._shown, self._strict, self._labelled = place, shown, strict, labelled
        self._rows: list[tuple[str, str, int]] = []
        self._bad: list[BadRow] = []
        self._lacking = False

    def add(self, line: int, text: str, label: str) -> None:
        """Takes a row; one with an empty or damaged text or label is bad."""
        reason = damage(text) or damage(label)
        if reason is None and not text.strip():
            reason = "empty text"
        if reason is None and not label.strip():
            if not self._labelled:
                self._lacking = True
                return
            reason = "empty label"
        if reason is None:
            self._rows.append((text, label, line))
        else:
            self.skip(line, reason)

    def skip(self, line: int, reason: str) -> None:
        """Notes a bad row.

        Raises:
            InputError: `strict` is set.
        """
        if self._strict:
            raise InputError(reason, file=self._place, line=line, mend="mend the row, or skip such rows with --set data.strict=false")
        self._bad.append(BadRow(self._shown, line, reason))

    def finish(self, sha256: str) -> Reading:
        """The rows so far.

        Raises:
            InputError: there is none; says what is wrong with the first that was skipped.
            EmptyColumnError: there is none, and of those that were passed over some lack nothing but a label.
        """
        if not self._rows:
            if self._lacking:
                raise EmptyColumnError("no row has a label", file=self._place)
            if self._bad:
                first = self._bad[0]
                raise InputError(
                    f"none of its {len(self._bad):,} rows can be used; this one: {first.reason}", file=self._place, line=first.line
                )
            raise InputError("it has no rows", file=self._place)
        texts, labels, lines = zip(*self._rows, strict=True)
        return Reading(Table(texts, labels, lines, self._shown), tuple(self._bad), sha256)


def damage(value: str) -> str | None:
    """Why a string is not sound text (a byte that is not UTF-8, a lone surrogate, a NUL), or None.

    Bytes that are not UTF-8 are expected as Python's `surrogateescape` leaves them.
    """
    if "\0" in value:
        return "a NUL byte"
    found = None if value.isascii() else _SURROGATE.search(value)
    if found is None:
        return None
    code = ord(found.group())
    return f"not UTF-8 (byte 0x{code - 0xDC00:02x})" if 0xDC80 <= code <= 0xDCFF else f"half of a surrogate pair (\\u{code:04x})"


def read_table(path: Path, data: DataConfig) -> Reading:
    """Reads the text and label columns of one file, and hashes it on the way.

    Raises:
        InputError: the file cannot be read, is of no known format, is not UTF-8 text, lacks a column (lists those there are), has no usable
            row, or has a bad row and `data.strict` is set.
    """
    if data.text_column == data.label_column:
        raise InputError(f"column {data.text_column!r} cannot be both text and label", file=path, mend="name two columns")
    delimiters = FORMATS.get(path.suffix.lower())
    if delimiters is None:
        raise unknown("format", path.suffix, (*FORMATS, ".yml", ".yaml"), file=path)
    rows = RowCollector(path, path.name, data.strict, labelled=not data.tasks)

    def take(line: int, fields: list[str], reason: str | None) -> None:
        if reason:
            rows.skip(line, reason)
        else:
            rows.add(line, *fields)

    wanted = {data.text_column: "text", data.label_column: "label"}
    optional = {data.label_column} if data.tasks else set()
    return rows.finish(read_fields(path, wanted, take, optional=optional))


def read_fields(
    path: Path,
    wanted: Mapping[str, str],
    take: Callable[[int, list[str], str | None], None],
    *,
    optional: Collection[str] = (),
    spare: Collection[str] = (),
) -> str:
    """Gives every row of a file to `take`: its line, the fields of the wanted columns and, where it is bad, why (then it has no fields).

    Args:
        wanted: the option that names each column, by column.
        optional: columns that an object of JSON Lines may lack; the field is then empty.
        spare: columns that the whole file may lack; the fields are then empty.

    Returns:
        The sha256 of the file's bytes.

    Raises:
        InputError: the file cannot be read, is of no known format, is not UTF-8 text, or lacks a column (lists those there are).
    """
    delimiters = FORMATS.get(path.suffix.lower())
    if delimiters is None:
        raise unknown("format", path.suffix, FORMATS, file=path)
    try:
        with open(path, "rb", buffering=0) as raw:
            hashed = _Hashed(raw)
            for line, fields, reason in _rows(_text_lines(hashed, path), delimiters, wanted, path, optional, spare):
                take(line, fields, reason)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    return hashed.digest.hexdigest()


def read_texts(path: str | Path, column: str) -> list[str]:
    """The texts of one column, one for every row of the file: to be answered, they need no label, and an empty one is a text.

    Raises:
        InputError: the file cannot be read, is of no known format, lacks the column, or has a row that cannot be read; names its line.
    """
    texts = []

    def take(line: int, fields: list[str], reason: str | None) -> None:
        if reason:
            raise InputError(reason, file=path, line=line, mend="mend the row or take it out: each row gets an answer")
        texts.extend(fields)

    read_fields(Path(path), {column: "text"}, take)
    return texts


def texts_in(path: str | Path, column: str) -> Iterator[str]:
    """The texts of a file as they come: of `column` where it is a table, else a text a line, bytes that are not UTF-8 replaced.

    Raises:
        InputError: see `read_texts`; or it is no table, and no text either (a spreadsheet, an archive).
    """
    if Path(path).suffix.lower() in FORMATS:
        yield from read_texts(path, column)
        return
    try:
        with open(path, "rb") as raw:
            head = raw.peek(1)
            _refuse_utf16(head, path)
            if b"\0" in head:
                raise InputError("it is not a text file", file=path, mend="give UTF-8 with one text a line, or save a spreadsheet as CSV")
            lines = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace")
            yield from (line.rstrip("\r\n") for line in lines)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error


class _Hashed(io.RawIOBase):
    """A raw file that hashes all that is read from it."""

    def __init__(self, raw: io.RawIOBase):
        self._raw, self.digest = raw, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        count = self._raw.readinto(buffer)
        self.digest.update(memoryview(buffer)[:count])
        return count


def _text_lines(raw: io.RawIOBase, path: Path) -> io.TextIOWrapper:
    """The file's lines with their ends, bytes that are not UTF-8 escaped as surrogates."""
    buffered = io.BufferedReader(raw, 1 << 18)
    head = buffered.peek(1)
    _refuse_utf16(head, path)
    # Lines end with LF (CR LF with it), as editors count them; only a file from an old Mac has CR alone.
    newline = "\r" if b"\r" in head and b"\n" not in head else "\n"
    return io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline=newline)


def _refuse_utf16(head: bytes, path: str | Path) -> None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError("it is UTF-16", file=path, mend="save it as UTF-8")


# A row's line, the fields of the wanted columns in their order, and, where it is bad, why (then it has no fields).
Row = tuple[int, list[str], str | None]


def _rows(
    lines: Iterable[str],
    delimiters: tuple[str, ...],
    wanted: Mapping[str, str],
    path: Path,
    optional: Collection[str] = (),
    spare: Collection[str] = (),
) -> Iterator[Row]:
    """The rows of a file, see `read_fields`."""
    if delimiters:
        return _delimited_rows(lines, delimiters, wanted, path, spare)
    return _json_rows(lines, wanted, path, {*optional, *spare}, spare)


def _delimited_rows(
    lines: Iterable[str], delimiters: tuple[str, ...], wanted: Mapping[str, str], path: Path, spare: Collection[str]
) -> Iterator[Row]:
    lines = iter(lines)
    first = next(lines, "")
    if not first:
        raise InputError("it is empty", file=path)
    if not first.strip():
        raise InputError("its first line is empty", file=path, line=1, mend="the first line must name the columns")
    found = records(itertools.chain([first], lines), _delimiter(first, delimiters, set(wanted).difference(spare)))
    header = next(found)
    if reason := header.broken or damage("".join(header.fields)):
        raise InputError(f"its header cannot be read: {reason}", file=path, line=header.line, mend="save the file as UTF-8 text")
    columns = [name.strip() for name in header.fields]
    present = {name: option for name, option in wanted.items() if name in columns or name not in spare}
    places = {name: _column(columns, name, option, path, header.line) for name, option in present.items()}
    for line, fields, broken in found:
        if not broken and len(fields) != len(columns):
            more = "; a text with the delimiter in it needs quotes" if len(fields) > len(columns) else ""
            broken = f"{len(fields)} column{'s' if len(fields) > 1 else ''} where the header has {len(columns)}{more}"
        reason = broken or damage("".join(fields))
        yield line, [] if reason else [fields[places[name]] if name in places else "" for name in wanted], reason


def _delimiter(first: str, delimiters: tuple[str, ...], wanted: Iterable[str]) -> str:
    """The first delimiter under which the header has the wanted columns; the format's own where none does, so that an error lists columns."""
    for delimiter in delimiters:
        names = {name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])}
        if names.issuperset(wanted):
            return delimiter
    return delimiters[0]


def _column(columns: list[str], name: str, option: str, path: Path, line: int) -> int:
    if columns.count(name) == 1:
        return columns.index(name)
    if name in columns:
        raise InputError(f"its header has column {name!r} {columns.count(name)} times", file=path, line=line, mend="rename all but one")
    raise _missing_column(name, option, columns, path, line)


def _missing_column(name: str, option: str, columns: Iterable[str], path: Path, line: int) -> MissingColumnError:
    names = [repr(each if len(each) <= 40 else each[:39] + "…") for each in columns]
    listed = ", ".join(names[:_COLUMNS_SHOWN]) + (f" and {len(names) - _COLUMNS_SHOWN} more" if len(names) > _COLUMNS_SHOWN else "")
    return MissingColumnError(f"no column {name!r}; its columns: {listed}", option, file=path, line=line)


def _json_rows(
    lines: Iterable[str], wanted: Mapping[str, str], path: Path, optional: Collection[str], spare: Collection[str]
) -> Iterator[Row]:
    seen: dict[str, int] = {}  # the line on which each key first stands, in that order
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if reason := damage(line):
            yield number, [], reason
            continue
        try:
            row = json.loads(line.rstrip(), parse_int=str, parse_float=str)  # numbers keep their spelling: 007 is no JSON, 1.0 stays "1.0"
        except json.JSONDecodeError as error:
            yield number, [], f"not JSON: {error.msg} at column {error.colno}"
            continue
        except RecursionError:
            yield number, [], "not JSON that can be read: it is nested too deeply"
            continue
        if not isinstance(row, dict):
            yield number, [], f"not a JSON object but {_kind(row)}"
            continue
        for key in row:
            seen.setdefault(key, number)
        row |= {name: "" for name in optional if row.get(name) is None}
        lacking = next((name for name in wanted if name not in row), None)
        unfit = next((name for name in wanted if name in row and not isinstance(row[name], (str, bool))), None)
        if lacking is not None:
            yield number, [], f"no {lacking!r} in the object"
        elif unfit is not None:
            yield number, [], f"{unfit!r} is {_kind(row[unfit])}, not text"
        else:
            yield number, [value if isinstance(value, str) else str(value).lower() for value in (row[name] for name in wanted)], None
    for name, option in wanted.items():
        if seen and name not in seen and name not in spare:
            raise _missing_column(name, option, seen, path, min(seen.values()))


def _kind(value: object) -> str:
    """A JSON value's type in JSON's words; numbers have been read as their spelling."""
    kinds = {dict: "an object", list: "a list", bool: "true or false", float: "NaN or infinity", str: "a single value"}
    return "null" if value is None else kinds[type(value)]
