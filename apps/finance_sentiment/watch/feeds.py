"""Feeds that fell silent: a publisher of whom more should have come by now, and the network where that is true of most of them.

Silence is measured in items that were to be expected, not in hours: nights and weekends count for what they usually bring (the time-rescaling theorem,
Brown et al. 2002: gaps of a Poisson process are exponential with mean 1 in that measure). News comes in clumps, so a publisher's own gaps say how much
longer than that they get.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MOST = 2_000  # publishers that are remembered
LEAST_GAPS = 50  # that must have been seen of a publisher before its silence means something
_MARGIN = 1.2  # over the longest gap that was
_FEWEST = 3  # publishers that fall silent together
# Times its mean gap, from which on a publisher may be one of them: one in twenty is at any moment. And the sum of these over all but the first, where it is
# no chance any more that they are it at once (e ** -8 of Poisson processes). At the end its last item is hardly longer ago than so many of its gaps.
_LONG, _NO_CHANCE, _BEFORE = 3.0, 8.0, 5.0


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

    @property
    def share(self) -> float:
        """Of the stream's items, that are its."""
        return self.gaps / self.total if self.total else 0.0

    @property
    def scale(self) -> float:
        """Expected items, of which a gap gets e times rarer with every one."""
        mean = self.total / self.gaps
        return mean * max(1.0, (self.squares / self.gaps - mean**2) / mean**2)

    def limit(self, per_day: float, items_per_day: float) -> float:
        """The gap from which on the feed is called silent, for `per_day` false alarms a day where `items_per_day` are expected of the stream."""
        gaps_per_day = items_per_day * self.share
        return max(self.scale * math.log(max(math.e, gaps_per_day / per_day)), _MARGIN * self.longest)


@dataclass(frozen=True)
class Silence:
    """A feed that fell silent, or came back; or many at once.

    publisher: its name, or how many of them.
    since: event time of its last item before.
    missed: items that were to be expected of it meanwhile.
    publishers: the names, where it is many.
    """

    publisher: str
    state: str
    time: float
    since: float
    missed: float
    publishers: tuple[str, ...] = ()


@dataclass
class _Outage:
    """Publishers that fell silent together.

    publishers: who they were; silent: those who did not come back yet.
    at: the stream's expected items up to when it was noticed.
    """

    name: str
    publishers: list[str]
    silent: list[str]
    since: float
    at: float


class Feeds:
    """All publishers of a stream.

    Args:
        per_day: false alarms a day that are accepted of one feed; 0: none is watched.
    """

    def __init__(self, per_day: float):
        self.per_day = per_day
        self._feeds: dict[str, Feed] = {}
        self._outages: list[_Outage] = []
        self._ahead: list[tuple[float, str]] = []
        self._expected = 0.0  # items of the whole stream, from the beginning of the watch to the last bucket's end

    def expect(self, items: float) -> None:
        """The stream's time has gone on by a bucket in which so many items are usual."""
        self._expected += items

    def begin(self, time: float) -> None:
        """What is usual is not known, as of this time: nothing from before measures a gap."""
        self._ahead.clear()
        for feed in self._feeds.values():
            feed.last, feed.last_at = min(feed.last, time), self._expected

    def wait(self, publisher: str, time: float) -> None:
        """Takes an item that is ahead of the stream's time, for `due`."""
        if self.per_day and publisher and len(self._ahead) < MOST:
            self._ahead.append((time, publisher))

    def due(self, until: float, *, measured: bool) -> list[Silence]:
        """Ends of silences by the items that waited for a time before `until`; see `seen`."""
        due = sorted(each for each in self._ahead if each[0] < until)
        if not due:
            return []
        self._ahead = [each for each in self._ahead if each[0] >= until]
        return [back for time, publisher in due if (back := self.seen(publisher, time, measured=measured)) is not None]

    def seen(self, publisher: str, time: float, *, measured: bool = True) -> Silence | None:
        """Takes an item; the end of a silence where it ends one.

        Args:
            measured: whether it is known what was to be expected since the publisher's last item.
        """
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
            back = self._back(publisher, feed, max(time, feed.last))
        elif measured:  # a gap that was an alert is no example of the usual
            feed.gaps, feed.total, feed.squares, feed.longest = (
                feed.gaps + 1,
                feed.total + gap,
                feed.squares + gap**2,
                max(feed.longest, gap),
            )
        feed.last, feed.last_at = max(feed.last, time), self._expected
        return back

    def _back(self, publisher: str, feed: Feed, time: float) -> Silence | None:
        outage = next((each for each in self._outages if publisher in each.silent), None)
        if outage is None:
            back = Silence(publisher, "resolved", time, feed.silent_since, self._missed([publisher]))
            feed.silent_since = None
            return back
        feed.silent_since = None
        outage.silent.remove(publisher)
        if 2 * self._share(outage.silent) > self._share(outage.publishers):
            return None
        back = Silence(outage.name, "resolved", time, outage.since, self._missed([publisher, *outage.silent]), tuple(outage.publishers))
        self._outages.remove(outage)
        for name in outage.silent:  # who stays silent will be told by himself
            if name in self._feeds:
                self._feeds[name].silent_since, self._feeds[name].last_at = None, self._expected
        return back

    def step(self, time: float, items_per_day: float) -> list[Silence]:
        """The feeds that are silent as of now, and were not before: each, or one for all where most of what was expected fell silent together."""
        heard = {name: feed for name, feed in self._feeds.items() if feed.silent_since is None and feed.gaps >= LEAST_GAPS and feed.total}
        silent = [name for name, feed in heard.items() if self._expected - feed.last_at > feed.limit(self.per_day, items_per_day)]
        silent = [name for name in silent if not self._joins(name, heard[name])]
        together = self._together(heard, silent) if silent else []
        found = []
        if together:
            watched = sum(feed.gaps >= LEAST_GAPS for feed in self._feeds.values())
            name = f"all {watched} publishers" if len(together) == watched else f"{len(together)} of {watched} publishers"
            since = max(heard[each].last for each in together)
            found.append(Silence(name, "firing", time, since, self._missed(together), tuple(together)))
            self._outages.append(_Outage(name, together, list(together), since, self._expected))
        found += [Silence(name, "firing", time, heard[name].last, self._missed([name])) for name in silent if name not in together]
        for name in {*silent, *together}:
            heard[name].silent_since = heard[name].last
        return found

    def _joins(self, name: str, feed: Feed) -> bool:
        """Whether the publisher fell silent with those of an outage that is told already, and is rarer than they; then it is one of them."""
        for outage in self._outages:
            if feed.last_at <= outage.at:
                outage.publishers.append(name)
                outage.silent.append(name)
                feed.silent_since = feed.last
                return True
        return False

    def _together(self, heard: Mapping[str, Feed], silent: Sequence[str]) -> list[str]:
        """The publishers that fell silent at the same time as one of these, where they bring most of what is expected; none where they do not."""
        gaps = {name: (self._expected - feed.last_at) / feed.scale for name, feed in heard.items()}
        long = [name for name, feed in heard.items() if (self._expected - feed.last_at) * feed.share >= _LONG]
        since = max((heard[name].last_at for name in long), default=0.0)
        # Who was silent long before that is another case.
        at_once = [name for name, feed in heard.items() if 0.0 <= since - feed.last_at <= _BEFORE * feed.scale]
        long = [name for name in long if name in at_once]
        if len(long) < _FEWEST or not {*long} & {*silent}:
            return []
        no_chance = sum(sorted(gaps[name] for name in long)[:-1]) >= _NO_CHANCE
        return at_once if no_chance and 2 * self._share(long) > self._share(heard) else []

    def _share(self, names: Sequence[str] | Mapping[str, Feed]) -> float:
        return sum(self._feeds[name].share for name in names if name in self._feeds)

    def _missed(self, names: Sequence[str]) -> float:
        known = [self._feeds[name] for name in names if name in self._feeds]
        return sum((self._expected - feed.last_at) * feed.share for feed in known)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "expected": self._expected,
            "feeds": {name: asdict(feed) for name, feed in self._feeds.items()},
            "outages": [asdict(outage) for outage in self._outages],
            "ahead": self._ahead,
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any], per_day: float) -> Feeds:
        """What `as_dict` gave."""
        feeds = cls(per_day)
        feeds._expected = record["expected"]
        feeds._feeds = {name: Feed(**feed) for name, feed in record["feeds"].items()}
        feeds._outages = [_Outage(**outage) for outage in record.get("outages", ())]
        feeds._ahead = [(time, publisher) for time, publisher in record.get("ahead", ())]
        return feeds
