"""Which items have come before: the same item again, an edited one, and the same news from another publisher."""

from __future__ import annotations

import hashlib
import heapq
import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

from apps.finance_sentiment.stream.headline import Words, words_of
from apps.finance_sentiment.stream.item import Item
from apps.finance_sentiment.stream.likeness import OTHER_FAMILY, SAME_FAMILY, same_news, similarity
from apps.finance_sentiment.stream.publishers import Families
from apps.finance_sentiment.stream.sketch_index import SketchIndex

WINDOW_SECONDS = 48 * 3600.0
MOST = 200_000  # 1.2 kB each where they are headlines
_RECENT = 63  # items by which it is told what time it is in the stream
_MOST_OF_ID = 8  # items of one id that are remembered, of several publishers or of none


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

    id: by which it is remembered: the item's, but where another item has that already.
    name: the item's id.
    until: the event time by which it counts as old: its own, but for one that is far off the stream's.
    text: a hash of its text.
    of: the id of the item that it repeats; its own where it repeats none.
    order: counts up with every entry.
    """

    id: str
    name: str
    time: float
    until: float
    publisher: str
    text: str
    words: Words
    of: str
    order: int


_FIELDS = ("order", "id", "time", "until", "publisher", "text", "of")  # of an entry, that are JSON as they are


class Duplicates:
    """Remembers items for a window of event time, and finds what repeats one of them.

    An id is a publisher's: an item of it is the same, or an edit. Where publishers of two families, or nobody by name, use the same id, the texts must be
    alike too; else they are two items. An item that came with a time far ahead of the stream's, and comes again with another, is news: the first one could not be
    counted.

    `find` an item, then `add` it, whatever it was. Memory is bounded: of more than `most` the oldest by event time go, and so does what is older than the
    window. What time it is in the stream is the lower median of the last 63 items' times, so that an item from the far future flushes nothing; it is
    remembered as one from now, and one from the far past as one from the window's edge.

    Args:
        window_seconds: of event time, within which a text counts as repeated.
        most: items that are remembered.
        families: family -> patterns of publishers' names with `*`; see `publishers.Families`.
    """

    def __init__(self, window_seconds: float = WINDOW_SECONDS, most: int = MOST, families: Mapping[str, Sequence[str]] | None = None):
        if not (window_seconds > 0 and most > 0):
            raise ValueError(f"nothing can be remembered for {window_seconds} s, or of {most} items")
        self.window_seconds, self.most = window_seconds, most
        self._families = Families(families)
        self._entries: dict[str, _Entry] = {}  # in the order in which they came
        self._others: dict[str, list[str]] = {}  # an item's id -> of the entries that have it and are remembered by another
        self._by_words = SketchIndex()
        self._oldest: list[tuple[float, int, str]] = []  # a heap; an entry that was replaced is still in it, with its order
        self._untaken: dict[str, _Entry | dict[str, Any]] = {}  # or the row that says that it is forgotten
        self._taken: set[str] = set()  # ids of which somebody keeps a row
        self._order = 0
        self._looked_up: tuple[Item, str, Words, Duplicate | None, _Entry | None] | None = None  # for add, after find

    @classmethod
    def restored(cls, rows: Iterable[Mapping[str, Any]], **settings: Any) -> Duplicates:
        """What was remembered when the last of these rows was taken.

        Args:
            rows: what `entries_since_last_take` gave, all of it in that order, or the last of each id in any order.
            settings: of the constructor.
        """
        duplicates = cls(**settings)
        for row in sorted(rows, key=lambda row: row["order"]):
            duplicates._remove(row["id"])
            if "forgotten" not in row:
                words = Words(array("I", row["words"]), bytes(map(int, row["kinds"])), row["update"], row["cased"])
                duplicates._insert(_Entry(name=row.get("name", row["id"]), words=words, **{name: row[name] for name in _FIELDS}))
            duplicates._order = row["order"]
            duplicates._note([row])
        duplicates._untaken.clear()
        duplicates._forget(-math.inf)  # fewer may be wanted now
        return duplicates

    def __len__(self) -> int:
        """Items that are remembered."""
        return len(self._entries)

    def find(self, item: Item) -> Duplicate | None:
        """What the item repeats; None where it is news."""
        return self._look_up(item)[2]

    def add(self, item: Item) -> None:
        """Remembers an item: it takes the place of the one that it is an edit of. One that says the same changes nothing."""
        text, words, duplicate, known = self._look_up(item)
        self._looked_up = None
        if duplicate is not None and duplicate.kind == "id":
            return
        of = item.id if duplicate is None else duplicate.of if duplicate.kind == "text" else known.of
        key = item.id if known is None else known.id
        if known is not None:
            self._remove(key)
        for old in self._others.get(item.id, ())[: 2 - _MOST_OF_ID]:
            self._remove(old)
        while key in self._entries:
            key = f"{key}\x1e{text}"
        now = self._now(item.time)
        until = max(min(item.time, now), now - self.window_seconds)
        entry = _Entry(key, item.id, item.time, until, item.publisher, text, words, of, self._next())
        self._insert(entry)
        self._untaken[entry.id] = entry
        self._forget(now)

    def entries_since_last_take(self) -> list[dict[str, Any]]:
        """What has changed since the last call, in that order, each a row of JSON values with an "id".

        A row takes the place of an earlier one of its id. One that holds "forgotten" says that the item need not be kept, nor the row itself.
        """
        rows = [_row(each) if isinstance(each, _Entry) else each for each in self._untaken.values()]
        self._untaken.clear()
        self._note(rows)
        return rows

    def _look_up(self, item: Item) -> tuple[str, Words, Duplicate | None, _Entry | None]:
        """A hash of the text, its words, what it repeats, and the entry whose place it takes."""
        if self._looked_up is None or self._looked_up[0] is not item:
            text = hashlib.blake2b(" ".join(item.text.split()).encode("utf-8", "replace"), digest_size=8).hexdigest()
            words = words_of(item.text, item.publisher, self._families)
            known = self._known(item, text, words)
            if known is None or _is_mended(known, item, text, self.window_seconds):
                duplicate = self._repeated(item, words)
            else:
                kind, alike = ("id", 1.0) if known.text == text else ("edit", similarity(known.words, words))
                duplicate = Duplicate(kind, item.id, alike)
            self._looked_up = (item, text, words, duplicate, known)
        return self._looked_up[1:]

    def _known(self, item: Item, text: str, words: Words) -> _Entry | None:
        """The entry of this very item."""
        keys = [item.id, *self._others.get(item.id, ())]
        entries = [self._entries[key] for key in keys if key in self._entries and self._entries[key].name == item.id]
        if not entries:
            return None
        family = self._families.of(item.publisher)
        others = [self._families.of(entry.publisher) for entry in entries]
        found = [entry for entry in entries if entry.text == text]
        found += [entry for entry, other in zip(entries, others, strict=True) if family and other == family]
        if not found:
            least = [OTHER_FAMILY if family and other else SAME_FAMILY for other in others]
            found = [entry for entry, alike in zip(entries, least, strict=True) if similarity(entry.words, words) >= alike]
        return found[0] if found else None

    def _repeated(self, item: Item, words: Words) -> Duplicate | None:
        """The same news as another item."""
        family = self._families.of(item.publisher)
        best, of = 0.0, None
        for name in self._by_words.similar(words.hashes):
            entry = self._entries[name]
            if abs(entry.time - item.time) <= self.window_seconds:
                same_family = bool(family) and family == self._families.of(entry.publisher)
                found = same_news(entry.words, words, same_family)
                if found > best:
                    best, of = found, entry.of
            if best == 1.0:
                break
        return None if of is None else Duplicate("text", of, best)

    def _now(self, *time: float) -> float:
        """The time in the stream, with the time of an item that is being added; -inf before the first."""
        times = sorted([*time, *(entry.time for entry in islice(reversed(self._entries.values()), _RECENT - len(time)))])
        return times[(len(times) - 1) // 2] if times else -math.inf

    def _insert(self, entry: _Entry) -> None:
        self._entries[entry.id] = entry
        if entry.id != entry.name:
            self._others.setdefault(entry.name, []).append(entry.id)
        self._by_words.add(entry.words.hashes, entry.id)
        heapq.heappush(self._oldest, (entry.until, entry.order, entry.id))

    def _remove(self, name: str) -> None:
        if entry := self._entries.pop(name, None):
            self._by_words.remove(entry.words.hashes, name)
            if name != entry.name:
                self._others[entry.name].remove(name)
                if not self._others[entry.name]:
                    del self._others[entry.name]
            self._untaken.pop(name, None)
            if name in self._taken:
                self._untaken[name] = {"order": self._next(), "id": name, "forgotten": True}

    def _forget(self, now: float) -> None:
        """What is too old, or too much."""
        limit = now - self.window_seconds
        while self._oldest and (len(self._entries) > self.most or self._oldest[0][0] < limit or not self._is_current(self._oldest[0])):
            mark = heapq.heappop(self._oldest)
            if self._is_current(mark):
                entry = self._entries[mark[2]]
                until = min(entry.time, now)
                if until > entry.until and entry.time <= now + self.window_seconds:  # it was ahead, and the stream has caught up with it
                    self._untaken[entry.id] = self._entries[entry.id] = replace(entry, until=until)
                    heapq.heappush(self._oldest, (until, entry.order, entry.id))
                else:
                    self._remove(entry.id)
        if len(self._oldest) > 2 * len(self._entries) + _RECENT:  # one id that is edited again and again
            self._oldest = [mark for mark in self._oldest if self._is_current(mark)]
            heapq.heapify(self._oldest)

    def _is_current(self, mark: tuple[float, int, str]) -> bool:
        entry = self._entries.get(mark[2])
        return entry is not None and (entry.until, entry.order) == mark[:2]

    def _note(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Of which items somebody keeps a row from now on."""
        for row in rows:
            if "forgotten" in row:
                self._taken.discard(row["id"])
            else:
                self._taken.add(row["id"])

    def _next(self) -> int:
        self._order += 1
        return self._order


def _is_mended(known: _Entry, item: Item, text: str, window_seconds: float) -> bool:
    """Whether the item had come with a time that was far ahead of the stream's, and now has an earlier one."""
    return known.text == text and known.time - known.until > window_seconds and known.time - item.time > window_seconds


def _row(entry: _Entry) -> dict[str, Any]:
    words = entry.words
    row = {name: getattr(entry, name) for name in _FIELDS} | ({"name": entry.name} if entry.name != entry.id else {})
    return row | {"words": list(words.hashes), "kinds": "".join(map(str, words.kinds)), "update": words.update, "cased": words.cased}
