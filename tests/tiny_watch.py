"""A watch without a model, of one topic and a few days: a text says itself whether it is bad news. For tests of what surrounds the model."""

import json
from dataclasses import dataclass, field

from apps.finance_sentiment.stream.duplicates import Duplicates
from apps.finance_sentiment.stream.source import Record
from apps.finance_sentiment.watch.engine import Engine
from apps.finance_sentiment.watch.loop import Watch, restored
from apps.finance_sentiment.watch.reading import Judgement
from apps.finance_sentiment.watch.settings import HOUR, WatchSettings
from apps.finance_sentiment.watch.store import Store
from tfarch.data.moments import iso_time

DAYS = 8  # of calm news, of which the usual is learned in seven
SETTINGS = WatchSettings(history_days=7, false_alarms_per_day=1.0, cooldown_hours=1, silent_feeds_per_day=0.0)


class Reader:
    """Judges by the text."""

    topics, version = ("oil",), "tiny 1"

    def judge(self, texts):
        return [Judgement(0, "bad" in text, -0.9 if "bad" in text else 0.5) for text in texts]

    def moving_words(self, texts, most=3):
        return [[] for _ in texts]


@dataclass
class Given:
    """A source that hands out what it was given: contents, None for a pause, an exception that it fails with, or something to call."""

    contents: list
    name: str = "given"
    closed: bool = field(default=False)

    def read(self, position=None):
        for number, content in enumerate(self.contents):
            if self.closed:
                return
            if isinstance(content, Exception):
                raise content
            if callable(content):
                content()
            elif content is None:
                yield None
            elif position is None or number >= position:
                yield Record(content, number + 1, f"{self.name} {number}")

    def close(self):
        self.closed = True


def item(time, number, *, bad=False):
    """An item as a line of JSON; no two texts are alike."""
    word = "".join(chr(97 + int(digit)) * 3 for digit in f"{int(time)}{number}")
    text = f"{word} {word[::-1]} {'bad' if bad else 'good'} {word[3:]}x"
    return json.dumps({"id": f"{int(time)}.{number}", "time": iso_time(time), "text": text, "publisher": f"P{number % 3}"}).encode()


def calm(begin, hours=DAYS * 24):
    """Three items an hour, every ninth bad."""
    return [
        item(begin + hour * HOUR + 600 * number, number, bad=(hour * 3 + number) % 9 == 0) for hour in range(hours) for number in range(3)
    ]


def surge(begin, hours=8):
    """Ten bad items an hour."""
    return [item(begin + hour * HOUR + 300 * number, number, bad=True) for hour in range(hours) for number in range(10)]


def told(engine, items):
    """The lines that come of items with their judgements."""
    lines = []
    for item, judgement in items:
        lines += [event.line for event in engine.admit(item)]
        engine.count(item, judgement)
    return lines


def watch(folder, *sources, outputs=(), settings=SETTINGS, **options):
    """Watches the sources from what the folder holds to their end: every line that there is then."""
    store = Store(folder / "state.sqlite")
    try:
        engine = Engine(Reader.topics, Reader.version, settings)
        aside, duplicates = restored(engine, store, folder / "aside.jsonl", Duplicates.restored)
        Watch(Reader(), engine, store, aside, duplicates, [make(store) for make in outputs], **options).run(sources)
        return list(store.every_line())
    finally:
        store.close()
