"""Which items have come before: the same item again, an edited one, and the same news from another publisher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from apps.finance_sentiment.stream.headline import Words
from apps.finance_sentiment.stream.item import Item
from apps.finance_sentiment.stream.publishers import Families
from apps.finance_sentiment.stream.sketch_index import SketchIndex

WINDOW_SECONDS = 48 * 3600.0
MOST = 200_000  # about a kilobyte each
_RECENT = 63  # items by which it is told what time it is in the stream


@dataclass(frozen=True)
class Duplicate:
    """What an item repeats.

    kind: "id", the same item again; "edit", the item with another text, which takes the place of the older one; "text", the same news as another item.
    of: the id of the item that it repeats: of the first one where that was a repetition itself.
    similarity: of the texts, 0 to 1 (see `likeness`).
    """

    kind: Literal["id", "edit", "text"]
    of: str
    similarity: float


@dataclass(frozen=True, slots=True)
class _Entry:
    """What is remembered of an item.

    until: the event time by which it counts as old: its own, unless that lies off the stream's.
    text: a hash of its text.
    of: the id of the item that it repeats, its own where it repeats none.
    order: counts up with every entry.
    """

    id: str
    time: float
    until: float
    publisher: str
    text: str
    words: Words
    of: str
    order: int

    def row(self) -> dict[str, Any]:
        """As JSON."""
        words = self.words
        return {
            "order": self.order,
            "id": self.id,
            "time": self.time,
            "until": self.until,
            "publisher": self.publisher,
            "text": self.text,
            "words": list(words.words),
            "update": words.update,
            "cased": words.cased,
            "of": self.of,
        }


class Duplicates:
    """Remembers items for a window of event time, and finds what repeats one of them.

    `find` an item, then `add` it, whatever it was. Memory is bounded: of more than `most` the oldest by event time go, and so does what is older than the
    window. What time it is in the stream is the lower median of the last 63 items' times, so that a single item from the far future flushes nothing; one
    from the far past or future is remembered as if it were from the window's edge or from now.

    Args:
        window_seconds: of event time within which a text counts as repeated.
        most: items that are remembered.
        families: family -> patterns of publishers' names with `*`; see `publishers.Families`.
    """

    def __init__(
        self, window_seconds: float = WINDOW_SECONDS, most: int = MOST, families: Mapping[str, Sequence[str]] | None = None
    ):
        self.window_seconds, self.most = window_seconds, most
        self._families = Families(families)
        self._entries: dict[str, _Entry] = {}  # in the order in which they came
        self._by_words = SketchIndex()
        self._oldest: list[tuple[float, int, str]] = []  # a heap; those of entries that were replaced are passed over
        self._untaken: dict[str, _Entry] = {}
        self._order = 0
        self._found: tuple[Item, _Entry, Duplicate | None] | None = None

    def __len__(self) -> int:
        """Items that are remembered."""
        return len(self._entries)

    def find(self, item: Item) -> Duplicate | None:
        """What the item repeats; None where it is news."""
        return self._look_up(item)[1]

    def add(self, item: Item) -> None:
        """Remembers an item: it takes the place of one of its id; one that says the same changes nothing."""
        entry, duplicate = self._look_up(item)
        self._found = None
        if duplicate is None or duplicate.kind != "id":
            self._insert(entry)
            self._untaken[entry.id] = entry
            self._forget()
