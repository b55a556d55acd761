"""The watch itself: records from the sources are read, judged and counted batch by batch; each batch is stored as one, and then told.

Nothing is acknowledged, delivered or forgotten before it is stored. A process that is killed at any point goes on from its last batch: the sources are read
from where they stood then, and the outputs get what was stored and not delivered.
"""

from __future__ import annotations

import collections
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.finance_sentiment.stream.duplicates import Duplicates
from apps.finance_sentiment.stream.item import Item, MalformedItem, parse_item
from apps.finance_sentiment.stream.source import Record, Source
from apps.finance_sentiment.watch.aside import SetAside
from apps.finance_sentiment.watch.engine import Engine, Event
from apps.finance_sentiment.watch.inbox import Inbox, Received
from apps.finance_sentiment.watch.outputs import Output
from apps.finance_sentiment.watch.quiet import Quiet
from apps.finance_sentiment.watch.reading import Judgement, Reader
from apps.finance_sentiment.watch.silences import HeldBack, Line, Silenced
from apps.finance_sentiment.watch.store import Store
from apps.finance_sentiment.watch.usual import Usual
from tfarch.progress import say

BATCH = 512  # records that are judged and stored together
_WAIT = 0.5  # seconds without a record, after which outputs are looked after and the clock goes on


@dataclass
class _Batch:
    """Records that are judged and stored together.

    items: each with its record, and whether it is no duplicate.
    refused: records that cannot be used, with the reason.
    counted: what became of them so far.
    seen: what the duplicates remember of them: of this batch alone, as the next is read before this one is stored.
    """

    received: Sequence[Received]
    items: list[tuple[Record, Item, bool]] = field(default_factory=list)
    refused: list[tuple[Record, str]] = field(default_factory=list)
    counted: collections.Counter[str] = field(default_factory=collections.Counter)
    seen: Sequence[dict[str, Any]] = ()
    judged: Future[list[Judgement]] = field(default_factory=Future)


@dataclass
class Watch:
    """All that a watch is made of.

    learned: is told of what was learned, the first time.
    looked: is called after each batch, for a view.
    words: evidence is told with the words that made its sentiment.
    say: takes what a person should know, a line at a time.
    """

    reader: Reader
    engine: Engine
    store: Store
    aside: SetAside
    duplicates: Duplicates
    outputs: Sequence[Output] = ()
    silences: Sequence[Silenced] = ()
    words: bool = True
    learned: Callable[[Usual], None] = lambda usual: None
    looked: Callable[[Watch], None] = lambda watch: None
    say: Callable[[str], None] = say
    quiet: Quiet = field(default_factory=Quiet)
    recent: collections.deque[dict[str, Any]] = field(default_factory=lambda: collections.deque(maxlen=50))
    _positions: dict[str, Any] = field(default_factory=dict)
    _held: HeldBack = field(init=False)

    def __post_init__(self):
        self._held = HeldBack(self.silences, self.store.every_line())

    def run(self, sources: Sequence[Source]) -> collections.Counter[str]:
        """Watches until every source has ended, or SIGINT or SIGTERM ends it. Returns what became of the records.

        While the model answers one batch, the next is read and searched for repeated news. A source that fails is told, and the others are watched on.

        Raises:
            TfarchError: the state, the file of what is set aside or the file of alerts could not be written. What was stored is as it was.
            Exception: what a source failed with, once the others have ended and all is stored and told.
        """
        if self.engine.clock.now is not None and (lines := self._held.ended(self.engine.clock.now)):  # silences that there are no longer
            self._store(lines, {}, ())
        for output in self.outputs:
            output.flush(self.store)  # what the last run stored and could not deliver
        positions = {source.name: self.store.position(source.name) for source in sources}
        inbox, begun, failures = Inbox(sources, positions), None, []
        try:
            with _told_to_end() as ended, ThreadPoolExecutor(1, thread_name_prefix="judge") as judge:
                while begun or not (inbox.is_over or ended.is_set()):
                    received = [] if ended.is_set() else inbox.take(BATCH, 0.0 if begun else _WAIT)
                    failures += self._failed(inbox)
                    following = self._begin(received, judge) if received else None
                    if begun:
                        self._finish(begun)
                    elif not following:
                        self._idle()
                    begun = following
                    for output in self.outputs:
                        output.flush(self.store)
                    self.looked(self)
        finally:
            inbox.close()
        failures += self._failed(inbox)
        for output in self.outputs:
            output.close(self.store)
        if failures:
            raise failures[0]
        return self.engine.counted

    def _failed(self, inbox: Inbox) -> list[Exception]:
        """The errors of sources that failed just now, told where others are watched on."""
        failures = inbox.failures()
        if inbox.is_read:
            for name, error in failures:
                self.say(f"warning: {name.partition('?')[0]} failed: {error or type(error).__name__}; the other sources are watched on")
        return [error for _, error in failures]

    def _begin(self, received: Sequence[Received], judge: ThreadPoolExecutor) -> _Batch:
        """Reads records, finds what was there before, and asks the model about the rest."""
        batch = _Batch(received)
        batch.counted["received"] = len(received)
        for each in received:
            try:
                item = parse_item(each.record.content)
            except MalformedItem as error:
                batch.refused.append((each.record, str(error)))
                continue
            duplicate = self.duplicates.find(item)
            self.duplicates.add(item)
            batch.items.append((each.record, item, duplicate is None))
            if duplicate is not None:
                batch.counted[f"duplicate by {duplicate.kind}"] += 1
        if batch.items:
            self.quiet.heard()
        batch.seen = self.duplicates.entries_since_last_take()
        batch.judged = judge.submit(self.reader.judge, [item.text for _, item, fresh in batch.items if fresh])
        return batch

    def _finish(self, batch: _Batch) -> None:
        """Counts what the model has judged, stores what follows, and only then says that the records are safe."""
        judgements = iter(batch.judged.result())
        lines: list[Line] = []
        for record, item, fresh in batch.items:
            judgement = next(judgements) if fresh else None
            try:
                lines += self._told(self.engine.admit(item, fresh=fresh), self.engine.clock.now)
            except MalformedItem as error:
                batch.refused.append((record, str(error)))
                continue
            if judgement is not None:
                self.engine.count(item, judgement)
        batch.counted["malformed"] = len(batch.refused)
        self.engine.counted.update(batch.counted)
        self.aside.add(batch.refused)
        last = {each.source: each.record for each in batch.received}  # a folder of many files puts its position together when it is asked
        self._store(lines, {name: record.position for name, record in last.items()}, batch.seen)
        for each in batch.received:
            if each.record.acknowledge is not None:
                each.record.acknowledge()

    def _idle(self) -> None:
        """Nothing has come: a live stream's time goes on all the same, so that buckets end and silences are noticed."""
        now = self.engine.clock.now
        time = self.quiet.time(now, self.engine.settings.lateness_hours)
        if time is not None and time > now and (lines := self._told(self.engine.until(time), time)):
            self._store(lines, {}, ())

    def _told(self, events: Sequence[Event], now: float) -> list[Line]:
        """The lines of alert changes, and those that silences held back until now."""
        return [*(line for event in events for line in self._held.pass_on(self._line(event))), *self._held.ended(now)]

    def _store(self, lines: Sequence[Line], positions: Mapping[str, Any], seen: Iterable[dict[str, Any]]) -> None:
        tally, engine = self.engine.tally, self.engine
        changed = sorted(tally.changed)
        self._positions |= {name: position for name, position in positions.items() if position is not None}
        self.store.write(
            facts={"engine": engine.as_facts(), "aside": self.aside.size},
            positions=self._positions,
            buckets=[(number, tally.of(number)) for number in changed],
            forget_before=tally.first,
            seen=seen,
            lines=lines,
        )
        tally.changed.clear()
        self.recent.extend(lines)
        if (usual := engine.news()) is not None:
            self.learned(usual)

    def _line(self, event: Event) -> dict[str, Any]:
        line = dict(event.line)
        if self.words and event.headlines and line["state"] == "firing":
            found = self.reader.moving_words([each.text for each in event.headlines])
            line["evidence"] = [{**shown, "words": words} for shown, words in zip(line["evidence"], found, strict=True)]
        return line


def restored(
    engine: Engine, store: Store, aside: Path, duplicates: Callable[[Iterable[dict[str, Any]]], Duplicates]
) -> tuple[SetAside, Duplicates]:
    """Sets the engine to what the store holds, and opens what goes with it.

    Raises:
        InputError: the state does not fit the engine.
    """
    facts = store.fact("engine")
    if facts is not None:
        engine.restore(facts, list(store.buckets()))
    noted = store.fact("aside")
    opened = SetAside(aside, noted)
    if opened.size != noted:  # at once: what is behind it will be this watch's
        store.write(facts={"aside": opened.size}, positions={})
    return opened, duplicates(store.rows_seen())


@contextmanager
def _told_to_end() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets, so that the batch at hand is finished; a second signal ends at once."""
    ended = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield ended
        return

    def end(number: int, frame: Any) -> None:
        if ended.is_set():
            raise KeyboardInterrupt
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
