"""How a stream is watched."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from apps.finance_sentiment.detection import Detector, make_detector
from tfarch.errors import InputError

HOUR, DAY = 3600, 86_400


@dataclass(frozen=True)
class WatchSettings:
    """Settings of a watch; durations in the unit that their name says, all of them event time.

    Raises:
        InputError: a value that makes no sense.
    """

    false_alarms_per_day: float = 0.05  # that are accepted of one topic: 0.05 is one in twenty days
    detector: str = "negative_binomial_cusum"  # a name of `detection.DETECTORS`
    bucket_minutes: int = 60  # what is counted together; a divisor of a day
    history_days: int = 21  # of the stream from which the usual is learned before anything is said
    refit_days: int = 7  # after which the usual is learned anew, from what was recorded
    keep_days: int = 56  # of counts that are kept for that
    half_life_days: float = 14.0  # in which the level of a topic forgets half, between two fits
    lateness_hours: float = 6.0  # an item that is later than this counts for the history alone
    jump_hours: float = 72.0  # an item that is further ahead of all others than this waits until others confirm the time
    cooldown_hours: float = 6.0  # after an alarm, in which the detector of this topic rests
    pending_share: float = 0.7  # of the threshold, from which on an alert is pending
    resolve_hours: float = 6.0  # over which the negatives must be back to resolve an alert
    resolve_ratio: float = 1.25  # of what was expected, that they must be under
    group_hours: float = 3.0  # alerts that fire within this time of another are of its group
    evidence: int = 5  # headlines that an alert carries
    silent_feeds_per_day: float = 0.05  # false alarms about feeds that fell silent, of one feed; 0: none is watched

    def __post_init__(self):
        if self.bucket_minutes < 1 or 1440 % self.bucket_minutes:
            raise InputError(f"bucket_minutes is {self.bucket_minutes}", mend="a divisor of the 1,440 minutes of a day")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not (least <= value and math.isfinite(value)):
                raise InputError(f"{name} is {value}", mend=f"at least {least:g}")
        if self.keep_days < self.history_days:
            raise InputError(f"keep_days is {self.keep_days}, history_days {self.history_days}", mend="keep at least the history")
        most = 1440 / self.bucket_minutes / (1 + self.cooldown_buckets)
        if self.false_alarms_per_day >= most:
            raise InputError(
                f"false_alarms_per_day is {self.false_alarms_per_day}", mend=f"below the {most:g} that there can be with this cooldown"
            )
        make_detector(self.detector)

    @property
    def bucket_seconds(self) -> int:
        return self.bucket_minutes * 60

    @property
    def cooldown_buckets(self) -> int:
        return self.buckets(self.cooldown_hours)

    def buckets(self, hours: float) -> int:
        """How many buckets that many hours reach into."""
        return math.ceil(hours * HOUR / self.bucket_seconds)

    def make(self) -> Detector:
        """The detector, with its own settings at their defaults."""
        return make_detector(self.detector)

    def as_dict(self) -> dict[str, float | int | str]:
        """For JSON."""
        return dataclasses.asdict(self)


_LEAST = {
    "false_alarms_per_day": 1e-4,  # one in 27 years: rarer ones could not be told from none on the simulated streams
    "history_days": 7,
    "refit_days": 1,
    "half_life_days": 0.1,
    "lateness_hours": 0,
    "jump_hours": 1,
    "cooldown_hours": 0,
    "pending_share": 0.01,
    "resolve_hours": 1,
    "resolve_ratio": 0.1,
    "group_hours": 0,
    "evidence": 0,
    "silent_feeds_per_day": 0,
}
