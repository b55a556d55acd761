"""The watch on a terminal, as it is now: topics with a sparkline of their last two days, what is usual, and the alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from apps.finance_sentiment.watch.settings import DAY
from apps.finance_sentiment.watch.shown import alert_text
from tfarch.data.moments import iso_time

if TYPE_CHECKING:
    from apps.finance_sentiment.watch.loop import Watch

_BARS = " ▁▂▃▄▅▆▇█"
_CELLS, _HOURS = 24, 48  # of a sparkline
_LINES = 6  # alert changes below the table


class View:
    """Redraws the terminal after each batch, four times a second at most."""

    def __init__(self, stream: TextIO):
        self._console = Console(file=stream)
        self._live: Live | None = None

    def __call__(self, watch: Watch) -> None:
        """Shows the watch as it is."""
        if self._live is None:
            self._live = Live(console=self._console, refresh_per_second=4, transient=False)
            self._live.start()
        self._live.update(picture(watch))

    def close(self) -> None:
        """Leaves the last picture standing."""
        if self._live is not None:
            self._live.stop()


def picture(watch: Watch) -> Group:
    """The table of topics and the last alert changes."""
    engine = watch.engine
    now = engine.clock.now
    if now is None:
        return Group(Text("waiting for the first item"))
    tally, usual = engine.tally, engine.usual
    end = tally.bucket(now) + 1
    buckets = max(_CELLS, _HOURS * 3600 // tally.bucket_seconds)
    recent = tally.between(end - buckets, end)
    a_day = DAY // tally.bucket_seconds
    table = Table(box=None, padding=(0, 1), title=f"{iso_time(now)}   {engine.counted['received']:,} items", title_justify="left")
    for name, right in (
        ("topic", False),
        (f"negative, {_HOURS} h", False),
        ("24 h", True),
        ("usual", True),
        ("share", True),
        ("usual", True),
        ("alert", False),
    ):
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    expected = None if usual is None else usual.baseline.mean(np.arange(end - a_day, end) * float(tally.bucket_seconds)).sum(axis=0)
    for number, topic in enumerate(engine.topics):
        items, negatives = recent[-a_day:, number].sum(axis=0)
        alert = engine.surges.alerts.get(number) if engine.surges is not None else None
        style = {"firing": "bold red", "pending": "yellow"}.get(alert.state if alert else "", "")
        table.add_row(
            topic,
            sparkline(recent[:, number, 1]),
            str(negatives),
            "" if expected is None else f"{expected[number]:.1f}",
            f"{negatives / items:.0%}" if items else "",
            "" if usual is None else f"{usual.baseline.share[number]:.0%}",
            "" if alert is None else f"{alert.state} since {iso_time(alert.opened)[5:16].replace('T', ' ')}",
            style=style,
        )
    told = [Text(alert_text(line)) for line in list(watch.recent)[-_LINES:]]
    learning = (
        [] if usual is not None else [Text(f"learning what is usual: {engine.settings.history_days} days of the stream", style="dim")]
    )
    return Group(table, *learning, *told)


def sparkline(counts: np.ndarray) -> str:
    """Counts of buckets as `_CELLS` bars, the highest of them full."""
    cells = np.array([part.sum() for part in np.array_split(counts, _CELLS)])
    most = cells.max()
    return "".join(_BARS[0 if not most else int(np.ceil(each / most * (len(_BARS) - 1)))] for each in cells)
