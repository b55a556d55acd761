"""What is usual for every topic, and how high a statistic may rise for the false alarms that are accepted: learned from what was recorded, and anew from
time to time."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.finance_sentiment.detection import Baseline, Calibration, Delays, calibrate, expected_delays
from apps.finance_sentiment.watch.settings import WatchSettings

FACTORS = (1.5, 2.0, 4.0)


@dataclass(frozen=True)
class Usual:
    """The baseline and the thresholds that go with it.

    fitted_at: event time up to which it was learned, seconds since 1970.
    """

    baseline: Baseline
    calibration: Calibration
    fitted_at: float

    @classmethod
    def learned(cls, counts: np.ndarray, start: float, settings: WatchSettings, *, seed: int) -> Usual:
        """From counts `[buckets, topics, 2]` (items, negatives) that begin at `start`; NaN where a topic's alert was open.

        Raises:
            InputError: the history is too short.
        """
        half_life = settings.half_life_days or None
        baseline = Baseline.fit(counts[..., 0], counts[..., 1], start, settings.bucket_seconds, half_life_days=half_life)
        calibration = calibrate(
            settings.make(),
            baseline.week(),
            baseline.size,
            settings.false_alarms_per_day,
            bucket_seconds=settings.bucket_seconds,
            cooldown_buckets=settings.cooldown_buckets,
            relative_error=settings.relative_error,
            day_size=baseline.day_size,
            seed=seed,
        )
        _give_back_memory()
        return cls(baseline, calibration, start + len(counts) * settings.bucket_seconds)

    def delays(self, settings: WatchSettings) -> Delays:
        """How long surges of several sizes go unnoticed."""
        return expected_delays(
            settings.make(),
            self.calibration.threshold,
            self.baseline.week(),
            self.baseline.size,
            FACTORS,
            bucket_seconds=settings.bucket_seconds,
            cooldown_buckets=settings.cooldown_buckets,
            streams=300,
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"baseline": self.baseline.as_dict(), "calibration": self.calibration.as_dict(), "fitted_at": self.fitted_at}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Usual:
        """What `as_dict` gave."""
        return cls(Baseline.from_dict(record["baseline"]), Calibration.from_dict(record["calibration"]), record["fitted_at"])


def _give_back_memory() -> None:
    """What the simulations took goes back to the system where the C library can do that (glibc): it keeps the gaps between small objects otherwise, and a
    watch would grow a little with each time that it learns."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
