"""The deciding part of a watch: items with what the model says of them go in, alert changes come out. No file, no network and no clock on the wall, so
that the same items give the same alerts.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from apps.finance_sentiment.stream.duplicates import WINDOW_SECONDS
from apps.finance_sentiment.stream.item import Item, MalformedItem
from apps.finance_sentiment.stream.publishers import Families
from apps.finance_sentiment.watch.alert import FIRING, RESOLVED, Alert
from apps.finance_sentiment.watch.clock import StreamClock, Vote
from apps.finance_sentiment.watch.evidence import Evidence, Headline
from apps.finance_sentiment.watch.feeds import Feeds, Silence
from apps.finance_sentiment.watch.reading import Judgement
from apps.finance_sentiment.watch.settings import DAY, HOUR, WatchSettings
from apps.finance_sentiment.watch.surges import Change, Surges
from apps.finance_sentiment.watch.tally import Tally
from apps.finance_sentiment.watch.usual import Usual
from tfarch.data.moments import iso_time
from tfarch.errors import InputError
from tfarch.progress import say as say_on_standard_error

SURGE, SILENT_FEED = "surge", "silent_feed"


@dataclass(frozen=True)
class Event:
    """Something to tell: a line that `watch` writes, and the headlines in it whose words are still to be explained."""

    line: dict[str, Any]
    headlines: list[Headline] = field(default_factory=list)


class Engine:
    """What is known of a stream, and what follows from it.

    Args:
        topics: their names.
        version: of the model, as alerts tell it.
        seed: of the simulations that thresholds come from.
        say: takes what a person should know, a line at a time.
    """

    def __init__(
        self,
        topics: Sequence[str],
        version: str,
        settings: WatchSettings,
        *,
        seed: int = 0,
        say: Callable[[str], None] = say_on_standard_error,
    ):
        self.topics, self.version, self.settings, self.seed, self.say = tuple(topics), version, settings, seed, say
        # An item that is ahead by half of what others may be late makes none of them late that is not late already by the other half.
        self._jump, self._near = settings.jump_hours * HOUR, min(settings.jump_hours, settings.lateness_hours / 2) * HOUR
        self.clock = StreamClock(self._jump, self._near)
        self._family = Families().of
        self.tally = Tally(len(topics), settings.bucket_seconds)
        self.evidence = Evidence(len(topics), self._family)
        self.feeds = Feeds(settings.silent_feeds_per_day)
        self.usual: Usual | None = None
        self.surges: Surges | None = None
        self.counted: collections.Counter[str] = collections.Counter()  # what became of the items
        self._begun: int | None = None  # the bucket of the first item
        self._ended: int | None = None  # every bucket before this one is over
        self._learned: Usual | None = None  # that nobody was told of yet
        self._model = version  # that the counts are by, from the bucket `_begun` on

    @property
    def remembered_seconds(self) -> float:
        """How far back in event time `Duplicates` has to remember items: what is older than that is not counted."""
        return max(WINDOW_SECONDS, self.settings.lateness_hours * HOUR)

    def admit(self, item: Item, *, fresh: bool = True) -> list[Event]:
        """Takes an item's time and publisher; what follows from them.

        Args:
            fresh: whether it is no duplicate.

        Raises:
            MalformedItem: its time is far ahead of all others.
        """
        if not self.clock.advance(Vote(item.id, item.time, self._family(item.publisher)), fresh=fresh):
            days = (item.time - self.clock.now) / DAY
            raise MalformedItem(f"its time, {iso_time(item.time)}, is {days:.1f} days ahead of the stream's")
        events = self._go_on(self.tally.bucket(self.clock.now))
        if item.time > self.clock.now:
            self.feeds.wait(item.publisher, item.time)
        elif (back := self.feeds.seen(item.publisher, item.time, measured=self.usual is not None)) is not None:
            events.append(self._silence(back))
        return events

    def count(self, item: Item, judgement: Judgement) -> None:
        """Counts an item that was admitted and is no duplicate."""
        number = self.tally.bucket(item.time)
        if number < self._ended - self.settings.keep_days * DAY // self.settings.bucket_seconds:
            self.counted["older than the history that is kept"] += 1
            return
        if item.time < self.clock.now - self.remembered_seconds:  # it may have been counted before
            self.counted["older than the duplicates remember"] += 1
            return
        if self.surges is not None and number < self.surges.settled:
            self.counted["late"] += 1  # for its alert; the history has it
        if judgement.topic is None:
            self.counted["without a topic"] += 1
            return
        self.counted["counted"] += 1
        self.tally.add(item.time, judgement.topic, judgement.negative)
        if judgement.negative:
            self.evidence.add(judgement.topic, Headline.of(item, judgement.score))

    def until(self, time: float) -> list[Event]:
        """What follows where the stream's time is known to be `time`, though no item says so: at the end of a replay, or while a live stream is quiet."""
        return [] if self.clock.now is None else self._go_on(self.tally.bucket(time))

    def news(self) -> Usual | None:
        """What was learned for the first time since this was asked last."""
        learned, self._learned = self._learned, None
        return learned

    def _go_on(self, now: int) -> list[Event]:
        """Judges every bucket that is over when bucket `now` has begun."""
        if self._ended is None:
            self._begun = self._ended = now
        nothing_left = now - self._ended > self.settings.keep_days * DAY // self.settings.bucket_seconds
        if nothing_left or self.clock.anew or self._model != self.version:
            return self._begin_anew(now)
        events: list[Event] = []
        while self._ended < now:
            self._ended += 1
            events += self._over(self._ended)
        return events

    def _begin_anew(self, now: int) -> list[Event]:
        """What is usual has to be learned from bucket `now` on, or from an earlier one to which time goes back; what is open comes to its end first."""
        events, settings, ended = [], self.settings, self._ended
        most = ended + settings.buckets(24 * settings.longest_days) + 1  # then every alert is over
        while self.surges is not None and self.surges.alerts and ended < most:  # as if nothing came any more
            ended += 1
            changes = self.surges.step(self.tally, self.usual, ended)
            self.usual = self.surges.settle(self.tally, self.usual, ended - settings.buckets(settings.lateness_hours))
            time = float(min(ended, max(now, self._ended)) * settings.bucket_seconds)
            events += [self._change(replace(each, time=time)) for each in changes if each.alert.state == RESOLVED]
        if now < self._ended:
            self.tally.forget_after(self.tally.bucket(self.clock.now + self._jump))
        self._begun = min(now, self._begun) if now < self._ended and self._model == self.version else now
        self._ended, self.usual, self.surges = now, None, None
        self._model, self.clock.anew = self.version, False
        self.feeds.begin(float(now * settings.bucket_seconds))
        return events

    def _over(self, ended: int) -> list[Event]:
        """The bucket before number `ended` is over."""
        settings, seconds = self.settings, self.settings.bucket_seconds
        if self.usual is None and (ended - self._begun) * seconds >= settings.history_days * DAY:
            self._learn(ended)
        events = [self._silence(each) for each in self.feeds.due(ended * float(seconds), measured=self.usual is not None)]
        if self.usual is None:
            return events
        if ended * seconds - self.usual.fitted_at >= settings.refit_days * DAY:
            self._learn(ended)
        volume = self.usual.baseline.volume(np.array([(ended - 1) * float(seconds)])).sum()
        self.feeds.expect(float(volume))
        changes = self.surges.step(self.tally, self.usual, ended)
        if self.surges.outlasted:
            self.surges.outlasted = False
            self._learn(ended)
        self.usual = self.surges.settle(self.tally, self.usual, ended - settings.buckets(settings.lateness_hours))
        events += [self._change(each) for each in changes]
        if ended * seconds % HOUR == 0:
            per_day = float(self.usual.baseline.rates.sum() / 7 * (HOUR / seconds))
            events += [self._silence(each) for each in self.feeds.step(ended * float(seconds), per_day)]
        return events

    def _learn(self, ended: int) -> None:
        first = max(self._begun, ended - self.settings.keep_days * DAY // self.settings.bucket_seconds)
        self.tally.forget_before(first)
        counts = self.tally.between(first, ended).astype(np.float64)
        if self.surges is not None:
            for topic, begin, end in self.surges.unusual(first * float(self.settings.bucket_seconds)):
                last = ended if np.isinf(end) else self.tally.bucket(end)
                counts[max(0, self.tally.bucket(begin) - first) : max(0, last - first), topic] = np.nan
        try:
            learned = Usual.learned(counts, first * float(self.settings.bucket_seconds), self.settings, seed=self.seed)
            if self.usual is None:
                self._learned = learned
            self.usual = learned
        except InputError:
            if self.usual is None:
                raise
            # An alert has been open for all but a few days of what is kept: what was learned before it still holds.
            self.usual = Usual(self.usual.baseline, self.usual.calibration, ended * float(self.settings.bucket_seconds))
        if self.surges is None:
            self.surges = Surges(len(self.topics), self.settings, ended - 1)

    def _change(self, change: Change) -> Event:
        alert = self._grouped(change.alert, change.time)
        topic = alert.topic
        headlines = self.evidence.since(topic, alert.opened, self.settings.evidence)
        items = max(1, change.items)
        line = {
            "kind": SURGE,
            "topic": self.topics[topic],
            "state": alert.state,
            "time": iso_time(change.time),
            "opened": iso_time(alert.opened),
            "negative_share": round(change.negatives / items, 4),
            "baseline": round(change.usual_share, 4),
            "items": change.items,
            "negatives": change.negatives,
            "expected_negatives": round(change.expected, 2),
            "evidence": [each.as_evidence() for each in headlines],
            "publishers": self.evidence.publishers(topic, alert.opened),
            "group": alert.group,
            "detector": {
                "name": self.settings.detector,
                "statistic": round(change.statistic, 4),
                "threshold": round(change.threshold, 4),
                "false_alarms_per_day": self.settings.false_alarms_per_day,
            },
            "model": self.version,
        }
        return Event(line, headlines)

    def _grouped(self, alert: Alert, time: float) -> Alert:
        """The alert with its group: that of the last one that fired shortly before, else its own."""
        if alert.state != FIRING or alert.group is not None:
            return alert
        near = [
            each
            for each in self.surges.alerts.values()
            if each.group is not None and each.topic != alert.topic and time - each.last_alarm <= self.settings.group_hours * HOUR
        ]
        group = max(near, key=lambda each: each.last_alarm).group if near else f"{self.topics[alert.topic]} {iso_time(time)}"
        grouped = Alert(**{**alert.as_dict(), "group": group})
        self.surges.alerts[alert.topic] = grouped
        return grouped

    def _silence(self, found: Silence) -> Event:
        line = {
            "kind": SILENT_FEED,
            "topic": None,
            "publisher": found.publisher,
            "state": found.state,
            "time": iso_time(found.time),
            "opened": iso_time(found.since),
            "expected_items": round(found.missed, 1),
        }
        return Event(line | ({"publishers": list(found.publishers)} if found.publishers else {}))

    def as_facts(self) -> dict[str, Any]:
        """What it knows beside the counts, by name, for JSON."""
        return {
            "clock": self.clock.as_dict(),
            "evidence": self.evidence.as_rows(),
            "feeds": self.feeds.as_dict(),
            "usual": None if self.usual is None else self.usual.as_dict(),
            "surges": None if self.surges is None else self.surges.as_dict(),
            "settings": self.settings.as_dict(),
            "topics": list(self.topics),
            "model": self._model,
            "counted": dict(self.counted),
            "span": [self._begun, self._ended],
        }

    def restore(self, facts: dict[str, Any], buckets: Sequence[tuple[int, np.ndarray]]) -> None:
        """Goes on from what `as_facts` and the tally were. With other settings thresholds are learned anew, with another model from its own counts alone.

        Raises:
            InputError: the state is of another model's topics, or of buckets of another length.
        """
        settings = self.settings
        if facts["topics"] != list(self.topics):
            raise InputError(f"the state is of other topics ({', '.join(facts['topics'])})", mend="begin with another --state")
        if facts["settings"]["bucket_minutes"] != settings.bucket_minutes:
            raise InputError(f"the state counts by {facts['settings']['bucket_minutes']} minutes", mend="begin with another --state")
        self.clock = StreamClock.from_dict(facts["clock"], self._jump, self._near)
        self.evidence = Evidence.from_rows(facts["evidence"], self._family)
        self.feeds = Feeds.from_dict(facts["feeds"], settings.silent_feeds_per_day)
        self.usual = None if facts["usual"] is None else Usual.from_dict(facts["usual"])
        self.surges = None if facts["surges"] is None else Surges.from_dict(facts["surges"], settings)
        self.counted = collections.Counter(facts["counted"])
        self._model = facts.get("model", self.version)
        self._begun, self._ended = facts["span"]
        for number, counts in buckets:
            self.tally.put(number, counts)
        changed = self.usual is not None and facts["settings"] != settings.as_dict()
        if changed:
            self.surges.restart()
        if self._model != self.version:
            self.say(
                f"the state is of another model ({self._model}; now {self.version}): what it counted is no measure for this one, and what is usual is "
                f"learned anew, from the next {settings.history_days} days of the stream"
            )
        elif changed:
            self._learn(self._ended)
