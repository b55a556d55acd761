"""Records of several sources, in the order in which they come, in bounded memory: a source that is faster than the watch waits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.finance_sentiment.stream.source import Record, Source
from apps.finance_sentiment.watch.aside import as_text

MOST_RECORDS, MOST_BYTES = 4_000, 32_000_000


@dataclass(frozen=True)
class Received:
    """A record, and the name of its source."""

    source: str
    record: Record


class Inbox:
    """A thread for each source reads into a queue of at most `MOST_RECORDS` records and `MOST_BYTES` bytes. A source that fails ends; the others are read on.

    Args:
        positions: where each source shall begin, by its name.
    """

    def __init__(self, sources: Sequence[Source], positions: Mapping[str, Any]):
        self._sources = list(sources)
        self._waiting: deque[tuple[Received, int]] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._reading = len(self._sources)
        self._closed = False
        self._failures: list[tuple[str, Exception]] = []
        for source in self._sources:
            arguments = (source, positions.get(source.name))
            threading.Thread(target=self._read, args=arguments, name=f"source {source.name}", daemon=True).start()

    def take(self, most: int, seconds: float) -> list[Received]:
        """At most `most` records; as soon as there are any, and none after so many seconds without."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._reading or self._failures, seconds)
            taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._bytes -= sum(size for _, size in taken)
            self._changed.notify_all()
            return [received for received, _ in taken]

    def failures(self) -> list[tuple[str, Exception]]:
        """The sources that failed since this was asked last, by name, and what with."""
        with self._changed:
            failures, self._failures = self._failures, []
            return failures

    @property
    def is_read(self) -> bool:
        """Whether a source is still read."""
        with self._changed:
            return self._reading > 0

    @property
    def is_over(self) -> bool:
        """Whether every source has ended and all that they gave was taken."""
        with self._changed:
            return not self._reading and not self._waiting

    def close(self) -> None:
        """Ends the sources."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for source in self._sources:
            source.close()

    def _read(self, source: Source, position: Any) -> None:
        failure: Exception | None = None
        try:
            for record in source.read(position):
                if record is not None:
                    self._put(Received(source.name, record))
                if self._closed:
                    return
        except Exception as error:  # whatever it is: the watch raises it again when the other sources have ended
            failure = error
        finally:
            with self._changed:
                self._reading -= 1
                if failure is not None:
                    self._failures.append((source.name, failure))
                self._changed.notify_all()

    def _put(self, received: Received) -> None:
        content = received.record.content
        size = len(content) if isinstance(content, bytes) else len(as_text(content))
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or not self._waiting or (len(self._waiting) < MOST_RECORDS and self._bytes + size <= MOST_BYTES)
            )
            self._waiting.append((received, size))
            self._bytes += size
            self._changed.notify_all()
