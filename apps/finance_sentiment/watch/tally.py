"""Items and negative items by bucket of event time and topic."""

from __future__ import annotations

import numpy as np


class Tally:
    """Counts `[topics, 2]` (items, negatives) by the number of the bucket, which is event time // bucket_seconds."""

    def __init__(self, topics: int, bucket_seconds: int):
        self.topics, self.bucket_seconds = topics, bucket_seconds
        self._counts: dict[int, np.ndarray] = {}
        self.changed: set[int] = set()  # buckets that the store has not seen yet

    def bucket(self, time: float) -> int:
        """The number of the bucket that holds `time`."""
        return int(time // self.bucket_seconds)

    def add(self, time: float, topic: int, negative: bool, times: int = 1) -> None:
        """Counts an item; with `times=-1` takes one back that was counted."""
        number = self.bucket(time)
        counts = self._counts.setdefault(number, np.zeros((self.topics, 2), np.int64))
        counts[topic] += (times, times * negative)
        self.changed.add(number)

    def put(self, number: int, counts: np.ndarray) -> None:
        """Sets a bucket to what was stored of it."""
        self._counts[number] = counts

    def of(self, number: int) -> np.ndarray:
        """`[topics, 2]`; zeros for a bucket without items."""
        return self._counts.get(number, np.zeros((self.topics, 2), np.int64))

    def between(self, first: int, last: int) -> np.ndarray:
        """`[last - first, topics, 2]` of the buckets from `first` to the one before `last`."""
        return np.stack([self.of(number) for number in range(first, last)]) if last > first else np.zeros((0, self.topics, 2), np.int64)

    @property
    def first(self) -> int | None:
        """The earliest bucket that has items."""
        return min(self._counts, default=None)

    def forget_before(self, number: int) -> None:
        """Lets go of the buckets before `number`."""
        for old in [each for each in self._counts if each < number]:
            del self._counts[old]

    def forget_after(self, number: int) -> None:
        """Empties the buckets after `number`: of items whose time was none."""
        for wrong in [each for each in self._counts if each > number]:
            del self._counts[wrong]
            self.changed.add(wrong)
