"""A stream of bytes cut into lines, holding one line at most and never all of one that is too long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MOST_LINE = 1_000_000  # bytes; the longest text that an item may have fits with its escapes, unless it is all escapes
SHOWN = 1_000  # bytes that are kept of a longer one
_CUT = b" [cut]"  # behind what is kept, so that it cannot be taken for a whole object


@dataclass(frozen=True)
class Line:
    """A line without its end.

    content: its bytes; the first `SHOWN` and a mark where it was too long.
    end: bytes of the last fed chunk up to and with its end; 0 for a rest.
    length: bytes that it had, with its end.
    cut: whether it was too long.
    """

    content: bytes
    end: int
    length: int
    cut: bool

    @property
    def blank(self) -> bool:
        """Whether there is nothing in it."""
        return not self.content.strip()

    @property
    def remark(self) -> str:
        """What a place says of it: nothing, or that it was cut."""
        return f" ({self.length:,} bytes, cut: at most {MOST_LINE:,})" if self.cut else ""


class LineCutter:
    """Cuts chunks into lines."""

    def __init__(self):
        self._pending, self._length = bytearray(), 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The lines that end within `chunk`."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._take(chunk[start:end])
            yield self._line(end + 1, 1)
            start = end + 1
        self._take(chunk[start:])

    def rest(self) -> Line | None:
        """What came behind the last line's end, taken out; None where nothing did."""
        return self._line(0, 0) if self._length else None

    def peek(self) -> bytes:
        """What came behind the last line's end."""
        return bytes(self._pending)

    def _take(self, piece: bytes) -> None:
        self._length += len(piece)
        self._pending += piece[: max(0, MOST_LINE + 1 - len(self._pending))]

    def _line(self, end: int, newline: int) -> Line:
        cut = len(self._pending) > MOST_LINE
        content = shortened(self._pending) if cut else bytes(self._pending).removesuffix(b"\r")
        line = Line(content, end, self._length + newline, cut)
        self._pending, self._length = bytearray(), 0
        return line


def shortened(content: bytes | bytearray) -> bytes:
    """The first `SHOWN` bytes, whole characters, and a mark: a malformed item that shows what was there."""
    return bytes(content[:SHOWN]).decode("utf-8", "ignore").encode() + _CUT
