"""The verb `watch`: from its options to sources, state, outputs, and the loop that joins them."""

from __future__ import annotations

import argparse
import dataclasses
import sys

import yaml

from apps.finance_sentiment.stream.duplicates import Duplicates
from apps.finance_sentiment.stream.source import open_source
from apps.finance_sentiment.watch.engine import Engine
from apps.finance_sentiment.watch.loop import Watch, restored
from apps.finance_sentiment.watch.outputs import AlertFile, LineStream, Output, Viewed, Webhook
from apps.finance_sentiment.watch.reading import Reader
from apps.finance_sentiment.watch.settings import WatchSettings
from apps.finance_sentiment.watch.shown import alert_text, delay_table
from apps.finance_sentiment.watch.silences import read_silence
from apps.finance_sentiment.watch.store import Store
from apps.finance_sentiment.watch.usual import Usual
from tfarch.errors import InputError
from tfarch.progress import say
from tfarch.settings import from_values


def watch(options: argparse.Namespace, seed: int, threads: int) -> int:
    """Watches until the sources end or a signal comes; tells on standard error what became of the items. Returns the exit code."""
    settings = settings_of(options)
    silences = [read_silence(each) for each in options.silence]
    families = dict(_family(each) for each in options.family)
    reader = Reader(options.bundle, threads)
    store = Store(options.state)
    engine = Engine(reader.topics, reader.version, settings, seed=seed, say=say)
    aside, duplicates = restored(
        engine,
        store,
        options.state.with_name(f"{options.state.name}.malformed.jsonl"),
        lambda rows: Duplicates.restored(rows, window_seconds=engine.remembered_seconds, families=families),
    )
    outputs: list[Output] = [Viewed() if options.view else LineStream(store, shown=None if options.json else alert_text)]
    if options.alerts:
        outputs.append(AlertFile(options.alerts, store))
    outputs += [Webhook(url, store, say) for url in options.webhook]

    def learned(usual: Usual) -> None:
        say(delay_table(engine.topics, usual, settings))

    watching = Watch(reader, engine, store, aside, duplicates, outputs, silences, words=not options.no_words, learned=learned)
    view = None
    if options.view:
        from apps.finance_sentiment.watch.view import View

        view = watching.looked = View(sys.stdout)
    try:
        counted = watching.run([open_source(each, follow=options.follow, every=options.every, say=say) for each in options.input or ["-"]])
    finally:
        if view is not None:
            view.close()
        store.close()
    ordered = sorted(counted.items(), key=lambda each: each[0] != "received")
    say(", ".join(f"{count:,} {what}" for what, count in ordered) or "nothing came")
    if counted["malformed"]:
        say(f"what could not be used is set aside, with the reason: {aside.file}")
    return 0


def settings_of(options: argparse.Namespace) -> WatchSettings:
    """The settings of a call.

    Raises:
        InputError: a setting that there is none of, or a value that makes no sense.
    """
    values = {}
    for each in options.watch:
        name, equals, text = each.partition("=")
        if not equals:
            raise InputError(f"--watch {each!r} has no '='", mend="write --watch NAME=VALUE")
        try:
            values[name.strip()] = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise InputError(f"--watch {each!r}: {text!r} is no value", mend="a number or a name") from error
    settings = from_values(WatchSettings, values, file="--watch")
    own = {"false_alarms_per_day": options.false_alarms_per_day, "detector": options.detector}
    return dataclasses.replace(settings, **{name: value for name, value in own.items() if value is not None})


def _family(text: str) -> tuple[str, list[str]]:
    name, equals, patterns = text.partition("=")
    if not equals or not patterns:
        raise InputError(f"--family {text!r}", mend="write NAME=PATTERN or NAME=PATTERN,PATTERN")
    return name, patterns.split(",")
