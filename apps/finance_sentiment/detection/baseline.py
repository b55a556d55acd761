"""What is usual: how many items, and how many negative ones, a topic has in a bucket of that hour of the week.

It is fitted to a history, from which surges are left out, and follows slow drifts in it and afterwards. Times are event time in UTC; a market's
daylight saving shifts the hours by one for half a year, which the drift does not follow: fit anew when it matters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from apps.finance_sentiment.detection.dispersion import LARGEST_SIZE, dispersion_of_days, dispersion_size, ordinary_days
from apps.finance_sentiment.detection.drift import Days, fitting_half_life, followed, smooth_start, unsure
from apps.finance_sentiment.detection.shrinkage import weekly_rates
from apps.finance_sentiment.detection.week import DAY, HOURS, buckets_of_a_day, hour_of_week
from tfarch.errors import InputError

LEAST_DAYS, WHOLE_WEEK = 3, 7
_SHARE_EVIDENCE = 20.0  # items: how strongly a topic's share of negatives is drawn to that of all
_ARRAYS = ("rates", "share", "size", "day_size", "evidence", "left_out")


@dataclass(frozen=True)
class Baseline:
    """Expected counts by topic and hour of the week.

    The share of negatives is taken to be the same at all hours, and the hours to differ in volume alone: an hour has three times as many
    items as negative ones, and its volume is known so much better.

    bucket_seconds: a divisor of a day.
    rates: items expected in a bucket that begins in that hour of the week, `[168, topics]`.
    share: of them that are negative, 0 to 1, `[topics]`.
    size: dispersion of a bucket's negatives `[topics]`, their variance being mean + mean^2 / size.
    day_size: how much the buckets of a day rise and fall together `[topics]`, see `dispersion_of_days`; `LARGEST_SIZE` or more: not at all.
    evidence: items that level and share rest on, `[topics]`.
    left_out: days of the history that were no example of the usual, `[topics]`.
    half_life_days: of observation, after which an item counts half; infinite where the baseline forgets nothing.
    """

    bucket_seconds: int
    rates: np.ndarray
    share: np.ndarray
    size: np.ndarray
    day_size: np.ndarray
    evidence: np.ndarray
    left_out: np.ndarray
    half_life_days: float = math.inf

    @classmethod
    def fit(
        cls,
        counts: np.ndarray,
        negatives: np.ndarray,
        start_time: float,
        bucket_seconds: int = 3600,
        *,
        half_life_days: float | None = math.inf,
        incomplete: bool = False,
    ) -> Baseline:
        """The baseline at the end of a history.

        Rates by hour of the week are shrunk as `shrinkage.py` says, shares towards that of all topics as if 20 items of the common share
        had been seen, sizes as `dispersion_size` says. Days that are extreme in volume or in negatives, for a topic, are left out of all
        that is said of the topic (`ordinary_days`). Where the level drifts it is followed (`drift.py`), and what is said of scatter is said of
        counts about the level that was to be expected of their day: a slow rise is none.

        Args:
            counts, negatives: items and negative items by bucket and topic, `[buckets, topics]`; NaN where nothing was recorded.
            start_time: seconds since 1970 at which the first bucket begins, a multiple of `bucket_seconds`.
            half_life_days: of observation, in which the baseline forgets half of what it knows of level and share; infinite: nothing, they are the
                history's mean; None: as fits the history best. Profile and dispersion are the whole history's.
            incomplete: whether less than a whole week will do; the days of the week that are missing are taken to be like the others.

        Raises:
            InputError: less than a week was recorded, or than three days if it may be incomplete or of one of the topics; the half-life is not
                above 0.
            ValueError: shapes, times or counts that cannot be.
        """
        counts, negatives = np.asarray(counts, np.float64), np.asarray(negatives, np.float64)
        if counts.ndim != 2 or not counts.size or counts.shape != negatives.shape:
            raise ValueError(f"counts {counts.shape} and negatives {negatives.shape} have to be of one shape, [buckets, topics]")
        if half_life_days is not None and not half_life_days > 0.0:
            raise InputError(f"half-life is {half_life_days} days", mend="above 0")
        a_day = buckets_of_a_day(bucket_seconds)
        if start_time % bucket_seconds:
            raise ValueError(f"a history that begins at {start_time}, no multiple of its buckets of {bucket_seconds} s")
        recorded = np.isfinite(counts) & np.isfinite(negatives)
        counts, negatives = np.where(recorded, counts, 0.0), np.where(recorded, negatives, 0.0)
        if (negatives < 0.0).any() or (negatives > counts).any():
            raise ValueError("negatives have to be between 0 and the counts")
        days, least = recorded.any(axis=1).sum() / a_day, LEAST_DAYS if incomplete else WHOLE_WEEK
        if days < least:
            mend = f"{LEAST_DAYS} days are the least" if incomplete else f"a whole week, or {LEAST_DAYS} days as an incomplete history"
            raise InputError(f"a history of {days:.1f} days tells too little of what is usual", mend=mend)
        if (of_topics := recorded.sum(axis=0) / a_day).min() < LEAST_DAYS:
            raise InputError(f"{of_topics.min():.1f} days were recorded of topic {of_topics.argmin()}", mend=f"{LEAST_DAYS} are the least")

        times = start_time + np.arange(len(counts)) * float(bucket_seconds)
        hours, day = hour_of_week(times), (times // DAY - start_time // DAY).astype(np.int64)
        ordinary, seen, clumping, half_life = np.ones((day[-1] + 1, counts.shape[1]), bool), recorded, 1.0, math.inf
        level = np.ones(ordinary.shape)
        for fit in range(4):  # each time without the days that stood out from the last
            exposures = _by(hours, HOURS, seen * level[day])
            rates, weight = weekly_rates(_by(hours, HOURS, np.where(seen, counts, 0.0)), exposures, clumping)
            items, bad = (np.where(seen, each, 0.0).sum(axis=0) for each in (counts, negatives))
            common = (bad.sum() + 0.5) / (items.sum() + 1.0)
            share = (bad + _SHARE_EVIDENCE * common) / (items + _SHARE_EVIDENCE)
            days = Days(
                *(_by(day, len(ordinary), each * seen) for each in (counts, negatives, rates[hours], np.full(counts.shape, 1.0 / a_day)))
            )
            if fit == 1:  # the first knew no extreme day, and what was chosen stays: rates and level are of one half-life
                half_life = fitting_half_life(days, share, clumping) if half_life_days is None else half_life_days
            level, shares = np.ones(ordinary.shape), np.broadcast_to(share, ordinary.shape)
            if math.isfinite(half_life):
                level, shares, _ = followed(days, half_life, smooth_start(days, half_life, share))
                level *= days.expected.sum(axis=0) / np.maximum((days.expected * level).sum(axis=0), 1e-9)  # of mean 1
            expected = np.where(recorded, rates[hours] * level[day], 0.0)
            clumping = max(1.0, float(np.where(seen, (counts - expected) ** 2, 0.0).sum() / np.where(seen, expected, 0.0).sum()))
            even = np.where(recorded, rates[hours], 0.0)
            ordinary = ordinary_days(counts, even, day) & ordinary_days(negatives, even * share, day)
            seen = recorded & ordinary[day]
        # A cell's own counts have a weight in its rate, and a negative is one of them: by so much are residuals of negatives too small.
        leverage = share * (2.0 * weight - weight**2) / np.maximum(exposures, 1.0)
        size = dispersion_size(negatives, expected * shares[day], seen, np.minimum(leverage, 0.9)[hours])
        day_size = np.minimum(dispersion_of_days(negatives, expected * shares[day], size, seen, day), LARGEST_SIZE)
        left_out, evidence = (~ordinary).sum(axis=0), np.maximum(items, 1.0)
        if math.isfinite(half_life):
            _, _, known = followed(days, half_life, unsure(days, share))
            rates, share, evidence = rates * known.level, known.share, np.maximum(known.items, 1.0)
        return cls(bucket_seconds, rates, share, size, day_size, evidence, left_out, half_life)

    def volume(self, times: np.ndarray) -> np.ndarray:
        """Expected items `[n, topics]` of the buckets that hold the times `[n]`, in seconds since 1970."""
        begins = np.floor_divide(np.asarray(times, np.float64), self.bucket_seconds) * self.bucket_seconds
        return self.rates[hour_of_week(begins)]

    def mean(self, times: np.ndarray) -> np.ndarray:
        """Expected negative items `[n, topics]` of the buckets that hold the times `[n]`; above 0."""
        return self.volume(times) * self.share

    def week(self) -> np.ndarray:
        """Expected negative items of all buckets of a week from Monday 00:00 UTC, `[buckets, topics]`: what `calibrate` takes."""
        return self.mean(4 * DAY + np.arange(7 * buckets_of_a_day(self.bucket_seconds)) * float(self.bucket_seconds))

    def updated(self, negatives: np.ndarray, counts: np.ndarray, times: np.ndarray, weight: float | np.ndarray = 1.0) -> Baseline:
        """The baseline after further buckets: level and share of each topic moved to what came in, as `drift.py` says. Bucket by bucket or all at once
        gives the same.

        Args:
            negatives, counts: `[n, topics]`, in the order of time.
            times: of the buckets, `[n]`, seconds since 1970.
            weight: of a bucket, 0 to 1, broadcast to `[n, topics]`: 0 for a topic whose alert is open, so that a surge is not learnt as
                usual. It stops its forgetting too.
        """
        counts, negatives, expected = np.asarray(counts, np.float64), np.asarray(negatives, np.float64), self.volume(times)
        weight = np.broadcast_to(np.asarray(weight, np.float64), counts.shape)
        later = np.cumsum(weight[::-1], axis=0)[::-1] - weight  # how much was seen after each bucket
        per_bucket = self.bucket_seconds / DAY / self.half_life_days
        kept, remembered = np.exp2(-per_bucket * weight.sum(axis=0)), weight * np.exp2(-per_bucket * later)
        items, usual, bad = ((remembered * each).sum(axis=0) for each in (counts, expected, negatives))
        known = self.evidence * kept
        return replace(
            self,
            rates=self.rates * ((known + items) / (known + usual)),
            share=self.share + (bad - self.share * items) / (known + items),
            evidence=np.maximum(known + items, 1.0),  # a topic that fell silent stays above nothing
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` gives it back."""
        half_life = self.half_life_days if math.isfinite(self.half_life_days) else None
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        return {"bucket_seconds": self.bucket_seconds, "half_life_days": half_life, **arrays}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Baseline:
        half_life = math.inf if record["half_life_days"] is None else record["half_life_days"]
        arrays = {name: np.asarray(record[name]) for name in _ARRAYS}
        return cls(record["bucket_seconds"], half_life_days=half_life, **arrays)


def _by(groups: np.ndarray, count: int, values: np.ndarray) -> np.ndarray:
    """Sums `[count, topics]` of `values` `[buckets, topics]` by group, int `[buckets]`."""
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, groups, values)
    return sums
