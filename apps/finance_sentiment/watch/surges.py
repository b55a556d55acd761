"""Buckets become statistics, statistics alerts: the detectors of all topics, stepped as the stream's time goes on.

A bucket is judged when it ends. Items that come late change it afterwards, so the state of the detectors is kept as it was before the buckets that are
not settled yet, and these are stepped anew each time: there are a handful of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.finance_sentiment.detection import advance, odds_of_calm
from apps.finance_sentiment.watch.alert import RESOLVED, Alert, next_state
from apps.finance_sentiment.watch.settings import DAY, HOUR, WatchSettings
from apps.finance_sentiment.watch.tally import Tally
from apps.finance_sentiment.watch.usual import Usual

_SAME_DAYS = 3  # between two alerts of a topic, within which they tell of the same
_SMALL = 1.0  # items added to both sides of a ratio, so that one item where a tenth was expected is no tenfold
_LEAST_RATIO, _MOST_RATIO = 1.5, 6.0  # of an alert's level, that the usual is told from


@dataclass(frozen=True)
class Change:
    """An alert whose state changed, with what was counted.

    time: event time of the change.
    items, negatives: that came since the alert was opened.
    expected: negatives that were to be expected in that time.
    usual_share: of negatives.
    """

    alert: Alert
    time: float
    statistic: float
    threshold: float
    items: int
    negatives: int
    expected: float
    usual_share: float


class Surges:
    """The detectors and open alerts of all topics.

    Args:
        settled: number of the first bucket that is not settled.
    """

    def __init__(self, topics: int, settings: WatchSettings, settled: int):
        self.settings, self.settled = settings, settled
        self._detector = settings.make()
        self._state = self._detector.start((topics,))
        self._rest = np.zeros(topics, np.int64)
        self._begun = np.full(topics, settled, np.int64)  # the bucket in which the statistic last left its neutral value
        self.alerts: dict[int, Alert] = {}
        self.outlasted = False  # an alert is over for having lasted: the usual has to be learned anew
        self.past: list[tuple[int, float, float]] = []  # topic, first alarm and end of alerts that fired and are over, seconds since 1970
        self._over = np.full(topics, settled, np.int64)  # the bucket at which a topic's last alert was over: alarms before it are known

    def step(self, tally: Tally, usual: Usual, ended: int) -> list[Change]:
        """What changes when the bucket before number `ended` is over."""
        statistic, alarms, begun = self._stepped(tally, usual, ended)
        time = float(ended * tally.bucket_seconds)
        changes = []
        for topic, threshold in enumerate(usual.calibration.threshold):
            before = self.alerts.get(topic)
            # An alarm that late items raised in a bucket that is past counts now, unless an alert has told of it.
            since = None if before is None or before.fired is None else self._since(before)
            outlasted = since is not None and time - since >= self.settings.longest_days * DAY
            alarm = bool(alarms[max(0, self._over[topic] - self.settled) if since is None else -1 :, topic].any())
            alert = next_state(
                before,
                topic=topic,
                time=time,
                begun=float(begun[topic] * tally.bucket_seconds),
                statistic=float(statistic[topic]),
                alarm=alarm,
                neutral=self._detector.neutral,
                pending_at=self.settings.pending_share * float(threshold),
                calm=since is not None and self._calm(before, tally, usual, ended),
                rest_seconds=self.settings.cooldown_hours * HOUR,
                quiet_seconds=self.settings.quiet_hours * HOUR,
                outlasted=outlasted,
            )
            if alert is None or (before is not None and alert.state == before.state):
                if alert is not None:
                    self.alerts[topic] = alert
                continue
            if alert.state == RESOLVED:
                del self.alerts[topic]
                self._over[topic] = ended
                if outlasted:  # what came since has become the usual, and what was before it no longer is
                    self.past = [each for each in self.past if each[0] != topic]
                    self.past.append((topic, 0.0, since))
                    self._state[topic], self._rest[topic], self.outlasted = self._detector.start(()), 0, True
                elif alert.fired is not None:
                    self.past.append((topic, alert.fired, time))
            else:
                self.alerts[topic] = alert
            changes.append(self._change(alert, tally, usual, time, float(statistic[topic]), float(threshold)))
        return changes

    def _since(self, alert: Alert) -> float:
        """When the alert first fired, or those of its topic that were over shortly before it: seconds since 1970."""
        since = alert.fired
        for topic, begin, end in reversed(self.past):
            if topic == alert.topic and begin > 0.0 and since - end <= _SAME_DAYS * DAY:
                since = begin
        return since

    def settle(self, tally: Tally, usual: Usual, until: int) -> Usual:
        """Takes the buckets before number `until` as final; what is usual follows them, but where an alert is open."""
        if until <= self.settled:
            return usual
        counts = tally.between(self.settled, until)
        times = np.arange(self.settled, until) * float(tally.bucket_seconds)
        for number in range(self.settled, until):
            self._state, self._rest, _, _, self._begun = self._one(self._state, self._rest, self._begun, tally, usual, number)
        self.settled = until
        weight = np.ones(counts.shape[1])
        weight[list(self.alerts)] = 0.0
        baseline = usual.baseline.updated(counts[..., 1], counts[..., 0], times, weight)
        return Usual(baseline, usual.calibration, usual.fitted_at)

    def unusual(self, first: float) -> list[tuple[int, float, float]]:
        """Topic, beginning and end of what is no example of the usual, seconds since 1970: from first alarm to end of alerts that were over after `first`, and of
        those that are open, without end; and what was before an alert that outlasted all.

        What came before the alarm stays one. It was chosen for being high: without it the usual would be too low where nothing was the matter, and there were
        1.7 times the false alarms asked for; with all that came in an alert, 0.9 times (two simulated streams of 120 days).
        """
        self.past = [each for each in self.past if each[2] > first]
        return [*self.past, *((topic, alert.fired, np.inf) for topic, alert in self.alerts.items() if alert.fired is not None)]

    def restart(self) -> None:
        """Starts the detectors anew, as their statistics mean something else with other settings; alerts stay open."""
        topics = len(self._rest)
        self._state, self._rest = self._detector.start((topics,)), np.zeros(topics, np.int64)
        self._begun[:] = self.settled

    def _stepped(self, tally: Tally, usual: Usual, ended: int):
        """After the last bucket statistics and the bucket in which each left its neutral value, `[topics]`; alarms `[buckets, topics]` from the settled ones on."""
        state, rest, begun = self._state, self._rest, self._begun
        statistic, alarms = np.zeros(len(rest)), []
        for number in range(self.settled, ended):
            state, rest, statistic, alarm, begun = self._one(state, rest, begun, tally, usual, number)
            alarms.append(alarm)
        raised = np.array(alarms) if alarms else np.zeros((1, len(rest)), bool)
        return statistic, raised, begun

    def _one(self, state: np.ndarray, rest: np.ndarray, begun: np.ndarray, tally: Tally, usual: Usual, number: int):
        count = tally.of(number)[:, 1]
        mean = usual.baseline.mean(np.array([number * float(tally.bucket_seconds)]))[0]
        threshold = usual.calibration.threshold
        state, rest, statistic, alarm = advance(
            self._detector, state, rest, count, mean, usual.baseline.size, threshold, self.settings.cooldown_buckets
        )
        # After an alarm the detector is at its start again, but the surge that raised it began where it began.
        return state, rest, statistic, alarm, np.where((statistic <= self._detector.neutral) & ~alarm, number + 1, begun)

    def _calm(self, alert: Alert, tally: Tally, usual: Usual, ended: int) -> bool:
        """Whether the odds are that the negatives of an alert's topic are the usual again, and no longer at the level that they had until its last alarm."""
        begin, last = tally.bucket(alert.opened), tally.bucket(alert.last_alarm)
        begin = max(min(begin, last - 1), ended - self.settings.keep_days * DAY // tally.bucket_seconds)
        counts = tally.between(begin, ended)[:, alert.topic, 1]
        mean = usual.baseline.mean(np.arange(begin, ended) * float(tally.bucket_seconds))[:, alert.topic]
        high = slice(max(0, last - begin))
        ratio = float(np.clip((counts[high].sum() + _SMALL) / (mean[high].sum() + _SMALL), _LEAST_RATIO, _MOST_RATIO))
        return odds_of_calm(counts, mean, usual.baseline.size[alert.topic], ratio) >= math.log(self.settings.resolve_odds)

    def _change(self, alert: Alert, tally: Tally, usual: Usual, time: float, statistic: float, threshold: float) -> Change:
        begin, ended = tally.bucket(alert.opened), tally.bucket(time)
        begin = max(begin, ended - self.settings.keep_days * DAY // tally.bucket_seconds)
        counts = tally.between(begin, ended)[:, alert.topic].sum(axis=0)
        expected = usual.baseline.mean(np.arange(begin, ended) * float(tally.bucket_seconds))[:, alert.topic].sum()
        return Change(
            alert,
            time,
            statistic,
            threshold,
            int(counts[0]),
            int(counts[1]),
            float(expected),
            float(usual.baseline.share[alert.topic]),
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        arrays = {name: getattr(self, f"_{name}").tolist() for name in ("state", "rest", "begun", "over")}
        return {"settled": self.settled, **arrays, "past": self.past, "alerts": [alert.as_dict() for alert in self.alerts.values()]}

    @classmethod
    def from_dict(cls, record: dict[str, Any], settings: WatchSettings) -> Surges:
        """What `as_dict` gave."""
        surges = cls(len(record["rest"]), settings, record["settled"])
        surges._state = np.array(record["state"], np.float64)
        for name in ("rest", "begun", "over"):
            setattr(surges, f"_{name}", np.array(record[name], np.int64))
        surges.past = [(int(topic), begin, end) for topic, begin, end in record["past"]]
        surges.alerts = {each["topic"]: Alert(**each) for each in record["alerts"]}
        return surges
