"""How high the threshold has to be, topic by topic, for a stated number of false alarms per day.

Streams in which nothing is the matter are simulated, alarms are counted as `alarm.py` raises them, and the threshold is bisected. Every
threshold is tried on the same streams, so that a higher one has no more alarms but for the odd one, and what is left of chance is the same
for all: its standard error is stated.

What the baseline is wrong by comes on top of it. In a simulation, with baselines fitted to histories of 12 topics of 3 to 40 items a day,
four topics of five had 0.6 to 1.6 times the asked rate after 8 weeks of history, and 0.55 to 2.6 times after 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from apps.finance_sentiment.detection.alarm import advance
from apps.finance_sentiment.detection.detector import Detector, detector_from_dict
from apps.finance_sentiment.detection.sampling import gamma_poisson
from apps.finance_sentiment.detection.week import buckets_of_a_day
from tfarch.errors import InputError

WARM_UP_DAYS = 14  # of each stream, in which alarms restart the detector and are not counted
COUNTED_DAYS = 84  # of each stream, at least: long beside the warm-up
_FEWEST_STREAMS = 64  # below which the standard error over streams is itself a guess
_MOST_BUCKETS = 30_000_000  # of a topic; and of topics that are simulated at once there are about
_AT_ONCE = 12_000_000
_COARSE, _FINE = 0.02, 0.001  # how exactly a threshold is found on a part of the streams and on all of them, relative to it
_NEAR = 0.995  # of the asked rate, where looking further would be finer than chance


@dataclass(frozen=True)
class Calibration:
    """Thresholds, and what they rest on.

    detector: that they are for.
    threshold: `[topics]`; an alarm is a statistic above it.
    false_alarms_per_day: that were asked for, of one topic.
    alarms_per_day: `[topics]` that there were on the simulated streams: as asked, or less where a statistic takes few values and the next
        lower threshold would have given more.
    standard_error: `[topics]` of `alarms_per_day`, from how streams differ.
    bucket_seconds, cooldown_buckets: with which they hold.
    """

    detector: Detector
    threshold: np.ndarray
    false_alarms_per_day: float
    alarms_per_day: np.ndarray
    standard_error: np.ndarray
    bucket_seconds: int
    cooldown_buckets: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` gives it back."""
        return {
            "detector": self.detector.as_dict(),
            "threshold": self.threshold.tolist(),
            "false_alarms_per_day": self.false_alarms_per_day,
            "alarms_per_day": self.alarms_per_day.tolist(),
            "standard_error": self.standard_error.tolist(),
            "bucket_seconds": self.bucket_seconds,
            "cooldown_buckets": self.cooldown_buckets,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Calibration:
        arrays = {name: np.asarray(record[name], np.float64) for name in ("threshold", "alarms_per_day", "standard_error")}
        return cls(**{**record, **arrays, "detector": detector_from_dict(record["detector"])})


@dataclass(frozen=True)
class Simulation:
    """How many streams are simulated for a threshold, and for how many buckets their alarms count."""

    a_day: int  # buckets
    counted: int
    streams: int
    asked: str

    @classmethod
    def of(cls, false_alarms_per_day: float, relative_error: float, bucket_seconds: int, *, period: int | None = None) -> Simulation:
        """What `calibrate` needs for these arguments of its; `period` is that of its means in buckets, a week without one."""
        a_day = buckets_of_a_day(bucket_seconds)
        period = period or 7 * a_day
        counted = period * math.ceil(COUNTED_DAYS * a_day / period)  # whole periods, so that no hour of the week counts more often
        days = math.ceil(1.0 / (relative_error**2 * false_alarms_per_day))  # alarms are rare, so their number is near to Poisson
        asked = f"{false_alarms_per_day:g} false alarms per day to {relative_error:.1%}"
        return cls(a_day, counted, max(_FEWEST_STREAMS, math.ceil(days * a_day / counted)), asked)

    def require_affordable(self) -> None:
        """Refuses what would take hours.

        Raises:
            InputError: too many buckets.
        """
        buckets = (WARM_UP_DAYS * self.a_day + self.counted) * self.streams
        if buckets > _MOST_BUCKETS:
            fits = next((each for each in range(1, 1441) if 1440 % each == 0 and buckets / self.a_day * 1440 / each <= _MOST_BUCKETS), None)
            longer = f"buckets of {fits} minutes or more, or " if fits else ""
            raise InputError(
                f"{self.asked} need {buckets / self.a_day:,.0f} simulated days of {self.a_day} buckets", mend=f"{longer}more false alarms"
            )


def calibrate(
    detector: Detector,
    mean: np.ndarray,
    size: np.ndarray,
    false_alarms_per_day: float,
    *,
    bucket_seconds: int,
    cooldown_buckets: int = 0,
    relative_error: float = 0.03,
    day_size: np.ndarray | None = None,
    seed: int = 0,
) -> Calibration:
    """The smallest thresholds with no more false alarms than asked, to a thousandth of the threshold or half a percent of the rate.

    The rate is that of a detector that has been running for weeks. It never exceeds what was asked on the simulated streams; a statistic
    that takes few values can fall short of it by much, since between two of its values all thresholds are the same. Time grows with buckets
    per day, topics, 1 / false_alarms_per_day and 1 / relative_error^2.

    Args:
        mean: expected counts over a week, or any other period, of buckets `[period, topics]`, above 0.
        size: dispersion of the negative binomial `[topics]`; infinite for Poisson.
        false_alarms_per_day: of one topic; those of all topics are as many times as many.
        bucket_seconds: a divisor of a day.
        cooldown_buckets: after an alarm, in which there is no other.
        relative_error: standard error of the rate of alarms in relation to it, from which follows how many days are simulated; what it came
            to is stated, and is somewhat more where alarms clump.
        day_size: how much the buckets of a day rise and fall together, `[topics]`, see `gamma_poisson`; None: not at all.

    Raises:
        InputError: more false alarms asked than there can be, or so few that too many days would have to be simulated.
        ValueError: shapes do not fit, a mean or size is not above 0, or the bucket is no divisor of a day.
    """
    (mean, size), a_day = checked(mean, size), buckets_of_a_day(bucket_seconds)
    most = a_day / (1 + cooldown_buckets)
    if not 0.0 < false_alarms_per_day < most:
        raise InputError(f"{false_alarms_per_day} false alarms per day", mend=f"above 0, and below the {most:g} that there can be")
    if not 0.0 < relative_error < 1.0:
        raise InputError(f"relative error is {relative_error}", mend="above 0 and below 1")
    needed = Simulation.of(false_alarms_per_day, relative_error, bucket_seconds, period=len(mean))
    needed.require_affordable()
    counted, streams = needed.counted, needed.streams
    buckets = WARM_UP_DAYS * a_day + counted
    rng = np.random.default_rng(seed)
    day_size = np.full(size.shape, np.inf) if day_size is None else np.asarray(day_size, np.float64)
    together = max(1, _AT_ONCE // (buckets * streams))
    found = []
    for first in range(0, mean.shape[1], together):
        topics = slice(first, first + together)
        drawn = gamma_poisson(rng, mean[:, topics], size[topics], buckets, streams, day_size=day_size[topics], a_day=a_day)
        trial = _Trial(detector, *drawn, size[topics], counted, a_day, cooldown_buckets)
        found.append(_smallest(trial, false_alarms_per_day))
    threshold, rates, errors = map(np.concatenate, zip(*found, strict=True))
    return Calibration(detector, threshold, float(false_alarms_per_day), rates, errors, bucket_seconds, cooldown_buckets)


def checked(mean: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean `[period, topics]` and size `[topics]` as float64.

    Raises:
        ValueError: shapes do not fit, or a value is not above 0.
    """
    mean, size = np.asarray(mean, np.float64), np.asarray(size, np.float64)
    if mean.ndim != 2 or not mean.size or size.shape != mean.shape[1:]:
        raise ValueError(f"mean {mean.shape} and size {size.shape} have to be [period, topics] and [topics]")
    if not (np.isfinite(mean).all() and (mean > 0.0).all() and (size > 0.0).all()):
        raise ValueError("every mean has to be finite and above 0, and every size above 0")
    return mean, size


@dataclass(frozen=True)
class _Trial:
    """Streams on which thresholds are tried: counts `[buckets, streams, topics]` and their means."""

    detector: Detector
    counts: np.ndarray
    mean: np.ndarray
    size: np.ndarray
    counted: int  # buckets at the end of each stream of which the alarms count
    a_day: int  # buckets
    cooldown_buckets: int

    def sixteenth(self) -> _Trial:
        """A quarter of the streams, for a quarter of the time in which alarms count."""
        counted, streams = -(-self.counted // 4), slice(-(-self.counts.shape[1] // 4))
        buckets = slice(len(self.counts) - self.counted + counted)
        return replace(self, counts=self.counts[buckets, streams], mean=self.mean[buckets, streams], counted=counted)

    def rates(self, threshold: np.ndarray, topics: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Alarms per day and their standard error, `[n]` each, of the `n` topics that bool `[topics]` names, for thresholds `[topics]`."""
        counts, means = np.compress(topics, self.counts, axis=-1), np.compress(topics, self.mean, axis=-1)
        size, threshold = self.size[topics], threshold[topics]
        shape = counts.shape[1:]
        state, rest, raised = self.detector.start(shape), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for bucket, (count, mean) in enumerate(zip(counts, means, strict=True)):
            state, rest, _, alarm = advance(self.detector, state, rest, count, mean, size, threshold, self.cooldown_buckets)
            if bucket >= len(counts) - self.counted:
                raised += alarm
        per_day = raised * (self.a_day / self.counted)
        return per_day.mean(axis=0), per_day.std(axis=0, ddof=1) / math.sqrt(shape[0])


def _smallest(trial: _Trial, asked: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds, rates and standard errors, `[topics]` each: first about, on a part of the streams, then exactly on all."""
    topics = trial.counts.shape[2]
    about, _, _ = _bisected(trial.sixteenth(), asked, np.zeros(topics), np.ones(topics), _COARSE)
    return _bisected(trial, asked, about * 0.95, about * 1.05, _FINE)


def _bisected(
    trial: _Trial, asked: float, low: np.ndarray, high: np.ndarray, precision: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(threshold, rate, standard error): a rate of at most `asked`, at a threshold that is at most `precision` above the lowest such.

    `low` and `high` are where it is looked for first; the bracket is widened until it holds the threshold. A topic so quiet that any
    statistic above 0 is no more often than asked gets threshold 0.
    """
    low, high, everyone = low.copy(), np.maximum(high, 1e-3), np.ones(len(low), bool)
    rate, error = trial.rates(high, everyone)
    while (over := rate > asked).any():
        low[over], high[over] = high[over], high[over] * 1.5
        rate[over], error[over] = trial.rates(high, over)
    below, below_error = trial.rates(low, everyone)
    while (holds := below <= asked).any():
        high[holds], rate[holds], error[holds] = low[holds], below[holds], below_error[holds]
        below[holds & (low == 0.0)] = np.inf  # there is nothing below: the bracket is closed
        low[holds] = np.where(low[holds] > 1e-3, low[holds] * 0.8, 0.0)
        open_ = below <= asked
        below[open_], below_error[open_] = trial.rates(low, open_)
    halve = False
    while (open_ := (high - low > precision * high) & (rate < _NEAR * asked)).any():
        # The logarithm of the rate is nearly a line, but has steps where the statistic takes few values: every other time it is halved.
        part = 0.5 if halve else np.clip(_part(below, rate, asked * (1.0 + _NEAR) / 2.0), 0.1, 0.9)
        middle, halve = low + part * (high - low), not halve
        tried, tried_error = np.full(len(low), np.nan), np.full(len(low), np.nan)
        tried[open_], tried_error[open_] = trial.rates(middle, open_)
        over, holds = tried > asked, tried <= asked
        low[over], below[over] = middle[over], tried[over]
        high[holds], rate[holds], error[holds] = middle[holds], tried[holds], tried_error[holds]
    return high, rate, error


def _part(below: np.ndarray, above: np.ndarray, wanted: float) -> np.ndarray:
    """How far from one threshold to the next, 0 to 1, the wanted rate lies if the logarithm of the rate is linear between them."""
    below, above = np.clip(below, 1e-12, 1e12), np.maximum(above, 1e-12)
    fall = np.log(below / above)
    return np.where(fall > 0.0, np.log(below / wanted) / np.where(fall > 0.0, fall, 1.0), 0.5)
