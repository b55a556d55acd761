"""When a statistic is an alarm, and what comes after one: the one definition that watching a stream and calibrating its threshold share.

An alarm is a statistic above the threshold. The detector then starts anew, and for the buckets of the cooldown it is kept at its start and
raises none. Whoever watches by another rule has other false alarms than were calibrated.
"""

from __future__ import annotations

import numpy as np

from apps.finance_sentiment.detection.detector import Detector


def advance(
    detector: Detector,
    state: np.ndarray,
    rest: np.ndarray,
    count: np.ndarray,
    mean: np.ndarray,
    size: np.ndarray,
    threshold: np.ndarray,
    cooldown_buckets: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One bucket of streams `[...]`: (state `[..., cells]`, rest `[...]`, statistic `[...]`, alarm bool `[...]`).

    Args:
        state: as `detector.start` or the last `advance` gave it.
        rest: buckets of cooldown that are left, int `[...]`; zeros at first.
        count, mean, size: as in `Detector.step`.
        threshold: what the statistic has to exceed; broadcasts to `[...]`.
        cooldown_buckets: in which no alarm follows on one.
    """
    state, statistic = detector.step(state, count, mean, size)
    alarm = anew = statistic > threshold
    if cooldown_buckets:
        resting = rest > 0
        alarm = alarm & ~resting
        rest = np.where(alarm, cooldown_buckets, np.maximum(rest - 1, 0))
        anew = alarm | resting
    state[anew] = detector.start(())
    return state, rest, statistic, alarm


def alarms(
    detector: Detector, counts: np.ndarray, mean: np.ndarray, size: np.ndarray, threshold: np.ndarray, cooldown_buckets: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Statistics and alarms, float64 and bool `[buckets, ...]`, of whole streams from the detector's start.

    Args:
        counts: `[buckets, ...]`.
        mean: `[buckets, ...]`, each bucket of a shape that broadcasts to the streams'.
        size, threshold: broadcast to the streams' shape `[...]`.
    """
    shape = counts.shape[1:]
    state, rest = detector.start(shape), np.zeros(shape, np.int64)
    statistics, raised = np.empty(counts.shape), np.empty(counts.shape, bool)
    for bucket in range(len(counts)):
        state, rest, statistics[bucket], raised[bucket] = advance(
            detector, state, rest, counts[bucket], mean[bucket], size, threshold, cooldown_buckets
        )
    return statistics, raised
