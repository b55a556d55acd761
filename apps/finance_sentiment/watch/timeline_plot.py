"""One topic's days as inline SVG: the share of negatives above, their number below, and the spans in which an alert fired behind both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.watch.settings import DAY
from tfarch.data.moments import iso_time
from tfarch.evaluation.markup import Markup, tag

WIDTH, LEFT, RIGHT = 720, 40, 8
_SHARE_TOP, _SHARE_HEIGHT = 8, 64
_COUNT_TOP, _COUNT_HEIGHT = 94, 46
_BASE = _COUNT_TOP + _COUNT_HEIGHT
_HEIGHT = _BASE + 18
_TICKS = 8  # dates below the plot, at most


@dataclass(frozen=True)
class Span:
    """From one event time to another, seconds since 1970."""

    begin: float
    end: float


def topic_plot(begin: float, by_day: np.ndarray, expected: np.ndarray | None, share: float | None, fired: Sequence[Span]) -> Markup:
    """The plot, `WIDTH` wide; each day's figures are shown where the pointer rests.

    Args:
        begin: midnight of the first day, seconds since 1970.
        by_day: items and negatives `[days, 2]`.
        expected: negatives that are usual `[days]`, and their usual `share` of the items; None while that is not known.
        fired: when alerts were firing.
    """
    days = len(by_day)
    step = (WIDTH - LEFT - RIGHT) / days

    def x(time: float) -> float:
        return round(LEFT + (time - begin) / DAY * step, 2)

    most = max(1.0, float(by_day[:, 1].max()), 0.0 if expected is None else float(expected.max()))
    parts: list[Markup] = [
        tag(
            "rect",
            x=x(max(begin, each.begin)),
            y=_SHARE_TOP,
            width=max(2.0, round(x(each.end) - x(max(begin, each.begin)), 2)),
            height=_BASE - _SHARE_TOP,
            style="fill:var(--error-tint);stroke:var(--error);stroke-width:.5",
        )
        for each in fired
        if each.end > begin
    ]
    parts += list(_frame(begin, days, step, most))
    if share is not None:
        y = _share_y(share)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, style="stroke:var(--second);stroke-dasharray:4 3"))
    parts.append(tag("path", d=_path(by_day, step), style="fill:none;stroke:var(--accent);stroke-width:1.5"))
    for day, (items, negatives) in enumerate(by_day.tolist()):
        left = LEFT + day * step
        height = negatives / most * _COUNT_HEIGHT
        parts.append(
            tag(
                "rect",
                x=round(left + step * 0.12, 2),
                y=round(_BASE - height, 2),
                width=round(step * 0.76, 2),
                height=round(height, 2),
                style="fill:var(--column)",
            )
        )
        told = f"{iso_time(begin + day * DAY)[:10]}: {negatives} negative of {items}" + (
            "" if expected is None else f", {expected[day]:.1f} usual"
        )
        area = {"x": round(left, 2), "y": _SHARE_TOP, "width": round(step, 2), "height": _BASE - _SHARE_TOP}
        parts.append(tag("rect", tag("title", told), **area, style="fill:transparent"))
    if expected is not None:
        points = " ".join(
            f"{LEFT + (day + 0.5) * step:.2f},{_BASE - value / most * _COUNT_HEIGHT:.2f}" for day, value in enumerate(expected)
        )
        parts.append(tag("polyline", points=points, style="fill:none;stroke:var(--second);stroke-dasharray:4 3"))
    return tag(
        "svg",
        tag("title", "Share of negatives by day, and their number"),
        *parts,
        viewBox=f"0 0 {WIDTH} {_HEIGHT}",
        class_="plot",
        role="img",
    )


def _share_y(share: float) -> float:
    return round(_SHARE_TOP + (1 - share) * _SHARE_HEIGHT, 2)


def _path(by_day: np.ndarray, step: float) -> str:
    """The share of negatives by day; days without items leave a gap."""
    parts, pen = [], "M"
    for day, (items, negatives) in enumerate(by_day.tolist()):
        if not items:
            pen = "M"
            continue
        parts.append(f"{pen}{LEFT + (day + 0.5) * step:.2f} {_share_y(negatives / items)}")
        pen = "L"
    return " ".join(parts)


def _frame(begin: float, days: int, step: float, most: float) -> Iterator[Markup]:
    for share in (0.0, 0.5, 1.0):
        y = _share_y(share)
        yield tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid")
        yield tag("text", f"{share:.0%}", x=LEFT - 6, y=y + 4, text_anchor="end", class_="tick")
    yield tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=_BASE, y2=_BASE, class_="axis")
    yield tag("text", f"{most:.0f}", x=LEFT - 6, y=_COUNT_TOP + 4, text_anchor="end", class_="tick")
    every = max(1, -(-days // _TICKS))
    for day in range(0, days, every):
        yield tag("text", iso_time(begin + day * DAY)[:10], x=round(LEFT + day * step, 2), y=_BASE + 13, class_="tick")
