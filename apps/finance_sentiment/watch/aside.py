"""What cannot be used is set aside in a file, with where it came from and why, so that nothing is lost. After a crash the file has each such item once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apps.finance_sentiment.stream.source import Record
from tfarch.errors import InputError, TfarchError


class SetAside:
    """A file of JSON Lines `{"place", "reason", "content"}`, which only grows.

    Args:
        size: bytes of it that the store knows of; what is behind them will come again. None, where the store knows of none, and a size that the file no longer
            has, as it was moved away: it goes on behind what is there.

    Raises:
        InputError: it cannot be written.
    """

    def __init__(self, file: Path, size: int | None):
        self.file = Path(file)
        try:
            there = self.file.stat().st_size if self.file.exists() else 0
            self.size = there if size is None else min(size, there)
            if there > self.size:
                os.truncate(self.file, self.size)
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", file=self.file, mend="choose another --state") from error

    def add(self, records: list[tuple[Record, str]]) -> None:
        """Writes records with their reasons.

        Raises:
            TfarchError: the disk is full or the file cannot be written.
        """
        if not records:
            return
        body = "".join(f"{_line(*each)}\n" for each in records).encode("utf-8", "backslashreplace")
        try:
            with open(self.file, "ab") as stream:
                stream.write(body)
                stream.flush()
                os.fsync(stream.fileno())
                self.size = stream.tell()
        except OSError as error:
            raise TfarchError(f"{self.file} could not be written: {error.strerror}") from error


def as_text(content: bytes | Mapping[str, Any]) -> str:
    """What a record holds, whatever it is: bytes as text, an object as JSON, or as Python shows it where JSON has no word for it."""
    if isinstance(content, bytes):
        return content.decode("utf-8", "backslashreplace")
    try:
        return json.dumps(content, ensure_ascii=False)
    except RecursionError:
        return _flat(content)
    except (TypeError, ValueError):
        return repr(content)


def _line(record: Record, reason: str) -> str:
    line = {"place": record.place, "reason": reason}
    if not isinstance(record.content, bytes):
        try:
            return json.dumps({**line, "content": record.content}, ensure_ascii=False)
        except (RecursionError, TypeError, ValueError):
            pass  # it is kept as text
    return json.dumps({**line, "content": as_text(record.content)}, ensure_ascii=False)


class _Sign(str):
    __slots__ = ()


def _flat(value: Any) -> str:
    """JSON of what is nested too deeply for `json.dumps`: what is inside waits in a list, and not on the stack."""
    written, waiting = [], [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, _Sign):
            written.append(each)
        elif isinstance(each, Mapping):
            inside = [part for key, inner in each.items() for part in (_Sign(", "), _Sign(f"{json.dumps(str(key))}: "), inner)]
            waiting += [_Sign("}"), *reversed(inside[1:]), _Sign("{")]
        elif isinstance(each, list | tuple):
            inside = [part for inner in each for part in (_Sign(", "), inner)]
            waiting += [_Sign("]"), *reversed(inside[1:]), _Sign("[")]
        else:
            written.append(json.dumps(each, ensure_ascii=False, default=repr))
    return "".join(written)
