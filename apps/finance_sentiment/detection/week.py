"""The clock of counts: buckets that divide a day, and the hour of the week that they begin in, all UTC."""

from __future__ import annotations

import numpy as np

DAY = 86_400  # seconds
HOURS = 168  # of a week, from Monday 00:00


def buckets_of_a_day(bucket_seconds: int) -> int:
    """How many buckets a day has.

    Raises:
        ValueError: they do not divide a day.
    """
    if bucket_seconds < 1 or DAY % bucket_seconds:
        raise ValueError(f"buckets of {bucket_seconds} s do not divide a day")
    return DAY // bucket_seconds


def hour_of_week(times: np.ndarray) -> np.ndarray:
    """0 for Monday 00:00 to 01:00 up to 167, int of the shape of `times`, in seconds since 1970 (which began on a Thursday)."""
    return (np.floor_divide(np.asarray(times, np.float64), 3600).astype(np.int64) + 72) % HOURS
