"""Alerts on streams whose surges are known: false alarms against the number that was asked for, recall and delay, beside other ways of raising an alarm.

What it compares, on simulated streams that nothing was tuned on and on the dated headlines of a folder with surges injected: our detectors, each through the
engine of `watch` (history, thresholds calibrated to the asked number, alert states), and
- never: no alarm at all; every n: an alarm with every n-th item of a topic, n so that there are as many as asked;
- Page-Hinkley and ADWIN of `river`, on each topic's negatives by bucket, on their excess over what our baseline expects, or on each item (1 if negative):
  of a grid of settings and these inputs the one that finds most surges within a day on streams of other seeds without more false alarms than asked there (`benchmarks.
  detection_peers`, in the bench environment). ADWIN's changes count where its mean rose. They get the same history first, their alarms within it do not count, and a
  pause after an alarm as ours.
Repeated news is dropped, and items are judged by the model of a bundle, for all alike. A simulated stream repeats a few hundred texts, each rested for two days: judged one by one, their errors would come
evenly, and too few alarms with them. So an item there gets the judgement of a random test row of its topic and sentiment.

What it costs: half an hour on 2 cores with the defaults and headlines. What it last gave: RESULTS.md, "Detection".

    make bench-env
    .venv/bin/python -m benchmarks.detection --bundle saved_models/finance_sentiment/bundle [--headlines FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.finance_sentiment.scoring import score
from apps.finance_sentiment.simulation import StreamSettings, SurgeSettings, inject_surges, sample_rows, simulate
from apps.finance_sentiment.stream.duplicates import Duplicates
from apps.finance_sentiment.stream.item import Item, MalformedItem, parse_item, parse_time
from apps.finance_sentiment.watch.engine import SURGE, Engine
from apps.finance_sentiment.watch.reading import Judgement, Reader
from apps.finance_sentiment.watch.settings import HOUR, WatchSettings
from apps.finance_sentiment.watch.usual import Usual
from benchmarks.workers import Worker, table
from tfarch.data.moments import iso_time

DETECTORS = ("negative_binomial_cusum", "poisson_cusum", "cusum", "ewma", "page_hinkley", "ratio")
FACTORS = ("1.5", "2", "4")


@dataclass(frozen=True)
class Stream:
    """Items that are no duplicates, with their judgements, in order of arrival; the topics that judgements number; and the truth, whose topics are those that are scored."""

    items: list[tuple[Item, Judgement]]
    topics: tuple[str, ...]
    truth: dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True, help="a model with the heads sentiment and topic")
    parser.add_argument("--headlines", type=Path, help="folder with all.csv, columns date,text")
    parser.add_argument("--since", default="2022-01-01", help="first day of the headlines that is taken (default 2022-01-01)")
    parser.add_argument("--days", type=int, default=120, help="of each simulated stream (default 120)")
    parser.add_argument("--streams", type=int, default=4, help="simulated streams that are scored (default 4)")
    parser.add_argument("--injections", type=int, default=4, help="draws of surges into the headlines (default 4)")
    parser.add_argument("--asked", type=float, nargs="+", default=[0.05, 0.02], help="false alarms a day and topic (default 0.05 0.02)")
    parser.add_argument("--detectors", nargs="+", default=list(DETECTORS))
    options = parser.parse_args()
    reader = Reader(options.bundle, len(os.sched_getaffinity(0)))
    found: dict[str, Any] = {}

    def simulated(seed: int) -> Stream:
        surges = SurgeSettings(per_topic_week=0.5)
        made = simulate(sample_rows(), StreamSettings(days=options.days, surges=surges), seed)
        return _confused([parse_item(each) for each in made.items], made.truth, reader, seed)

    print("simulated streams", file=sys.stderr)
    scored = [simulated(1000 + number) for number in range(options.streams)]
    tuning = [simulated(2000 + number) for number in range(2)]
    for asked in options.asked:
        settings = WatchSettings(false_alarms_per_day=asked, silent_feeds_per_day=0.0)
        found[f"simulated, {asked:g}"] = _compared(scored, tuning, settings, options.detectors)
    if options.headlines:
        print("headlines", file=sys.stderr)
        items = _headlines(options.headlines, options.since)
        # Whole days, no hours: the usual needs more days to be known.
        daily = {"bucket_minutes": 1440, "history_days": 120, "keep_days": 365, "lateness_hours": 0, "jump_hours": 24 * 14, "cooldown_hours": 24, "quiet_hours": 48,
                 "refit_days": 28, "silent_feeds_per_day": 0.0}  # fmt: skip
        surges = SurgeSettings(per_topic_week=0.25, history_days=120, shortest_hours=24, longest_hours=72, apart_days=7)
        judged = dict(zip((item.id for item in items), reader.judge([item.text for item in items]), strict=True))
        frequent = _frequent(items, judged, reader.topics)
        kept = [item for item in items if judged[item.id].topic in frequent]
        labels = {item.id: (reader.topics[judged[item.id].topic], "negative" if judged[item.id].negative else "other") for item in kept}

        def injected(seed: int) -> Stream:
            made = inject_surges(kept, labels, surges, seed)
            return _judged([parse_item(each) for each in made.items], made.truth, reader)

        scored, tuning = ([injected(first + number) for number in range(count)] for first, count in ((3000, options.injections), (4000, 2)))
        for asked in options.asked:
            settings = WatchSettings(false_alarms_per_day=asked, **daily)
            found[f"headlines, {asked:g}"] = _compared(scored, tuning, settings, options.detectors)
    for name, rows in found.items():
        print(f"\n{name} false alarms a day and topic asked\n")
        heads = [
            "",
            "false alarms a day and topic (95 %)",
            *(f"within a day, x {factor}" for factor in FACTORS),
            "all within a day",
            "delay p50 / p90 of found, h",
        ]
        print(table(heads, [[way, *_cells(rows[way])] for way in rows]))
    print(json.dumps(found))
    return 0


def _fresh(items: Sequence[Item]) -> list[Item]:
    """Those that repeat none before them."""
    duplicates, fresh = Duplicates(), []
    for item in items:
        if duplicates.find(item) is None:
            fresh.append(item)
        duplicates.add(item)
    return fresh


def _confused(items: Sequence[Item], truth: dict[str, Any], reader: Reader, seed: int) -> Stream:
    rows, judged = sample_rows(("test",)), defaultdict(list)
    for (_, sentiment, topic), judgement in zip(rows, reader.judge([text for text, _, _ in rows]), strict=True):
        judged[topic, sentiment].append(judgement)
    rng, found = np.random.default_rng(seed), []
    for item in _fresh(items):
        label = truth["labels"][item.id]
        alike = judged[label["topic"], label["sentiment"]]
        found.append((item, alike[rng.integers(len(alike))]))
    return Stream(found, reader.topics, truth)


def _judged(items: Sequence[Item], truth: dict[str, Any], reader: Reader) -> Stream:
    fresh = _fresh(items)
    return Stream(list(zip(fresh, reader.judge([item.text for item in fresh]), strict=True)), reader.topics, truth)


def _headlines(folder: Path, since: str) -> list[Item]:
    with open(folder / "all.csv", newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["date"] >= since]
    return [Item(f"h{number}", parse_time(row["date"]), row["text"], "") for number, row in enumerate(rows)]


def _frequent(items: Sequence[Item], judged: dict[str, Judgement], topics: Sequence[str]) -> set[int]:
    """Topics with a negative headline every four days at least: of others nothing can be learned."""
    days = (max(item.time for item in items) - min(item.time for item in items)) / 86_400
    negatives = np.bincount([each.topic for each in judged.values() if each.topic is not None and each.negative], minlength=len(topics))
    return {topic for topic in range(len(topics)) if negatives[topic] >= days / 4}


def _compared(scored: Sequence[Stream], tuning: Sequence[Stream], settings: WatchSettings, detectors: Sequence[str]) -> dict[str, Any]:
    asked, rows = settings.false_alarms_per_day, {}
    for name in detectors:
        own = WatchSettings(**{**settings.as_dict(), "detector": name})
        rows[f"tfarch, {name.replace('_', ' ')}"] = _pooled([score(_alerts(stream, own), stream.truth) for stream in scored])
        print(f"  {asked:g}: {name}", file=sys.stderr)
    worker = Worker("detection_peers", peer=True)
    try:
        sequences = [_sequences(stream, settings) for stream in (*scored, *tuning)]
        for kind in ("page_hinkley", "adwin"):
            way = _best(worker, kind, sequences[len(scored) :], tuning, settings)
            alarms = [_peer_alerts(worker, way, each, stream, settings) for each, stream in zip(sequences, scored, strict=False)]
            rows[f"river, {kind.replace('_', ' ')} ({way['input']}, {way['shown']})"] = _pooled(
                [score(each, stream.truth) for each, stream in zip(alarms, scored, strict=True)]
            )
            print(f"  {asked:g}: river {kind} {way}", file=sys.stderr)
    finally:
        worker.close()
    rows["every n items"] = _pooled([score(_every(stream, asked), stream.truth) for stream in scored])
    rows["never"] = _pooled([score([], stream.truth) for stream in scored])
    return rows


def _alerts(stream: Stream, settings: WatchSettings) -> list[dict[str, Any]]:
    engine, alerts = Engine(stream.topics, "benchmark", settings), []
    for item, judgement in stream.items:
        try:
            alerts += [event.line for event in engine.admit(item)]
        except MalformedItem:
            continue
        engine.count(item, judgement)
    alerts += [event.line for event in engine.until(parse_time(stream.truth["end"]))]
    return [alert for alert in alerts if alert["kind"] == SURGE]


def _every(stream: Stream, asked: float) -> list[dict[str, Any]]:
    begin, end = parse_time(stream.truth["start"]), parse_time(stream.truth["end"])
    counts: dict[int, int] = defaultdict(int)
    totals = np.bincount([judgement.topic for _, judgement in stream.items if judgement.topic is not None], minlength=len(stream.topics))
    alerts = []
    for item, judgement in stream.items:
        if judgement.topic is None:
            continue
        counts[judgement.topic] += 1
        n = max(1, round(totals[judgement.topic] / ((end - begin) / 86_400 * asked)))
        if counts[judgement.topic] % n == 0:
            alerts.append(_alert(stream.topics[judgement.topic], item.time))
    return alerts


def _alert(topic: str, time: float) -> dict[str, Any]:
    return {"topic": topic, "state": "firing", "time": iso_time(time)}


def _sequences(stream: Stream, settings: WatchSettings) -> dict[str, Any]:
    """What the peers see of each topic: negatives by bucket, their excess over what is usual (learned from the history alone), and items."""
    seconds, topics = settings.bucket_seconds, len(stream.topics)
    first, last = (int(parse_time(stream.truth[name]) // seconds) for name in ("start", "end"))
    history = int(parse_time(stream.truth["history_end"]) // seconds)
    counts, items = np.zeros((last - first, topics, 2)), [[] for _ in range(topics)]
    for item, judgement in stream.items:
        number = int(item.time // seconds) - first
        if judgement.topic is None or not 0 <= number < len(counts):
            continue
        counts[number, judgement.topic] += (1, judgement.negative)
        items[judgement.topic].append((item.time, int(judgement.negative)))
    usual = Usual.learned(counts[: history - first], first * float(seconds), settings, seed=0)
    expected = usual.baseline.mean((first + np.arange(len(counts))) * float(seconds))
    ends = ((first + 1 + np.arange(len(counts))) * float(seconds)).tolist()
    negatives = counts[..., 1]
    return {
        "bucket": [[ends, negatives[:, topic].tolist()] for topic in range(topics)],
        "excess": [[ends, ((negatives - expected) / np.sqrt(expected))[:, topic].tolist()] for topic in range(topics)],
        "item": [[[time for time, _ in each], [bad for _, bad in each]] for each in items],
    }


def _peer_alerts(
    worker: Worker, way: dict[str, Any], sequences: dict[str, Any], stream: Stream, settings: WatchSettings
) -> list[dict[str, Any]]:
    times = worker.ask(kind=way["kind"], settings=way["settings"], pause=settings.cooldown_hours * HOUR, sequences=sequences[way["input"]])
    return [_alert(stream.topics[topic], time) for topic, each in enumerate(times) for time in each]


def _best(
    worker: Worker, kind: str, sequences: Sequence[dict[str, Any]], tuning: Sequence[Stream], settings: WatchSettings
) -> dict[str, Any]:
    """The setting and input with most surges found within a day among those with no more false alarms than asked; else with the fewest of these."""
    tried = []
    for way in worker.ask(grid=kind):
        for given in ("bucket", "excess", "item"):
            chosen = {"kind": kind, "input": given, "settings": way, "shown": ", ".join(f"{name} {value:g}" for name, value in way.items())}
            results = [
                score(_peer_alerts(worker, chosen, each, stream, settings), stream.truth)
                for each, stream in zip(sequences, tuning, strict=True)
            ]
            rate = sum(each["false_alarms"] for each in results) / sum(each["topic_days"] for each in results)
            tried.append((rate, sum(each["detected_within_a_day"] for each in results), chosen))
    allowed = [each for each in tried if each[0] <= settings.false_alarms_per_day]
    if allowed:
        return max(allowed, key=lambda each: each[1])[2]
    return min(tried, key=lambda each: each[0])[2]


def _pooled(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures of several streams as of one."""
    from apps.finance_sentiment.scoring import poisson_interval

    false, days = sum(each["false_alarms"] for each in results), sum(each["topic_days"] for each in results)
    surges = [surge for each in results for surge in each["surges"]]
    delays = [surge["delay_hours"] for surge in surges if surge["delay_hours"] is not None]
    within = {
        factor: [surge["delay_hours"] is not None and surge["delay_hours"] <= 24 for surge in surges if f"{surge['factor']:g}" == factor]
        for factor in FACTORS
    }
    return {
        "false_alarms_per_topic_day": false / days,
        "interval": [bound / days for bound in poisson_interval(false)],
        "within_a_day": {factor: [sum(each), len(each)] for factor, each in within.items()},
        "delay_hours": [float(np.quantile(delays, share, method="inverted_cdf")) for share in (0.5, 0.9)] if delays else None,
        "per_stream": [each["false_alarms"] / each["topic_days"] for each in results],
    }


def _cells(found: dict[str, Any]) -> list[str]:
    low, high = found["interval"]
    hits = list(found["within_a_day"].values())
    shares = [f"{100 * hit / max(1, of):.0f} % of {of}" for hit, of in hits]
    every = sum(hit for hit, _ in hits), sum(of for _, of in hits)
    delays = found["delay_hours"]
    return [
        f"{found['false_alarms_per_topic_day']:.4f} ({low:.4f} to {high:.4f})",
        *shares,
        f"{100 * every[0] / max(1, every[1]):.0f} %",
        f"{delays[0]:.0f} / {delays[1]:.0f}" if delays else "–",
    ]


if __name__ == "__main__":
    sys.exit(main())
