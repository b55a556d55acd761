"""Surges added to real items, whose news is uneven and often dated by the day only: a benchmark on real headlines, with a known truth."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.simulation.settings import SurgeSettings, as_json
from apps.finance_sentiment.simulation.simulated import Simulated
from apps.finance_sentiment.simulation.surges import Surge, place_surges
from apps.finance_sentiment.stream.item import Item
from tfarch.data.moments import iso_time
from tfarch.errors import InputError

DAY, WEEK = 86_400, 7 * 86_400  # seconds
NEIGHBOURS = (-4, -3, -2, -1, 1, 2, 3, 4)  # weeks away from which it is told what a time brings without a surge

Labels = Mapping[str, tuple[str, str]]  # topic and sentiment by id, known or predicted


@dataclass(frozen=True)
class _Usual:
    """What the stream brings as it is: its period and steps in seconds, the times of each topic's negative items, and how many a step
    brings in the mean of the weeks around it, `[topics, steps]`."""

    start: int
    end: int
    step: int
    times: list[list[float]]
    expected: np.ndarray


def inject_surges(
    items: Sequence[Item], labels: Labels, settings: SurgeSettings, seed: int, pool: Sequence[Item] | None = None
) -> Simulated:
    """The items with surges among them, by time, and the truth.

    What a topic's hours would bring without a surge is told by the same hours of the four weeks before and after, so that the rhythm of
    the week and slow changes are kept. A surge adds a Poisson number of negative items of the topic, `factor - 1` times as many as that;
    each is a copy of another negative item under a new id, at a time of day at which one of those weeks had a negative item. Where all
    items are dated by the day, so are surges, and copies stand at random places among the items of their day. The stream may hold surges of its own: an alert on one of them counts as false, for any
    detector alike.

    Args:
        items: real items.
        labels: topic and sentiment of each item, of the pool too.
        seed: 0 or more.
        pool: where copies are drawn from, by default the items themselves; never from the surge or `apart_days` around it, and none twice
            for one surge.

    Raises:
        InputError: there are no items, one has no label, the history leaves nothing, or the pool is too small for a surge.
    """
    if seed < 0:
        raise InputError(f"seed is {seed}; it must be 0 or more")
    items = sorted(items, key=lambda item: item.time)
    pool = items if pool is None else pool
    topics = _topics(items, pool, labels)
    usual = _usual(items, labels, topics)
    history_end = usual.start + settings.history_days * DAY
    if history_end >= usual.end:
        days = (usual.end - usual.start) // DAY
        raise InputError(f"a history of {settings.history_days} days leaves nothing of {days}", mend="lower history_days")
    for_surges, for_copies, for_order = np.random.default_rng(seed).spawn(3)
    negative = {topic: [item for item in pool if labels[item.id] == (topic, "negative")] for topic in topics}
    told_labels = {item.id: labels[item.id] for item in items}
    uses: Counter[str] = Counter()
    copies: list[Item] = []
    told = []
    for surge in place_surges(usual.expected, settings, usual.step // 3600, for_surges):
        topic = topics[surge.topic]
        added = _copies(surge, usual, negative[topic], settings.apart_days * DAY, uses, for_copies)
        for time, source in added:
            copy = Item(f"added-{len(copies) + 1:06d}", time, source.text, source.publisher)
            if copy.id in told_labels:
                raise InputError(
                    f"an item has the id {copy.id!r}, as injected ones have", mend="inject into items that nothing was injected into"
                )
            told_labels[copy.id] = (topic, "negative")
            copies.append(copy)
        told.append(
            {
                "topic": topic,
                "start": iso_time(usual.start + surge.start * usual.step),
                "end": iso_time(usual.start + surge.end * usual.step),
                "factor": surge.factor,
                "expected": round(float(usual.expected[surge.topic, surge.start : surge.end].sum()), 3),
                "added": len(added),
            }
        )
    truth = {
        "seed": seed,
        "settings": as_json(settings),
        "start": iso_time(usual.start),
        "history_end": iso_time(history_end),
        "end": iso_time(usual.end),
        "topics": topics,
        "surges": told,
        "silences": [],
        "labels": {name: {"topic": topic, "sentiment": sentiment} for name, (topic, sentiment) in told_labels.items()},
        "duplicates": {},
        "malformed": [],
    }
    mixed = _mixed(items, copies, for_order)
    lines = [{"id": each.id, "time": iso_time(each.time), "text": each.text, "publisher": each.publisher} for each in mixed]
    return Simulated(lines, truth)


def _mixed(items: Sequence[Item], copies: Sequence[Item], rng: np.random.Generator) -> list[Item]:
    """All by time, `items` as they are. Copies that came after all others of their time would give themselves away, where that is the day, by a row of bad news."""
    alike, before, placed = Counter(item.time for item in items), Counter(), []
    for item in items:
        before[item.time] += 1
        placed.append((item.time, before[item.time] / (alike[item.time] + 1), item))
    placed += [(copy.time, rng.random(), copy) for copy in copies]
    return [item for *_, item in sorted(placed, key=lambda each: each[:2])]


def _topics(items: Sequence[Item], pool: Sequence[Item], labels: Labels) -> list[str]:
    if not items:
        raise InputError("no items to inject surges into")
    for item in (*items, *pool):
        if item.id not in labels:
            raise InputError(f"item {item.id!r} has no label")
    return sorted({labels[item.id][0] for item in items})


def _usual(items: Sequence[Item], labels: Labels, topics: list[str]) -> _Usual:
    """What the items, by time, bring usually."""
    start, end = int(items[0].time // DAY) * DAY, (int(items[-1].time // DAY) + 1) * DAY
    step = DAY if all(item.time % DAY == 0 for item in items) else 3600
    times: list[list[float]] = [[] for _ in topics]
    counts = np.zeros((len(topics), (end - start) // step))
    for item in items:
        topic, sentiment = labels[item.id]
        if sentiment == "negative":
            times[topics.index(topic)].append(item.time)
            counts[topics.index(topic), int(item.time - start) // step] += 1
    total, weeks = np.zeros_like(counts), np.zeros(counts.shape[1])
    steps = np.arange(counts.shape[1])
    for week in NEIGHBOURS:
        there = steps + week * (WEEK // step)
        inside = (there >= 0) & (there < len(steps))
        total[:, inside] += counts[:, there[inside]]
        weeks += inside
    return _Usual(start, end, step, times, total / np.maximum(weeks, 1))


def _copies(
    surge: Surge, usual: _Usual, negative: Sequence[Item], apart: int, uses: Counter[str], rng: np.random.Generator
) -> list[tuple[float, Item]]:
    """Times in the surge, and what is copied there: the least used of what lies elsewhere."""
    expected = usual.expected[surge.topic, surge.start : surge.end]
    begin, end = usual.start + surge.start * usual.step, usual.start + surge.end * usual.step
    elsewhere = [item for item in negative if not begin - apart <= item.time < end + apart]
    number = int(rng.poisson((surge.factor - 1) * expected.sum()))
    if number > len(elsewhere):
        raise InputError(
            f"a surge at {iso_time(begin)} needs {number} negative items and there are {len(elsewhere)} to copy",
            mend="give a larger pool, or lower the factors",
        )
    drawn = sorted(rng.permutation(len(elsewhere)).tolist(), key=lambda place: uses[elsewhere[place].id])[:number]
    uses.update(elsewhere[place].id for place in drawn)
    steps = rng.choice(len(expected), number, p=expected / expected.sum())
    return [(_time(surge.start + int(step), usual, surge.topic, rng), elsewhere[place]) for step, place in zip(steps, drawn, strict=True)]


def _time(step: int, usual: _Usual, topic: int, rng: np.random.Generator) -> float:
    """A time in the step at which one of the weeks around has a negative item of the topic."""
    found: list[float] = []
    for week in NEIGHBOURS:
        begin = usual.start + step * usual.step + week * WEEK
        times = usual.times[topic]
        found += [time - week * WEEK for time in times[bisect.bisect_left(times, begin) : bisect.bisect_left(times, begin + usual.step)]]
    return found[int(rng.integers(len(found)))]
