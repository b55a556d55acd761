"""The time of the stream: how far it has come, by what its items say, and not by the clock on the wall. A file is watched as the stream that it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CONFIRM = 3  # items that have to agree on a jump ahead before it is believed


@dataclass
class StreamClock:
    """The latest event time that is believed.

    jump_seconds: an item that is further ahead is not believed at first: one wrong date would close all that is open, and call everything after it late.
        When `CONFIRM` items in a row are ahead, the stream has had a pause.
    """

    jump_seconds: float
    now: float | None = None
    ahead: int = 0

    def advance(self, time: float) -> bool:
        """Takes an item's time; whether the item can be counted at it, and is not one of unbelievable time."""
        if self.now is None or time <= self.now + self.jump_seconds:
            self.now, self.ahead = time if self.now is None else max(self.now, time), 0
            return True
        self.ahead += 1
        if self.ahead < CONFIRM:
            return False
        self.now, self.ahead = time, 0
        return True

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"now": self.now, "ahead": self.ahead}
