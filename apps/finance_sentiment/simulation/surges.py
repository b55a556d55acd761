"""When topics surge: start, duration and factor of each surge, none in the history and none too close to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.simulation.settings import SurgeSettings

_TRIES = 100  # places that are looked at for a surge; then it does not happen


@dataclass(frozen=True)
class Surge:
    """Steps `start` up to `end` of the stream (hours, or days where it is dated by the day), in which the expected number of negative
    items of the topic at this place is multiplied by the factor."""

    topic: int
    start: int
    end: int
    factor: float


def place_surges(rates: np.ndarray, settings: SurgeSettings, hours_of_a_step: int, rng: np.random.Generator) -> list[Surge]:
    """The surges of every topic, by topic and start.

    A surge is likelier to begin where the topic is busy, as events do, and lies wholly inside the stream. Where a topic has no room for
    another one it has fewer.

    Args:
        rates: how busy each topic is at each step, float64 `[topics, steps]`.
        hours_of_a_step: 1, or 24 where items are dated by the day; durations are then rounded up to whole days.
    """
    topics, steps = rates.shape
    first, apart = settings.history_days * 24 // hours_of_a_step, settings.apart_days * 24 // hours_of_a_step
    places: list[tuple[int, int, int]] = []
    for topic in range(topics):
        mine: list[tuple[int, int]] = []
        for _ in range(rng.poisson(settings.per_topic_week * (steps - first) * hours_of_a_step / 168)):
            for _ in range(_TRIES):
                duration = -(-int(rng.integers(settings.shortest_hours, settings.longest_hours + 1)) // hours_of_a_step)
                busy = rates[topic, first : max(first, steps - duration + 1)]
                if not busy.sum():
                    continue
                start = first + int(rng.choice(len(busy), p=busy / busy.sum()))
                if all(start >= end + apart or begin >= start + duration + apart for begin, end in mine):
                    mine.append((start, start + duration))
                    break
        places += [(topic, start, end) for start, end in sorted(mine)]
    factors = np.resize(rng.permutation(settings.factors), len(places))
    return [Surge(*place, float(factor)) for place, factor in zip(places, rng.permutation(factors), strict=True)]
