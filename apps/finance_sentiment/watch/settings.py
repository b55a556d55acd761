"""How a stream is watched. Nothing here imports numpy: `watch --help` lists these settings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfarch.errors import InputError
from tfarch.settings import option

if TYPE_CHECKING:
    from apps.finance_sentiment.detection import Detector

HOUR, DAY = 3600, 86_400
_MOST = 1e9  # of any setting
# Of the rate of false alarms on the simulated streams; rare ones get as many days as take some ten seconds for a dozen topics, and a larger error, which the
# calibration states.
_RELATIVE_ERROR, _MOST_DAYS = 0.07, 40_000


@dataclass(frozen=True)
class WatchSettings:
    """Settings of a watch; durations in the unit that their name says, all of them event time.

    Raises:
        InputError: a value that makes no sense.
    """

    # Rarer false alarms than one in 27 years could not be told from none on the simulated streams.
    false_alarms_per_day: float = option(0.05, "that are accepted of one topic: 0.05 is one in twenty days", least=1e-4)
    detector: str = option("negative_binomial_cusum", "which detector's statistic raises alarms")
    bucket_minutes: int = option(60, "what is counted together; a divisor of a day", least=1)
    history_days: int = option(21, "of the stream from which the usual is learned before anything is said", least=7)
    refit_days: int = option(7, "after which the usual is learned anew, from what was recorded", least=1)
    keep_days: int = option(56, "of counts that are kept for that", least=7)
    half_life_days: float = option(0.0, "in which the usual level of a topic forgets half; 0: as fits the history best", least=0)
    lateness_hours: float = option(6.0, "an item that is later than this counts for the history alone", least=0)
    jump_hours: float = option(72.0, "an item further ahead of all others than this is set aside until others confirm the time", least=1)
    cooldown_hours: float = option(6.0, "after an alarm, in which the detector of this topic rests", least=0)
    pending_share: float = option(0.7, "of the threshold, from which on an alert is pending", least=0.01)
    resolve_odds: float = option(20.0, "to one, that the negatives are back to the usual, to resolve an alert", least=1)
    quiet_hours: float = option(24.0, "without an alarm, after which an alert is resolved though the odds are not yet so", least=0)
    longest_days: float = option(14.0, "after which an alert is over whatever comes in: that has become the usual, and is learned", least=1)
    group_hours: float = option(3.0, "alerts that fire within this time of another are of its group", least=0)
    evidence: int = option(5, "headlines that an alert carries", least=0)
    silent_feeds_per_day: float = option(0.05, "false alarms about feeds that fell silent, of one feed; 0: none is watched", least=0)

    def __post_init__(self):
        from apps.finance_sentiment.detection import Simulation, make_detector

        for field in dataclasses.fields(self):
            value, least = getattr(self, field.name), field.metadata["least"]
            if least is not None and not least <= value <= _MOST:
                raise InputError(f"{field.name} is {value}", mend=f"at least {least:g}" if not value > _MOST else f"at most {_MOST:g}")
        if 1440 % self.bucket_minutes:
            raise InputError(f"bucket_minutes is {self.bucket_minutes}", mend="a divisor of the 1,440 minutes of a day")
        if self.keep_days < self.history_days:
            raise InputError(f"keep_days is {self.keep_days}, history_days {self.history_days}", mend="keep at least the history")
        most = 1440 / self.bucket_minutes / (1 + self.cooldown_buckets)
        if self.false_alarms_per_day >= most:
            mend = f"below the {most:g} that there can be with this cooldown"
            raise InputError(f"false_alarms_per_day is {self.false_alarms_per_day}", mend=mend)
        Simulation.of(self.false_alarms_per_day, self.relative_error, self.bucket_seconds).require_affordable()
        make_detector(self.detector)

    @property
    def bucket_seconds(self) -> int:
        return self.bucket_minutes * 60

    @property
    def relative_error(self) -> float:
        """Of the rate of false alarms on the simulated streams that thresholds come from."""
        return max(_RELATIVE_ERROR, (self.false_alarms_per_day * _MOST_DAYS) ** -0.5)

    @property
    def cooldown_buckets(self) -> int:
        return self.buckets(self.cooldown_hours)

    def buckets(self, hours: float) -> int:
        """How many buckets that many hours reach into."""
        return math.ceil(hours * HOUR / self.bucket_seconds)

    def make(self) -> Detector:
        """The detector, with its own settings at their defaults."""
        from apps.finance_sentiment.detection import make_detector

        return make_detector(self.detector)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def fields(cls) -> Iterator[tuple[str, Any, str]]:
        """Each setting's name, default and help."""
        for field in dataclasses.fields(cls):
            yield field.name, field.default, field.metadata["help"]
