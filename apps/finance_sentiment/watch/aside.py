"""What cannot be used is set aside in a file, with where it came from and why, so that nothing is lost. After a crash the file has each such item once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from apps.finance_sentiment.stream.source import Record
from tfarch.errors import InputError, TfarchError


class SetAside:
    """A file of JSON Lines `{"place", "reason", "content"}`.

    Args:
        size: bytes of it that the store knows of; what is behind them will come again.

    Raises:
        InputError: it cannot be written.
    """

    def __init__(self, file: Path, size: int):
        self.file, self.size = Path(file), size
        if size or self.file.exists():
            try:
                with open(self.file, "ab") as stream:
                    stream.truncate(size)
            except OSError as error:
                raise InputError(f"cannot be written: {error.strerror}", file=self.file) from error

    def add(self, records: list[tuple[Record, str]]) -> None:
        """Writes records with their reasons.

        Raises:
            TfarchError: the disk is full or the file cannot be written.
        """
        if not records:
            return
        body = "".join(json.dumps(_described(*each), ensure_ascii=False) + "\n" for each in records).encode("utf-8", "backslashreplace")
        try:
            with open(self.file, "ab") as stream:
                stream.write(body)
        except OSError as error:
            raise TfarchError(f"{self.file} could not be written: {error.strerror}") from error
        self.size += len(body)


def _described(record: Record, reason: str) -> dict[str, object]:
    content = record.content
    shown = content if isinstance(content, Mapping) else content.decode("utf-8", "backslashreplace")
    return {"place": record.place, "reason": reason, "content": shown}
