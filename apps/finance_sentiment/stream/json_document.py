"""JSON that is no lines: one object, or a list of them, as the contents of records. They stay bytes: as objects they would take twenty times the room."""

from __future__ import annotations

import json
import re

from apps.finance_sentiment.stream.lines import MOST_LINE, SHOWN, shortened

MOST_PARTS = 2_000_000  # strings and brackets of a document, of which an item has about a dozen
MOST_DEPTH = 64  # of brackets within an element
_PART = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{}"]', re.DOTALL)
_PLAIN = re.compile(r"[^\s,\]]+")  # a number, or a word of JSON
_BLANK = re.compile(r"[ \t\r\n]*")


class TooManyElementsError(ValueError):
    """A list of more elements than are wanted."""


def read_document(content: bytes, most: int | None = None) -> list[bytes]:
    """The elements of a list, or the one object, as they are written; one that is longer than a line may be is cut, and is no item then.

    Where they begin and end is found without reading them, and each is read by itself, and dropped, to see that all of it is JSON.

    Args:
        most: elements.

    Raises:
        TooManyElementsError: there are more.
        ValueError: no UTF-8, no JSON, or more of it than anybody means; the message says which.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start})") from error
    try:
        return _Scan(text).elements(most)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error


def is_object(line: bytes) -> bool:
    """Whether a line is a whole JSON object: one that is still being written is none, since no part of an object is an object."""
    if not line.strip().startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


class _Scan:
    """Goes through a document's text once."""

    def __init__(self, text: str):
        self._text, self._at, self._parts = text, 0, 0

    def elements(self, most: int | None) -> list[bytes]:
        found: list[bytes] = []
        if self._next() != "[":
            found.append(self._element())
        else:
            self._at += 1
            closed = self._next() == "]"
            while not closed:
                if most is not None and len(found) >= most:
                    raise TooManyElementsError(f"at most {most:,} items at a time")
                found.append(self._element())
                closed = self._next() == "]"
                if not closed:
                    self._expect(",")
            self._expect("]")
        if self._next():
            raise json.JSONDecodeError("Extra data", self._text, self._at)
        return found

    def _next(self) -> str:
        """The character that is next but for blanks; empty at the end."""
        self._at = _BLANK.match(self._text, self._at).end()
        return self._text[self._at : self._at + 1]

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise json.JSONDecodeError(f"Expecting {character!r}", self._text, self._at)
        self._at += 1

    def _element(self) -> bytes:
        first, begin = self._next(), self._at
        self._at = self._end_of_nested() if first in ("{", "[", '"') else self._end_of_plain()
        if self._at - begin > MOST_LINE:
            return shortened(self._text[begin : begin + SHOWN].encode())
        element = self._text[begin : self._at]
        try:
            json.loads(element)
        except json.JSONDecodeError as error:
            raise json.JSONDecodeError(error.msg, self._text, begin + error.pos) from error
        except ValueError:  # a number of thousands of digits, of which whoever reads the item will tell
            pass
        content = element.encode()
        return content if len(content) <= MOST_LINE else shortened(content)

    def _end_of_plain(self) -> int:
        self._count()
        if (found := _PLAIN.match(self._text, self._at)) is None:
            raise json.JSONDecodeError("Expecting value", self._text, self._at)
        return found.end()

    def _end_of_nested(self) -> int:
        depth = 0
        for part in _PART.finditer(self._text, self._at):
            self._count()
            sign = part[0][:1]
            if sign in ("{", "["):
                depth += 1
            elif sign in ("}", "]"):
                depth -= 1
            elif part.end() - part.start() == 1:
                raise json.JSONDecodeError("Unterminated string starting at", self._text, part.start())
            if depth > MOST_DEPTH:
                raise ValueError(f"nested too deeply: more than {MOST_DEPTH} brackets (char {part.start()})")
            if depth == 0:
                return part.end()
        raise json.JSONDecodeError("Expecting the end of a value", self._text, len(self._text))

    def _count(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise ValueError(f"of more than {MOST_PARTS:,} strings and brackets: write it as JSON Lines")
