"""Invented publishers, some of them in families that bring the same text, and the days on which a feed is silent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHORTEST_SILENCE, LONGEST_SILENCE = 24, 48  # hours


@dataclass(frozen=True)
class Publisher:
    """A source of news.

    family: whom it shares its texts with.
    weight: how much of all stories it brings, relative to the others.
    """

    name: str
    family: str
    weight: float

    @property
    def slug(self) -> str:
        """Its name in ids."""
        return self.name.lower().replace(" ", "-")


PUBLISHERS = (
    Publisher("Meridian Wire", "meridian", 5.0),
    Publisher("Meridian Europe", "meridian", 2.0),
    Publisher("Meridian Asia", "meridian", 2.0),
    Publisher("Meridian Americas", "meridian", 1.5),
    Publisher("Harbour Courier", "harbour", 2.5),
    Publisher("Harbour Money", "harbour", 1.5),
    Publisher("Northern Harbour", "harbour", 1.0),
    Publisher("Quickline", "quickline", 2.5),
    Publisher("Quickline Markets", "quickline", 1.5),
    Publisher("Filings Desk", "filings", 2.0),
    Publisher("Tape and Tea", "forum", 2.0),
)


def siblings(place: int) -> list[int]:
    """The places in `PUBLISHERS` of the others of a publisher's family."""
    return [other for other, each in enumerate(PUBLISHERS) if each.family == PUBLISHERS[place].family and other != place]


@dataclass(frozen=True)
class Silence:
    """Hours `start` up to `end` of the stream in which nothing comes from the publisher at this place in `PUBLISHERS`."""

    publisher: int
    start: int
    end: int


def draw_silences(hours: int, per_week: float, rng: np.random.Generator) -> list[Silence]:
    """The silences in a stream of so many hours, `per_week` expected of each publisher; those of one publisher do not overlap."""
    found: list[Silence] = []
    for publisher in range(len(PUBLISHERS)):
        for start in sorted(rng.integers(0, hours, rng.poisson(per_week * hours / 168)).tolist()):
            end = min(hours, start + int(rng.integers(SHORTEST_SILENCE, LONGEST_SILENCE + 1)))
            if not any(each.publisher == publisher and start < each.end for each in found):
                found.append(Silence(publisher, start, end))
    return found


def audible(silences: list[Silence], hours: int) -> np.ndarray:
    """bool `[publishers, hours]`: who can be heard when."""
    heard = np.ones((len(PUBLISHERS), hours), bool)
    for silence in silences:
        heard[silence.publisher, silence.start : silence.end] = False
    return heard
