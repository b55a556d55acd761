"""A folder of JSON files as a source: every one in the order of names, new ones and growing ones too where it is followed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from apps.finance_sentiment.stream.growing_file import GrowingFile
from apps.finance_sentiment.stream.json_document import is_object, read_document
from apps.finance_sentiment.stream.lines import MOST_LINE, Line, shortened
from apps.finance_sentiment.stream.source import FOLDER, Reading, Record, source_kind
from tfarch.errors import InputError

SUFFIXES = (".jsonl", ".ndjson", ".json")
MOST_DOCUMENT = 32 << 20  # bytes of a JSON document that is no lines: it has to be read whole
SETTLED = 10.0  # seconds after which a document that is no JSON is malformed rather than still being written
_LOOK = 0.5  # seconds between two looks at a folder that is followed
_SHARED = 1_000  # positions that are noted before the files' are copied


class FolderSource:
    """The records of the files of a folder, not of the folders in it; names that begin with a dot are not looked at. Or of one file.

    A file is JSON Lines, or, where it is named `.json` and its first line is no whole object, one JSON document: an object or a list. A document that
    changes is read anew; a file of lines is read on from where it was left. Followed, a last line without its end counts once it is a whole object.

    The position holds an entry for each file that is there: move away what is done with where there are many thousands.

    Args:
        path: the folder, or the file.
    """

    def __init__(self, path: Path, reading: Reading):
        self.path = Path(os.path.abspath(path))
        self.name = f"folder:{self.path}"
        self.reading = reading
        self._closed = threading.Event()
        self._positions = _Positions({})
        self._done: dict[str, tuple[int, int, int]] = {}  # the state in which a file was read to its end
        self._unread: dict[str, tuple[tuple[int, int, int], float]] = {}  # and in which it was no JSON, with since when
        self._told: set[str] = set()

    def read(self, position: dict[str, Any] | None = None) -> Iterator[Record | None]:
        """See `Source.read`.

        Raises:
            InputError: the folder cannot be read, or is gone and not followed.
        """
        self._positions = _Positions((position or {}).get("files", {}))
        self._done.clear()
        while not self._closed.is_set():
            files = self._files()
            self._forget(files)
            for file in files:
                yield from self._new(file)
                if self._closed.is_set():
                    return
            if not self.reading.follow:
                return
            yield None
            self._closed.wait(_LOOK)

    def close(self) -> None:
        """Ends reading."""
        self._closed.set()

    def _files(self) -> list[Path]:
        if self.path.is_file():
            return [self.path]
        try:
            with os.scandir(self.path) as entries:
                found = [
                    Path(entry.path)
                    for entry in entries
                    if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") and entry.is_file()
                ]
        except OSError as error:
            if self.reading.follow and isinstance(error, FileNotFoundError):
                return []
            raise InputError(f"cannot be read: {error.strerror}", file=self.path) from error
        return sorted(found)

    def _forget(self, files: list[Path]) -> None:
        """What is kept of files that are gone."""
        names = {file.name for file in files}
        self._positions = self._positions.of(names)
        for kept in (self._done, self._unread):
            for name in kept.keys() - names:
                del kept[name]

    def _new(self, path: Path) -> Iterator[Record | None]:
        """What is new in a file since it was looked at last."""
        try:
            status = os.stat(path)
            state = (status.st_size, status.st_mtime_ns, status.st_ino)
            if self._done.get(path.name) == state:
                return
            if path.suffix.lower() == ".json" and not _holds_lines(path):
                finished = yield from self._document(path, state)
            else:
                finished = yield from self._lines(path)
        except FileNotFoundError:  # gone since the folder was listed
            return
        except (PermissionError, InputError) as error:
            if path.name not in self._told:
                self._told.add(path.name)
                self.reading.say(f"{path} is passed over: {error}")
            return
        if finished:
            self._done[path.name] = state

    def _lines(self, path: Path) -> Iterator[Record | None]:
        """The lines that are new; returns True, for what comes later changes the file's state."""
        position = self._positions.get(path.name)
        with GrowingFile(path, position if position and "offset" in position else None) as file:
            if file.replaced:
                self.reading.say(f"{path} was shortened or written anew: it is read from its beginning")
            for found in file.lines():
                if self._closed.is_set():
                    return False
                if found is None:
                    yield None
                elif not found[1].blank:
                    yield self._line(path, file, *found)
            if (not self.reading.follow or is_object(file.unfinished())) and (found := file.rest()) and not found[1].blank:
                yield self._line(path, file, *found)
        return True

    def _line(self, path: Path, file: GrowingFile, number: int, line: Line) -> Record:
        return self._record(path, line.content, file.position(), f"{path.name}, line {number}{line.remark}")

    def _document(self, path: Path, state: tuple[int, int, int]) -> Iterator[Record | None]:
        """The elements that are new; returns whether the document could be read, or is taken for malformed."""
        mark = {"size": state[0], "changed": state[1]}
        position = self._positions.get(path.name) or {}
        taken = position.get("taken", 0) if mark.items() <= position.items() else 0
        with open(path, "rb") as file:
            content = file.read(MOST_DOCUMENT + 1)
        if not content.strip():
            return True
        fault = f"of more than {MOST_DOCUMENT:,} bytes: write it as JSON Lines"
        if len(content) <= MOST_DOCUMENT:
            try:
                elements = read_document(content)
            except ValueError as error:
                fault = str(error)
            else:
                for number, element in enumerate(elements[taken:], taken + 1):
                    if self._closed.is_set():
                        return False
                    yield self._record(path, element, {**mark, "taken": number}, f"{path.name}, item {number}")
                return True
            if self.reading.follow and not self._settled(path, state):
                return False
        if not taken:
            yield self._record(path, shortened(content), {**mark, "taken": 1}, f"{path.name}: {fault}")
        return True

    def _settled(self, path: Path, state: tuple[int, int, int]) -> bool:
        """Whether a file has been in this state for `SETTLED` seconds, by our own clock."""
        before, since = self._unread.get(path.name, (None, 0.0))
        if before != state:
            self._unread[path.name] = (state, time.monotonic())
            return False
        return time.monotonic() - since >= SETTLED

    def _record(self, path: Path, content, position: dict[str, Any], place: str) -> Record:
        return Record(content, self._positions.put(path.name, position), place)


class _Positions:
    """Where each file was left, now and at every record that is still waiting: what they share is there once.

    Args:
        begin: by the file's name; not changed.
    """

    def __init__(self, begin: Mapping[str, Any]):
        self._begin, self._now = begin, dict(begin)
        self._since: list[tuple[str, Any]] = []

    def get(self, name: str) -> Any:
        """Where a file was left; None where it was not read yet."""
        return self._now.get(name)

    def put(self, name: str, position: Any) -> _Snapshot:
        """Notes where a file is left; returns the positions of all as of now."""
        if len(self._since) > len(self._now) + _SHARED:
            self._begin, self._since = dict(self._now), []
        self._now[name] = position
        self._since.append((name, position))
        return _Snapshot(self._begin, self._since, len(self._since))

    def of(self, names: Set[str]) -> _Positions:
        """Those of these files."""
        return self if self._now.keys() <= names else _Positions({name: position for name, position in self._now.items() if name in names})


class _Snapshot:
    """Positions as they were: those at a beginning, and the first `count` that were noted since."""

    __slots__ = ("_begin", "_count", "_since")

    def __init__(self, begin: Mapping[str, Any], since: list[tuple[str, Any]], count: int):
        self._begin, self._since, self._count = begin, since, count

    def __call__(self) -> dict[str, Any]:
        return {"files": {**self._begin, **dict(self._since[: self._count])}}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Snapshot) and self() == other()


def _holds_lines(path: Path) -> bool:
    """Whether the file's first line is a whole object."""
    with open(path, "rb") as file:
        return is_object(file.readline(MOST_LINE).removeprefix(b"\xef\xbb\xbf"))


@source_kind(FOLDER)
def open_folder(place: str, reading: Reading) -> FolderSource:
    """A folder of `.jsonl`, `.ndjson` and `.json` files."""
    return FolderSource(Path(place), reading)
