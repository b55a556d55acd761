"""Feeds that fell silent: a publisher of whom more should have come by now.

Silence is measured in items that were to be expected, not in hours: nights and weekends count for what they usually bring (the time-rescaling theorem,
Brown et al. 2002: gaps of a Poisson process are exponential with mean 1 in that measure). News comes in clumps, so a publisher's own gaps say how much
longer than that they get.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

MOST = 2_000  # publishers that are remembered
LEAST_GAPS = 50  # that must have been seen of a publisher before its silence means something
_MARGIN = 1.2  # over the longest gap that was


@dataclass
class Feed:
    """A publisher's gaps, in expected items of the whole stream.

    last: event time of its last item; last_at: the stream's expected items up to then.
    silent_since: event time of the item before an alert that is open.
    """

    last: float
    last_at: float
    gaps: int = 0
    total: float = 0.0
    squares: float = 0.0
    longest: float = 0.0
    silent_since: float | None = None

    def limit(self, per_day: float, items_per_day: float) -> float:
        """The gap from which on the feed is called silent, for `per_day` false alarms a day where `items_per_day` are expected of the stream."""
        mean = self.total / self.gaps
        dispersion = max(1.0, (self.squares / self.gaps - mean**2) / mean**2)
        gaps_per_day = items_per_day / mean
        return max(mean * dispersion * math.log(max(math.e, gaps_per_day / per_day)), _MARGIN * self.longest)


@dataclass(frozen=True)
class Silence:
    """A feed that fell silent, or came back.

    since: event time of its last item before.
    missed: items that were to be expected of it meanwhile.
    """

    publisher: str
    state: str
    time: float
    since: float
    missed: float


class Feeds:
    """All publishers of a stream.

    Args:
        per_day: false alarms a day that are accepted of one feed; 0: none is watched.
    """

    def __init__(self, per_day: float):
        self.per_day = per_day
        self._feeds: dict[str, Feed] = {}
        self._expected = 0.0  # items of the whole stream, from the beginning of the watch to the last bucket's end

    def expect(self, items: float) -> None:
        """The stream's time has gone on by a bucket in which so many items are usual."""
        self._expected += items

    def seen(self, publisher: str, time: float) -> Silence | None:
        """Takes an item; the end of a silence where it ends one."""
        if not self.per_day or not publisher:
            return None
        feed = self._feeds.get(publisher)
        if feed is None:
            if len(self._feeds) >= MOST:
                rarest = min(self._feeds, key=lambda name: (self._feeds[name].gaps, self._feeds[name].last))
                del self._feeds[rarest]
            self._feeds[publisher] = Feed(time, self._expected)
            return None
        gap, back = self._expected - feed.last_at, None
        if feed.silent_since is not None:
            back = Silence(publisher, "resolved", max(time, feed.last), feed.silent_since, self._missed(feed, gap))
            feed.silent_since = None
        else:  # a gap that was an alert is no example of the usual
            feed.gaps, feed.total, feed.squares, feed.longest = (
                feed.gaps + 1,
                feed.total + gap,
                feed.squares + gap**2,
                max(feed.longest, gap),
            )
        feed.last, feed.last_at = max(feed.last, time), self._expected
        return back

    def step(self, time: float, items_per_day: float) -> list[Silence]:
        """The feeds that are silent as of now, and were not before."""
        found = []
        for publisher, feed in self._feeds.items():
            if feed.silent_since is not None or feed.gaps < LEAST_GAPS or not feed.total:
                continue
            gap = self._expected - feed.last_at
            if gap > feed.limit(self.per_day, items_per_day):
                feed.silent_since = feed.last
                found.append(Silence(publisher, "firing", time, feed.last, self._missed(feed, gap)))
        return found

    @staticmethod
    def _missed(feed: Feed, gap: float) -> float:
        return gap * feed.gaps / feed.total if feed.total else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"expected": self._expected, "feeds": {name: asdict(feed) for name, feed in self._feeds.items()}}

    @classmethod
    def from_dict(cls, record: dict[str, Any], per_day: float) -> Feeds:
        """What `as_dict` gave."""
        feeds = cls(per_day)
        feeds._expected = record["expected"]
        feeds._feeds = {name: Feed(**feed) for name, feed in record["feeds"].items()}
        return feeds
