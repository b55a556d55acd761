"""The headlines behind a count: the last negative items of each topic, as many as an alert may want to show."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from apps.finance_sentiment.stream.item import Item
from tfarch.data.moments import iso_time

KEPT = 40  # of each topic
_CHARACTERS = 300  # of a text that is kept; what it says stands at its beginning


@dataclass(frozen=True)
class Headline:
    """A negative item."""

    id: str
    time: float
    text: str
    publisher: str
    score: float

    @classmethod
    def of(cls, item: Item, score: float) -> Headline:
        """The headline of an item; a long text is cut."""
        text = item.text if len(item.text) <= _CHARACTERS else f"{item.text[: _CHARACTERS - 1]}…"
        return cls(item.id, item.time, text, item.publisher, score)

    def as_evidence(self) -> dict[str, Any]:
        """As an alert shows it."""
        return {**asdict(self), "time": iso_time(self.time), "score": round(self.score, 4)}


class Evidence:
    """The last `KEPT` negative items of each topic, by number.

    Args:
        family: the house that a publisher belongs to; by default each is one of its own.
    """

    def __init__(self, topics: int, family: Callable[[str], str] = str):
        self._kept: list[deque[Headline]] = [deque(maxlen=KEPT) for _ in range(topics)]
        self._family = family

    def add(self, topic: int, headline: Headline) -> None:
        """Takes one that came in."""
        self._kept[topic].append(headline)

    def since(self, topic: int, begin: float, most: int) -> list[Headline]:
        """At most `most` of those from `begin` on: the worst first, one of each house before a second one of any."""
        found = sorted((each for each in self._kept[topic] if each.time >= begin), key=lambda each: (each.score, each.time, each.id))
        return [each for _, each in sorted(self._ranked(found), key=lambda pair: pair[0])][:most]

    def publishers(self, topic: int, begin: float) -> list[str]:
        """Who published them, most first."""
        counts: dict[str, int] = {}
        for each in self._kept[topic]:
            if each.time >= begin:
                counts[each.publisher] = counts.get(each.publisher, 0) + 1
        return sorted(counts, key=lambda name: (-counts[name], name))

    def as_rows(self) -> list[list[dict[str, Any]]]:
        """For JSON."""
        return [[asdict(each) for each in kept] for kept in self._kept]

    @classmethod
    def from_rows(cls, rows: list[list[dict[str, Any]]], family: Callable[[str], str] = str) -> Evidence:
        """What `as_rows` gave."""
        evidence = cls(len(rows), family)
        for topic, kept in enumerate(rows):
            for each in kept:
                evidence.add(topic, Headline(**each))
        return evidence

    def _ranked(self, headlines: list[Headline]) -> Iterator[tuple[int, Headline]]:
        """Each with how many of its house stand before it."""
        seen: Counter[str] = Counter()
        for each in headlines:
            house = self._family(each.publisher)
            yield seen[house], each
            seen[house] += 1
