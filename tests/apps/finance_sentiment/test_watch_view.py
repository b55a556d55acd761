"""What a watch looks like on a terminal and in its timeline: the figures are those of the engine, and nothing is cut that should be read."""

import collections
import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from apps.finance_sentiment.stream.item import Item, parse_time
from apps.finance_sentiment.watch.engine import Engine
from apps.finance_sentiment.watch.reading import Judgement
from apps.finance_sentiment.watch.settings import DAY, HOUR, WatchSettings
from apps.finance_sentiment.watch.timeline_plot import Span, topic_plot
from apps.finance_sentiment.watch.view import View, picture, sparkline

BEGIN = parse_time("2026-01-05")
SETTINGS = WatchSettings(history_days=7, false_alarms_per_day=0.1, silent_feeds_per_day=0.0)


@pytest.fixture(scope="module")
def watch():
    """A watch of eight days, with a surge on the last."""
    engine, recent = Engine(("oil", "rates"), "m", SETTINGS), collections.deque(maxlen=50)
    rng = np.random.default_rng(0)
    for hour in range(8 * 24):
        for number in range(2 + 6 * (hour >= 8 * 24 - 6)):
            item = Item(f"{hour}.{number}", BEGIN + hour * HOUR + number, f"Story {hour}.{number} of oil", "Wire")
            recent.extend(event.line for event in engine.admit(item))
            engine.counted["received"] += 1
            engine.count(item, Judgement(0, bool(number >= 2 or rng.random() < 0.2), -0.5))
    return SimpleNamespace(engine=engine, recent=recent)


def shown(watch):
    console = Console(file=io.StringIO(), width=110)
    console.print(picture(watch))
    return console.file.getvalue()


def test_the_picture_has_a_row_for_each_topic_with_its_counts_and_alert(watch):
    text = shown(watch)
    counts = watch.engine.tally.between(
        watch.engine.tally.bucket(watch.engine.clock.now) - 23, watch.engine.tally.bucket(watch.engine.clock.now) + 1
    )
    (oil,) = [line for line in text.splitlines() if line.strip().startswith("oil")]
    assert str(counts[:, 0, 1].sum()) in oil.split()
    assert "firing since" in oil
    assert "█" in oil
    assert any(line.strip().startswith("rates") for line in text.splitlines())
    assert "400 items" in text or f"{watch.engine.counted['received']:,} items" in text


def test_the_last_alert_changes_stand_below(watch):
    assert "FIRING" in shown(watch)
    assert "Story" in shown(watch)


def test_before_the_first_item_it_says_so_and_while_it_learns_too():
    engine = Engine(("oil",), "m", SETTINGS)
    waiting = SimpleNamespace(engine=engine, recent=[])
    assert "waiting for the first item" in shown(waiting)
    engine.admit(Item("1", BEGIN, "x", "Wire"))
    assert "learning what is usual: 7 days" in shown(waiting)


def test_a_view_draws_and_leaves_the_last_picture(watch):
    stream = io.StringIO()
    view = View(stream)
    view(watch)
    view.close()
    assert "oil" in stream.getvalue()
    View(sys.stdout).close()  # one that never drew anything


@pytest.mark.parametrize(
    ("counts", "expected"),
    [(np.zeros(48), " " * 24), (np.repeat([0, 8], 24), " " * 12 + "█" * 12), (np.eye(1, 48, 47, dtype=int)[0], " " * 23 + "█")],
)
def test_a_sparkline_is_as_high_as_its_highest(counts, expected):
    assert sparkline(counts) == expected


def test_the_plot_of_a_topic_draws_each_day_once_and_the_alerts_behind():
    by_day = np.array([[10, 2], [0, 0], [8, 8]])
    plot = topic_plot(BEGIN, by_day, np.array([2.0, 2.0, 2.0]), 0.25, [Span(BEGIN + 2 * DAY, BEGIN + 3 * DAY), Span(0, 1)])
    assert re.findall(r"<title>(2026[^<]*)</title>", plot) == [
        "2026-01-05: 2 negative of 10, 2.0 usual",
        "2026-01-06: 0 negative of 0, 2.0 usual",
        "2026-01-07: 8 negative of 8, 2.0 usual",
    ]
    assert plot.count("var(--error-tint)") == 1  # the other span was before the first day
    path = re.search(r' d="([^"]*)"', plot)[1]
    assert [each[0] for each in re.findall(r"[ML][\d.]+ [\d.]+", path)] == ["M", "M"]  # a day without items leaves a gap
