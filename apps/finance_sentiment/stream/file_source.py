"""A file of JSON Lines as a source: followed through growing, truncation and rotation, and taken up again where it was left."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apps.finance_sentiment.stream.folder_source import FolderSource
from apps.finance_sentiment.stream.growing_file import GrowingFile
from apps.finance_sentiment.stream.source import FILE, Reading, Record, Source, source_kind
from tfarch.errors import InputError

_LOOK = 0.5  # seconds between two looks at a file that is followed


class FileSource:
    """The lines of a file, each a record; blank ones are passed over.

    Followed, a last line without its end is still being written, and is waited for; else it counts. A file that was shortened or written anew is read from
    its beginning. One that was moved aside for a new one of its name (as logrotate does) is read to its end first, after a restart too where it still
    lies in the same folder uncompressed; lines of files that came and went meanwhile are lost. What is read twice is found by `duplicates` as far as they
    remember, and what is older than that is not counted again (see `watch.engine`).

    Args:
        path: the file; followed, it may be yet to come.
    """

    def __init__(self, path: Path, reading: Reading):
        # Not resolved: a link that is set to a new file every day is one source.
        self.path = Path(os.path.abspath(path))
        self.name = f"file:{self.path}"
        self.reading = reading
        self._closed = threading.Event()

    def read(self, position: dict[str, Any] | None = None) -> Iterator[Record | None]:
        """See `Source.read`.

        Raises:
            InputError: the file cannot be read.
        """
        while not self._closed.is_set():
            file = self._open(position)
            if position is not None and (file is None or file.replaced):
                yield from self._what_was_moved(position)
                position = None
            if file is None:
                yield None
                self._closed.wait(_LOOK)
                continue
            with file:
                yield from self._followed(file) if self.reading.follow else self._whole(file)
            if not self.reading.follow:
                return
            position = None  # what has come in its place is read from its beginning

    def close(self) -> None:
        """Ends reading."""
        self._closed.set()

    def _followed(self, file: GrowingFile) -> Iterator[Record | None]:
        """The file's records until it is closed, no longer the same, or has another in its place."""
        left = False
        while not self._closed.is_set():
            if not file.same():
                self.reading.say(f"{self.path} was shortened or written anew: it is read from its beginning")
                return
            yield from self._lines(file)
            if left:
                yield from self._rest(file)
                return
            left = self._has_left(file)  # whoever writes it may write a little more: one more look
            yield None
            self._closed.wait(_LOOK)

    def _whole(self, file: GrowingFile) -> Iterator[Record | None]:
        yield from self._lines(file)
        yield from self._rest(file)

    def _lines(self, file: GrowingFile) -> Iterator[Record | None]:
        for found in file.lines():
            if self._closed.is_set():
                return
            if found is None:
                yield None
            elif not found[1].blank:
                yield self._record(file, *found)

    def _rest(self, file: GrowingFile) -> Iterator[Record]:
        if not self._closed.is_set() and (found := file.rest()) and not found[1].blank:
            yield self._record(file, *found)

    def _record(self, file: GrowingFile, number: int, line) -> Record:
        return Record(line.content, file.position(), f"{self.path.name}, line {number}{line.remark}")

    def _has_left(self, file: GrowingFile) -> bool:
        """Whether another file has the name now; while none has, the old one may still be written."""
        try:
            return os.stat(self.path).st_ino != file.inode
        except FileNotFoundError:
            return False

    def _open(self, position: dict[str, Any] | None) -> GrowingFile | None:
        """The file, or None where it is waited for."""
        try:
            return GrowingFile(self.path, position)
        except FileNotFoundError as error:
            if not self.reading.follow:
                raise InputError("no such file", file=self.path) from error
            return None

    def _what_was_moved(self, position: dict[str, Any]) -> Iterator[Record | None]:
        """The rest of the file that the position is one of, where it lies beside this one under another name."""
        with os.scandir(self.path.parent) as entries:
            candidates = [Path(entry.path) for entry in entries if entry.inode() == position["inode"] and entry.is_file()]
        for path in candidates:
            with GrowingFile(path, position) as file:
                if not file.replaced:
                    yield from self._whole(file)
                    return
        self.reading.say(f"{self.path} is not the file that was read before, and that one is not found: it is read from its beginning")


@source_kind(FILE)
def open_file(place: str, reading: Reading) -> Source:
    """A file of JSON Lines, or one whole JSON document where it is named `.json`."""
    path = Path(place)
    return FolderSource(path, reading) if path.suffix.lower() == ".json" else FileSource(path, reading)
