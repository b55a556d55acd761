"""How long a surge goes unnoticed: what a threshold costs, beside the false alarms that it saves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.finance_sentiment.detection.alarm import advance
from apps.finance_sentiment.detection.calibration import WARM_UP_DAYS, checked
from apps.finance_sentiment.detection.detector import Detector
from apps.finance_sentiment.detection.sampling import draw_counts
from apps.finance_sentiment.detection.week import buckets_of_a_day
from tfarch.errors import InputError


@dataclass(frozen=True)
class Delays:
    """Delays of surges that multiply the expected count, `[topics, factors]` each.

    factors: by how much.
    median_hours, p90_hours: from the beginning of the surge's first bucket to the end of the bucket that raises the alarm; infinite where
        more than half, or a tenth, of the surges were not noticed within the horizon.
    within_a_day: the share that was noticed in 24 hours, 0 to 1.
    """

    factors: tuple[float, ...]
    median_hours: np.ndarray
    p90_hours: np.ndarray
    within_a_day: np.ndarray

    def as_dict(self) -> dict[str, Any]:
        """For JSON, infinite hours as None; `from_dict` gives it back."""

        def rows(hours: np.ndarray) -> list[list[float | None]]:
            return [[value if math.isfinite(value) else None for value in row] for row in hours.tolist()]

        return {
            "factors": list(self.factors),
            "median_hours": rows(self.median_hours),
            "p90_hours": rows(self.p90_hours),
            "within_a_day": self.within_a_day.tolist(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Delays:
        def array(name: str) -> np.ndarray:
            return np.array([[math.inf if value is None else value for value in row] for row in record[name]], np.float64)

        return cls(tuple(record["factors"]), array("median_hours"), array("p90_hours"), array("within_a_day"))


def expected_delays(
    detector: Detector,
    threshold: np.ndarray,
    mean: np.ndarray,
    size: np.ndarray,
    factors: Sequence[float] = (1.5, 2.0, 4.0),
    *,
    bucket_seconds: int,
    cooldown_buckets: int = 0,
    horizon_days: int = 14,
    streams: int = 1000,
    seed: int = 0,
) -> Delays:
    """Delays of simulated surges, each begun in a random bucket of the period on a stream in which nothing was the matter for weeks.

    From its first bucket on, a surge multiplies the mean, and the size stays; it goes on until it is noticed. An alarm that would have been
    raised without it counts as notice, and a cooldown that it falls into delays it, as it would in use. The standard error of
    `within_a_day` is at most 0.5 / sqrt(streams).

    Args:
        detector, mean, size, bucket_seconds, cooldown_buckets: as for `calibrate`.
        threshold: `[topics]`, as `calibrate` found it.
        factors: above 1 for surges.
        horizon_days: how long a surge is waited for.
        streams: surges simulated for each topic and factor.

    Raises:
        InputError: a factor, the horizon or the number of streams is not above 0.
        ValueError: as `calibrate`.
    """
    (mean, size), a_day = checked(mean, size), buckets_of_a_day(bucket_seconds)
    if len(factors) == 0 or min(factors) <= 0.0 or horizon_days <= 0 or streams < 1:
        given = f"factors {tuple(factors)}, {horizon_days} days and {streams} streams"
        raise InputError(given, mend="one or more factors; all of them above 0")
    rng, topics = np.random.default_rng(seed), mean.shape[1]
    threshold = np.broadcast_to(np.asarray(threshold, np.float64), (topics,))
    onset, state, rest = _in_control(rng, detector, threshold, mean, size, a_day, cooldown_buckets, streams)

    # From here on every surge, (factor, stream, topic), is a stream of its own, and is dropped when it is noticed.
    shape = (len(factors), streams, topics)
    which, steps = np.arange(math.prod(shape)), np.full(math.prod(shape), math.inf)
    factor, stream, topic = np.unravel_index(which, shape)
    state, rest, phase, factor = state[stream, topic], rest[stream, topic], onset[stream], np.asarray(factors, np.float64)[factor]
    for step in range(1, horizon_days * a_day + 1):
        usual = mean[phase, topic]
        count = draw_counts(rng, factor * usual, size[topic], usual.shape)
        state, rest, _, alarm = advance(detector, state, rest, count, usual, size[topic], threshold[topic], cooldown_buckets)
        steps[which[alarm]] = step
        left = ~alarm
        which, state, rest, topic, factor = which[left], state[left], rest[left], topic[left], factor[left]
        phase = (phase[left] + 1) % len(mean)
        if not len(which):
            break
    steps = np.sort(steps.reshape(shape), axis=1)
    hours = steps * (bucket_seconds / 3600)

    def quantile(share: float) -> np.ndarray:
        return hours[:, math.ceil(share * streams) - 1].T  # a delay that there was: between a finite and an infinite one is none

    return Delays(tuple(map(float, factors)), quantile(0.5), quantile(0.9), (steps <= a_day).mean(axis=1).T)


def _in_control(
    rng: np.random.Generator,
    detector: Detector,
    threshold: np.ndarray,
    mean: np.ndarray,
    size: np.ndarray,
    a_day: int,
    cooldown_buckets: int,
    streams: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where in the period each stream's surge begins, int `[streams]`, and state and rest `[streams, topics]` when it does."""
    period, shape = len(mean), (streams, mean.shape[1])
    onset, first = rng.integers(period, size=streams), int(rng.integers(period))
    state, rest = detector.start(shape), np.zeros(shape, np.int64)
    states, rests = state.copy(), rest.copy()
    for bucket in range(WARM_UP_DAYS * a_day + period):
        phase = (first + bucket) % period
        if bucket >= WARM_UP_DAYS * a_day:  # one period, in which each stream reaches its hour once
            begins = onset == phase
            states[begins], rests[begins] = state[begins], rest[begins]
        state, rest, _, _ = advance(
            detector, state, rest, draw_counts(rng, mean[phase], size, shape), mean[phase], size, threshold, cooldown_buckets
        )
    return onset, states, rests
