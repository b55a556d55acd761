"""A file that grows while it is read: its whole lines, and positions that notice when another file has taken its place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from apps.finance_sentiment.stream.lines import Line, LineCutter
from tfarch.errors import InputError

_CHUNK = 1 << 16
_COMPARED = 256  # bytes at the file's beginning, and as many before the position


class GrowingFile:
    """An open file of lines, read from a position on, or from the beginning where the position is none of this file.

    A position is `{"offset", "line", "inode", "check"}`: bytes and line ends behind the reader, and a hash of the file's first bytes and of those before
    the offset. It is one of any file that agrees in that hash, whatever its name is by now; the inode helps to find it.

    replaced: whether there was a position that is none of this file.

    Raises:
        FileNotFoundError: it is not there.
        InputError: it cannot be read.
    """

    def __init__(self, path: Path, position: dict[str, Any] | None = None):
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by close()
        except PermissionError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=path) from error
        self.inode = os.fstat(self._file.fileno()).st_ino
        self.replaced = position is not None and not self._holds(position["offset"], position["check"])
        self._offset, self._ends = (0, 0) if position is None or self.replaced else (position["offset"], position["line"])
        self._read = self._offset  # the bytes from _offset to _read are with the cutter
        self._head = self._bytes(0, min(_COMPARED, self._offset))
        self._before_read = self._before_offset = self._bytes(self._offset - _COMPARED, self._offset)
        self._cutter = LineCutter()

    def __enter__(self) -> GrowingFile:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def position(self) -> dict[str, Any]:
        """The position behind what was handed out last."""
        check = _check(self._offset, self._head, self._before_offset)
        return {"offset": self._offset, "line": self._ends, "inode": self.inode, "check": check}

    def lines(self) -> Iterator[tuple[int, Line] | None]:
        """The whole lines that are there now, each with its number from 1; None after a chunk in which none ends."""
        while chunk := self._bytes(self._read, self._read + _CHUNK):
            start, joined = self._read, self._before_read + chunk
            behind = len(self._before_read)
            if len(self._head) < _COMPARED:
                self._head = (self._head + chunk)[:_COMPARED]
            self._read, self._before_read = start + len(chunk), joined[-_COMPARED:]
            whole = False
            for line in self._cutter.feed(chunk):
                whole = True
                self._offset, self._ends = start + line.end, self._ends + 1
                self._before_offset = joined[max(0, behind + line.end - _COMPARED) : behind + line.end]
                yield self._ends, line
            if not whole:
                yield None

    def rest(self) -> tuple[int, Line] | None:
        """The last line where it has no end, handed out all the same."""
        line = self._cutter.rest()
        if line is None:
            return None
        self._offset, self._before_offset = self._read, self._before_read
        return self._ends + 1, line

    def unfinished(self) -> bytes:
        """What there is of a last line that has no end."""
        return self._cutter.peek()

    def same(self) -> bool:
        """Whether the file still holds what was read of it: it was neither shortened nor written anew."""
        return self._holds(self._read, _check(self._read, self._head, self._before_read))

    def _holds(self, offset: int, check: str) -> bool:
        head, before = self._bytes(0, _COMPARED), self._bytes(offset - _COMPARED, offset)
        return os.fstat(self._file.fileno()).st_size >= offset and _check(offset, head, before) == check

    def _bytes(self, start: int, end: int) -> bytes:
        self._file.seek(max(0, start))
        return self._file.read(end - max(0, start))


def _check(offset: int, head: bytes, before: bytes) -> str:
    # Up to _COMPARED bytes in, what lies before the offset is all that was read; the head may have grown since.
    return hashlib.blake2b(before if offset <= _COMPARED else head + before, digest_size=8).hexdigest()
