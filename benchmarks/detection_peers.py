"""`river`'s Page-Hinkley and ADWIN on sequences of one topic each, for `benchmarks.detection`; runs in the bench environment."""

from __future__ import annotations

import itertools
import sys

from benchmarks.workers import serve

GRIDS = {
    "page_hinkley": {
        "min_instances": [30],
        "delta": [0.0, 0.005, 0.05, 0.2, 0.5, 1.0],
        "threshold": [0.5, 1, 2, 3, 5, 7, 10, 20, 50, 100],
        "alpha": [0.999, 0.9999, 1.0],
    },
    "adwin": {
        "delta": [0.99, 0.9, 0.7, 0.5, 0.3, 0.1, 0.01, 0.002, 1e-4, 1e-6],
        "clock": [1],
        "min_window_length": [2, 5],
        "grace_period": [10],
    },
}


def _answer(
    grid: str | None = None, kind: str = "", settings: dict | None = None, pause: float = 0.0, sequences: list | None = None
) -> list:
    """The settings of a grid; or the times of alarms of each sequence (times, values), with no two of one within `pause` seconds."""
    if grid is not None:
        names = GRIDS[grid]
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*names.values())]
    return [_alarms(kind, settings, pause, *each) for each in sequences]


def _alarms(kind: str, settings: dict, pause: float, times: list[float], values: list[float]) -> list[float]:
    from river import drift

    detector = drift.PageHinkley(mode="up", **settings) if kind == "page_hinkley" else drift.ADWIN(**settings)
    alarms: list[float] = []
    for time, value in zip(times, values, strict=True):
        before = detector.estimation if kind == "adwin" else 0.0
        detector.update(value)
        rose = detector.drift_detected and (kind == "page_hinkley" or detector.estimation > before)
        if rose and (not alarms or time - alarms[-1] >= pause):
            alarms.append(time)
    return alarms


if __name__ == "__main__":
    serve(_answer)
    sys.exit(0)
