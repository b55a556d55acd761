"""A simulated stream of news: events, told in the words of labelled rows, with the flaws of real feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.finance_sentiment.simulation.copies import broken, edited, syndicated
from apps.finance_sentiment.simulation.events import HOUR, Events, Story, draw_events
from apps.finance_sentiment.simulation.publishers import PUBLISHERS, audible, siblings
from apps.finance_sentiment.simulation.rhythm import SENTIMENTS
from apps.finance_sentiment.simulation.rows import Row, RowPool
from apps.finance_sentiment.simulation.settings import StreamSettings, as_json
from apps.finance_sentiment.simulation.simulated import Simulated
from tfarch.data.moments import iso_time
from tfarch.errors import InputError

_LAG = 20.0  # seconds between publication and arrival, in the mean
_REPEAT = (60, 12 * HOUR)  # seconds after which a story arrives again as it was
_EDIT = (10 * 60, 3 * HOUR)  # seconds after which it is published anew
_COPY = (60, 45 * 60)  # seconds after which the family has it


@dataclass(eq=False)
class _Publication:
    """A text under an id, which is given once all are known. An edit is another publication under the id of what it edits."""

    story: int
    time: int
    publisher: int
    text: str
    edits: _Publication | None = None
    id: str = ""


@dataclass(frozen=True)
class _Line:
    """A publication on its arrival, seconds from the start."""

    arrival: float
    publication: _Publication


def simulate(rows: Sequence[Row], settings: StreamSettings, seed: int) -> Simulated:
    """A stream of dated items and its truth, wholly determined by what is given (and the version of numpy, whose generators draw it).

    Args:
        rows: (text, sentiment, topic), of every sentiment for each topic; they are used again and again, varied so that they read as other
            news.
        seed: 0 or more.

    Raises:
        InputError: the rows or the seed cannot be used.
    """
    if seed < 0:
        raise InputError(f"seed is {seed}; it must be 0 or more")
    pool = RowPool(rows)
    for_events, for_texts, for_flaws, for_broken = np.random.default_rng(seed).spawn(4)
    events = draw_events(len(pool.topics), settings, for_events)
    lines = _tell(events, pool, settings, for_texts, for_flaws)
    _name([line.publication for line in lines])
    lines.sort(key=lambda line: line.arrival)
    items = _with_broken([_item(line.publication, settings.start_seconds) for line in lines], settings.malformed, for_broken)
    return Simulated(items, _truth(seed, settings, pool.topics, events, lines, items))


def _tell(events: Events, pool: RowPool, settings: StreamSettings, for_texts: np.random.Generator, rng: np.random.Generator) -> list[_Line]:
    """The lines of all stories: each story, and what repeats, edits and copies it."""
    heard = audible(events.silences, settings.days * 24)
    lines: list[_Line] = []

    def lag() -> float:
        return float(rng.exponential(_LAG))

    def publishes(publisher: int, time: int) -> bool:
        return time < settings.days * 24 * HOUR and bool(heard[publisher, time // HOUR])

    for number, story in enumerate(events.stories):
        text = pool.draw(pool.topics[story.topic], SENTIMENTS[story.sentiment], story.time, for_texts)
        original = _Publication(number, story.time, story.publisher, text)
        late = float(rng.uniform(HOUR, settings.latest_hours * HOUR)) if rng.random() < settings.late else 0.0
        first = _Line(story.time + late + lag(), original)
        lines.append(first)
        if rng.random() < settings.repeated:
            lines.append(_Line(first.arrival + float(rng.uniform(*_REPEAT)), original))
        if rng.random() < settings.edited:
            time = story.time + int(rng.integers(*_EDIT))
            again = _Publication(number, time, story.publisher, edited(text, rng), edits=original)
            if publishes(story.publisher, time):
                lines.append(_Line(max(time, first.arrival) + lag(), again))
        for sibling, time in _copies(story, settings.syndicated, rng):
            copy = _Publication(number, time, sibling, syndicated(text, PUBLISHERS[sibling].name, rng))
            if publishes(sibling, time):
                lines.append(_Line(time + lag(), copy))
    return lines


def _copies(story: Story, share: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Which publishers of the family copy the story, one or more with probability `share`, and when."""
    family = siblings(story.publisher)
    if not family or rng.random() >= share:
        return []
    some = rng.permutation(family)[: int(rng.integers(1, len(family) + 1))]
    return [(int(sibling), story.time + int(rng.integers(*_COPY))) for sibling in some]


def _name(publications: list[_Publication]) -> None:
    """Ids of publisher and number, in the order of publication."""
    originals = dict.fromkeys(each for each in publications if each.edits is None)
    for number, each in enumerate(sorted(originals, key=lambda each: each.time), start=1):
        each.id = f"{PUBLISHERS[each.publisher].slug}-{number:06d}"
    for each in publications:
        if each.edits is not None:
            each.id = each.edits.id


def _item(publication: _Publication, start: int) -> dict[str, str]:
    publisher = PUBLISHERS[publication.publisher].name
    return {"id": publication.id, "time": iso_time(start + publication.time), "text": publication.text, "publisher": publisher}


def _with_broken(items: list[dict[str, str]], share: float, rng: np.random.Generator) -> list[dict[str, str] | str]:
    """The items, with a malformed line after each of a share of them."""
    mixed: list[dict[str, str] | str] = []
    for item in items:
        mixed.append(item)
        if rng.random() < share:
            mixed.append(broken(item, rng))
    return mixed


def _truth(
    seed: int, settings: StreamSettings, topics: list[str], events: Events, lines: list[_Line], items: list[dict[str, str] | str]
) -> dict[str, Any]:
    def iso(hour: int) -> str:
        return iso_time(settings.start_seconds + hour * HOUR)

    surges = []
    for surge, expected in zip(events.surges, events.expected, strict=True):
        window = range(surge.start * HOUR, surge.end * HOUR)
        added = sum(story.added and story.topic == surge.topic and story.time in window for story in events.stories)
        surges.append(
            {
                "topic": topics[surge.topic],
                "start": iso(surge.start),
                "end": iso(surge.end),
                "factor": surge.factor,
                "expected": round(expected, 3),
                "added": added,
            }
        )
    stories = {line.publication.id: events.stories[line.publication.story] for line in lines}
    return {
        "seed": seed,
        "settings": as_json(settings),
        "start": iso(0),
        "history_end": iso(settings.surges.history_days * 24),
        "end": iso(settings.days * 24),
        "topics": topics,
        "surges": surges,
        "silences": [
            {"publisher": PUBLISHERS[each.publisher].name, "start": iso(each.start), "end": iso(each.end)} for each in events.silences
        ],
        "labels": {
            name: {"topic": topics[story.topic], "sentiment": SENTIMENTS[story.sentiment]} for name, story in sorted(stories.items())
        },
        "duplicates": _duplicates(lines, items),
        "malformed": [number for number, item in enumerate(items, start=1) if isinstance(item, str)],
    }


def _duplicates(lines: list[_Line], items: list[dict[str, str] | str]) -> dict[str, dict[str, str]]:
    """For each line whose story arrived before: the id of the first line to bring it, and how the two differ."""
    numbers = [number for number, item in enumerate(items, start=1) if not isinstance(item, str)]
    first: dict[int, _Publication] = {}
    found: dict[str, dict[str, str]] = {}
    for number, line in zip(numbers, lines, strict=True):
        this = line.publication
        known = first.get(this.story)
        if known is None:
            first[this.story] = this
            continue
        kind = "syndicated" if this.id != known.id else "repeated" if this.text == known.text else "edited"
        found[str(number)] = {"of": known.id, "kind": kind}
    return found
