"""What happens in a simulated stream before anybody writes it down: which topic brings a story when, of which sentiment, and from whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.simulation.publishers import PUBLISHERS, Silence, audible, draw_silences
from apps.finance_sentiment.simulation.rhythm import NEGATIVE, clumps, draw_control
from apps.finance_sentiment.simulation.settings import StreamSettings
from apps.finance_sentiment.simulation.surges import Surge, place_surges

HOUR = 3600  # seconds


@dataclass(frozen=True)
class Story:
    """A story: `time` in whole seconds from the start of the stream; topic, sentiment and publisher by their places.

    added: whether a surge brought it.
    """

    time: int
    topic: int
    sentiment: int
    publisher: int
    added: bool


@dataclass(frozen=True)
class Events:
    """All of a stream.

    stories: by time.
    expected: the negative stories that each surge's hours would have brought without it, in the mean.
    """

    stories: list[Story]
    surges: list[Surge]
    expected: list[float]
    silences: list[Silence]


def draw_events(topics: int, settings: StreamSettings, rng: np.random.Generator) -> Events:
    """The events of a stream of so many topics.

    Counts of an hour, topic and sentiment are Poisson with a rate that a gamma draw of that hour and topic multiplies (negative binomial,
    see `clumps`); a surge adds Poisson negative stories at `factor - 1` times the same rate, so that with it the counts are negative
    binomial around the raised mean. What a silent publisher would have brought is lost.
    """
    # A generator for each part, so that the usual stories are the same with surges and without.
    for_topics, for_surges, for_clumps, for_silences, usual, more = rng.spawn(6)
    control = draw_control(topics, settings, for_topics)
    surges = place_surges(control.rates, settings.surges, 1, for_surges)
    clumped = control.rates * clumps(control.rates.shape, settings.clump_size, for_clumps)
    counts = usual.poisson(clumped[:, :, None] * control.mix[:, None, :])
    extra = np.zeros_like(clumped)
    for surge in surges:
        extra[surge.topic, surge.start : surge.end] = surge.factor - 1
    added = np.zeros_like(counts)
    added[:, :, NEGATIVE] = more.poisson(extra * clumped * control.mix[:, NEGATIVE, None])

    hours = control.rates.shape[1]
    weights = np.array([each.weight for each in PUBLISHERS]) / sum(each.weight for each in PUBLISHERS)
    silences = draw_silences(hours, settings.silences_per_week, for_silences)
    heard = audible(silences, hours)
    stories = _stories(counts, False, weights, heard, usual) + _stories(added, True, weights, heard, more)
    stories.sort(key=lambda story: (story.time, story.topic, story.sentiment, story.publisher, story.added))
    reaching = control.rates * control.mix[:, NEGATIVE, None] * (weights @ heard)
    expected = [float(reaching[surge.topic, surge.start : surge.end].sum()) for surge in surges]
    return Events(stories, surges, expected, silences)


def _stories(counts: np.ndarray, added: bool, weights: np.ndarray, heard: np.ndarray, rng: np.random.Generator) -> list[Story]:
    """A story for each of the counts `[topics, hours, sentiments]`, somewhere in its hour, from a publisher that can be heard then."""
    cells = np.repeat(np.arange(counts.size), counts.ravel())
    topics, hours, sentiments = np.unravel_index(cells, counts.shape)
    times = hours * HOUR + rng.integers(0, HOUR, len(cells))
    publishers = rng.choice(len(weights), len(cells), p=weights)
    keep = heard[publishers, hours]
    columns = (column[keep].tolist() for column in (times, topics, sentiments, publishers))
    return [Story(*values, added) for values in zip(*columns, strict=True)]
