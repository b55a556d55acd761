"""Alert changes and what was learned, as plain text for people: at most 100 columns, nothing that a terminal would obey."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from apps.finance_sentiment.watch.engine import SILENT_FEED
from apps.finance_sentiment.watch.settings import WatchSettings
from apps.finance_sentiment.watch.usual import Usual
from tfarch.evaluation.markup import UNPRINTABLE

WIDTH = 100


def plain(text: str) -> str:
    """The text on one line, without control characters."""
    return " ".join(text.split()).translate(UNPRINTABLE)


def alert_text(line: Mapping[str, Any]) -> str:
    """One alert change: what, since when, how much, the group it belongs to, and the headlines behind it."""
    first, *more = _feed_lines(line) if line.get("kind") == SILENT_FEED else _surge_lines(line)
    silenced = [f"    silenced until {line['silenced_until']}"] if "silenced_until" in line else []
    return "\n".join([first, *silenced, *more])


def _feed_lines(line: Mapping[str, Any]) -> list[str]:
    publisher = plain(line["publisher"]) or "a publisher"
    if line["state"] == "resolved":
        return [f"{line['time']}  back      {publisher}, silent since {line['opened']}"]
    told = (
        f"{line['time']}  SILENT    {publisher}: nothing since {line['opened']}, when {line['expected_items']:g} items were to be expected"
    )
    together = ", ".join(plain(each) for each in line.get("publishers", ()))
    return [told, *([f"    {textwrap.shorten(together, WIDTH - 4, placeholder='…')}"] if together else [])]


def _surge_lines(line: Mapping[str, Any]) -> list[str]:
    head = f"{line['time']}  {line['state'].upper() if line['state'] == 'firing' else line['state']:<8}  {line['topic']}"
    told = (
        f"{line['negatives']} negative of {line['items']} items since {line['opened']}, {line['expected_negatives']:g} usual "
        f"({line['negative_share']:.0%} negative, usually {line['baseline']:.0%})"
    )
    lines = [f"{head}: {told}"]
    if line["state"] == "firing":
        if line["group"] not in (None, f"{line['topic']} {line['time']}"):  # not its own, of which it is the first
            lines.append(f"    in one group with {plain(line['group'])}")
        for each in line["evidence"]:
            words = ", ".join(plain(word["word"]) for word in each.get("words", ()))
            shown = textwrap.shorten(plain(each["text"]), WIDTH - 24, placeholder="…")
            lines.append(f"    {each['time'][5:16].replace('T', ' ')}  {each['score']:+.2f}  {shown}")
            lines.append(f"                        {plain(each['publisher'])}" + (f"; because of: {words}" if words else ""))
    return lines


def delay_table(topics: Sequence[str], usual: Usual, settings: WatchSettings) -> str:
    """What was learned: what is usual of each topic, and how soon surges of several sizes are noticed at the false alarms that are accepted."""
    delays = usual.delays(settings)
    baseline, rate = usual.baseline, settings.false_alarms_per_day
    items = baseline.rates.sum(axis=0) / 7 * 3600 / baseline.bucket_seconds
    name = max(5, *(len(topic) for topic in topics))
    factors = "  ".join(f"{f'x {factor:g}':>13}" for factor in delays.factors)
    lines = [
        f"learned what is usual; {settings.detector} at {rate:g} false alarms a day and topic (one in {1 / rate:.0f} days).",
        "Hours until a surge of negative items is noticed: median (share within a day)",
        f"{'topic':<{name}}  items/day  negative  {factors}",
    ]
    for number, topic in enumerate(topics):
        cells = "  ".join(
            f"{_hours(median):>6} ({share:>4.0%})"
            for median, share in zip(delays.median_hours[number], delays.within_a_day[number], strict=True)
        )
        lines.append(f"{topic:<{name}}  {items[number]:9.1f}  {baseline.share[number]:8.0%}  {cells}")
    return "\n".join(lines)


def _hours(hours: float) -> str:
    return f"{hours:.0f} h" if math.isfinite(hours) else "never"
