"""How far a live stream's time has gone on while nothing came: buckets have to end, and feeds that fell silent have to be told, without an item that says so."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 120.0  # without an item, before which nothing follows: a source that connects slowly may have hours of news to bring
LIVE_HOURS = 72.0  # that a stream may be away from the clock on the wall; what is further away is a replay, and its time stands still


class Quiet:
    """Time since the last item, or since the beginning.

    Args:
        wall, steady: clocks, in seconds; the one on the wall may be set while the watch runs.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic):
        self._wall, self._steady = wall, steady
        self._began = wall(), steady()
        self._heard = steady()

    def heard(self) -> None:
        """An item has come."""
        self._heard = self._steady()

    def time(self, now: float | None, lateness_hours: float) -> float | None:
        """The event time up to which nothing more is waited for; None while something may still be on its way, and for a replay.

        Args:
            now: event time of the stream, as its last items say; None before the first.
            lateness_hours: that items may be late.
        """
        steady = self._steady()
        quiet = steady - self._heard
        if now is None or quiet < SECONDS:
            return None
        # A clock that is set ahead is not followed: no further than it ran since the beginning, or the stream since its last item.
        wall = min(self._wall(), max(self._began[0] + steady - self._began[1], now + quiet))
        return wall - lateness_hours * 3600 if abs(wall - now) <= LIVE_HOURS * 3600 else None
