"""Messages and progress on standard error: standard output belongs to results."""

from __future__ import annotations

import sys
import time


def say(message: str) -> None:
    """One line on standard error."""
    print(message, file=sys.stderr, flush=True)


class Progress:
    """A line that is rewritten on a terminal, and written every ten seconds where standard error is a file or pipe."""

    def __init__(self, title: str, total: int, *, done: int = 0):
        self.title, self.total, self.first = title, total, done
        self.started = self.shown = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self._open = False

    def update(self, done: int, note: str = "") -> None:
        """`done` of `total` is finished."""
        now = time.monotonic()
        if now - self.shown < (0.2 if self.terminal else 10.0) and done < self.total:
            return
        self.shown = now
        worked = max(1, done - self.first)
        left = (now - self.started) / worked * (self.total - done)
        text = f"{self.title}  {done}/{self.total}  {note}  {duration(left)} left"
        if self.terminal:
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()
            self._open = True
        else:
            say(text)

    def line(self, message: str) -> None:
        """A message that stays, above the progress."""
        self.close()
        say(f"{self.title}  {message}")

    def close(self) -> None:
        """Ends the line."""
        if self._open:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self._open = False


def duration(seconds: float) -> str:
    """`4 s`, `3 min 20 s`, `1 h 5 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
