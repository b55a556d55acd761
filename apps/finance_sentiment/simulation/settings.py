"""What a simulated stream is like: how much news, how uneven, with which flaws, and how often and how strongly it surges."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from dataclasses import dataclass, field
from typing import Any

from tfarch.errors import InputError


@dataclass(frozen=True)
class SurgeSettings:
    """Surges of negative items, topic by topic: during one, more of them are expected, by its factor.

    Raises:
        InputError: a value that makes no sense.
    """

    per_topic_week: float = 1 / 3  # expected surges of a topic in a week after the history; how many there are is a Poisson draw
    history_days: int = 21  # days at the beginning without a surge, for a detector to learn from
    shortest_hours: int = 6  # how long a surge lasts, at least
    longest_hours: int = 48  # and at most; between the two evenly
    factors: tuple[float, ...] = (1.5, 2.0, 4.0)  # by how much the expected number of negative items is multiplied; dealt out evenly
    apart_days: int = 3  # days between the end of a topic's surge and the beginning of its next, at least

    def __post_init__(self):
        _bounded("per_topic_week", self.per_topic_week, 0, 7)
        _bounded("history_days", self.history_days, 0)
        _bounded("shortest_hours", self.shortest_hours, 1)
        _bounded("longest_hours", self.longest_hours, self.shortest_hours)
        _bounded("apart_days", self.apart_days, 0)
        if not self.factors:
            raise InputError("factors is empty", mend="name at least one; set per_topic_week to 0 for no surges")
        for factor in self.factors:
            _bounded("factors", factor, 1, 100)


@dataclass(frozen=True)
class StreamSettings:
    """A simulated stream. With the rows and the seed it determines every byte.

    Raises:
        InputError: a value that makes no sense.
    """

    start: datetime.date = datetime.date(2026, 1, 5)  # the first day, from midnight UTC; a Monday
    days: int = 42  # how many days it lasts
    items_per_day: float = 150.0  # expected stories a day, over all topics and averaged over a week; repeats, copies and edits come on top
    topic_evenness: float = 4.0  # shape of the gamma distribution that topics' shares are drawn from: 4 spreads them by half of their mean
    clump_size: float = 3.0  # size of the negative binomial counts of an hour: variance = mean + mean^2 / size
    least_negative: float = 0.2  # share of a topic's stories that are negative when nothing happens, at least
    most_negative: float = 0.45  # and at most; between the two evenly over topics
    repeated: float = 0.02  # share of stories that arrive again as they were, under the same id
    syndicated: float = 0.25  # share of a family's stories that its other publishers bring too, minutes later, as items of their own
    edited: float = 0.02  # share of stories that are published anew under the same id, corrected or marked as an update
    late: float = 0.03  # share of stories that arrive hours after their event time
    latest_hours: float = 12.0  # how late such a story is at most; at least an hour
    silences_per_week: float = 0.05  # how often a publisher's feed is silent for a day or two, expected silences of one publisher in a week
    malformed: float = 0.0  # lines that are no item, for each line that is one
    surges: SurgeSettings = field(default_factory=SurgeSettings)  # the surges

    def __post_init__(self):
        _bounded("days", self.days, 1, 3660)
        _bounded("items_per_day", self.items_per_day, 1, 100_000)
        _bounded("topic_evenness", self.topic_evenness, 0.1)
        _bounded("clump_size", self.clump_size, 0.01)
        _bounded("least_negative", self.least_negative, 0, 1)
        _bounded("most_negative", self.most_negative, self.least_negative, 1)
        for name in ("repeated", "syndicated", "edited", "late", "malformed"):
            _bounded(name, getattr(self, name), 0, 1)
        _bounded("latest_hours", self.latest_hours, 1, 240)
        _bounded("silences_per_week", self.silences_per_week, 0, 3)
        if self.surges.history_days >= self.days:
            raise InputError(
                f"a history of {self.surges.history_days} days leaves nothing of {self.days}", mend="lower history_days, or raise days"
            )

    @property
    def start_seconds(self) -> int:
        """Midnight UTC of the first day, in seconds since 1970."""
        midnight = datetime.datetime.combine(self.start, datetime.time(), datetime.UTC)
        return int(midnight.timestamp())


def as_json(settings: StreamSettings | SurgeSettings) -> dict[str, Any]:
    """The settings as JSON has them; the date in ISO 8601."""
    return json.loads(json.dumps(dataclasses.asdict(settings), default=datetime.date.isoformat))


def _bounded(name: str, value: float, least: float, most: float = math.inf) -> None:
    if not (least <= value <= most and math.isfinite(value)):
        bound = f"at least {least:g}" if math.isinf(most) else f"{least:g} to {most:g}"
        raise InputError(f"{name} is {value}; it must be {bound}")
