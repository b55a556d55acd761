"""Small plots as inline SVG, coloured by the page's style sheet: points with error bars, lines, and the reliability diagram.

Each is drawn 360 wide (the width of a phone), so its text stays legible there; the page grows it to 1.3 times that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tfarch.evaluation.markup import Markup, tag

WIDTH, HEIGHT = 360, 260
LEFT, RIGHT, TOP, BOTTOM = 50, 12, 14, 44  # margins around the plotting area
CHARACTER = 6.5  # mean width of a character of the labels at 11 px, in a wide font
LINE = 13.0  # their height

Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Point:
    """A labelled point; `low` and `high` are the ends of its error bar."""

    x: float
    y: float
    label: str
    kind: str = ""  # its CSS class: "chosen", "reference" or ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """A named curve; `kind` is its CSS class."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    kind: str


class Axis:
    """Maps a range of values to a range of pixels, linearly or by the logarithm, and knows round ticks."""

    def __init__(self, low: float, high: float, start: float, end: float, *, log: bool = False, aim: int = 5):
        self.low, self.high, self.start, self.end, self.log = low, high, start, end, log
        self.ticks = _log_ticks(low, high) if log else _ticks(low, high, aim)

    def texts(self) -> list[str]:
        """The ticks as written: each in its own precision on a logarithmic axis, else all with the digits that their step needs."""
        if self.log:
            return [f"{tick:,.6g}" for tick in self.ticks]
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        return [f"{tick:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}" for tick in self.ticks]

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        low, high, value = (math.log(each) if self.log else each for each in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def scatter(points: Sequence[Point], *, title: str, x: str, y: str) -> Markup:
    """Points with their labels beside them, none on another where there is room; `x` and `y` name the axes with their units.

    The horizontal axis is logarithmic where the values span more than a factor of 12, and begins at 0 otherwise.
    """
    points = sorted(points, key=lambda point: point.kind == "chosen")  # drawn last, so on top
    xs = [point.x for point in points]
    log = min(xs) > 0 and max(xs) / min(xs) > 12
    horizontal = Axis(min(xs) / 1.6 if log else 0.0, max(xs) * (1.9 if log else 1.22) or 1.0, LEFT, WIDTH - RIGHT, log=log, aim=5)
    ends = [end for point in points for end in (point.y, point.low, point.high) if end is not None]
    room = (max(ends) - min(ends)) * 0.12 or 1.0
    vertical = Axis(min(ends) - room, max(ends) + room, HEIGHT - BOTTOM, TOP)
    marks: list[Markup] = []
    bars: list[Box] = []
    for point in points:
        if point.low is not None and point.high is not None:
            px, low, high = horizontal(point.x), vertical(point.low), vertical(point.high)
            path = f"M{px - 3:.1f} {low:.1f}h6M{px - 3:.1f} {high:.1f}h6M{px:.1f} {low:.1f}V{high:.1f}"
            marks.append(tag("path", d=path, class_=f"bar {point.kind}"))
            bars.append((px - 2, high, px + 2, low))
    dots = [(horizontal(point.x), vertical(point.y)) for point in points]
    for point, (px, py) in zip(points, dots, strict=True):
        about = tag("title", f"{point.label}: {x} {point.x:.4g}, {y} {point.y:.4g}")
        marks.append(
            tag("circle", about, cx=f"{px:.1f}", cy=f"{py:.1f}", r=5.5 if point.kind == "chosen" else 4.5, class_=f"dot {point.kind}")
        )
    marks += _labels(points, dots, bars)
    note = f"{x}, logarithmic" if log else x
    return _plot(title, _frame(horizontal, vertical, note, y), marks)


def line_chart(lines: Sequence[Line], *, title: str, x: str, y: str, mark: float | None = None, steps: bool = True) -> Markup:
    """Curves over a common axis with a legend above; `mark` draws a dashed line at that x. `steps`: the values of x are whole numbers, and each point
    is marked."""
    xs = [each for line in lines for each in line.xs]
    ys = [each for line in lines for each in line.ys]
    room = (max(ys) - min(ys)) * 0.08 or abs(max(ys)) * 0.1 or 1.0
    spread = max(xs) - min(xs)
    horizontal = Axis(min(xs) - (0 if spread else 1), max(xs) + (0 if spread else 1), LEFT + 6, WIDTH - RIGHT - 8)
    if steps:
        horizontal.ticks = [tick for tick in horizontal.ticks if float(tick).is_integer()]
    vertical = Axis(min(ys) - room, max(ys) + room, HEIGHT - BOTTOM, TOP + 16)
    marks: list[Markup] = []
    if mark is not None:
        px = horizontal(mark)
        marks.append(tag("path", d=f"M{px:.1f} {TOP + 16}V{HEIGHT - BOTTOM}", class_="mark"))
    place = float(LEFT + 6)
    for line in lines:
        places = [(horizontal(a), vertical(b)) for a, b in zip(line.xs, line.ys, strict=True)]
        marks.append(tag("path", d="M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places), class_=f"line {line.kind}"))
        if steps:
            marks += [tag("circle", cx=f"{a:.1f}", cy=f"{b:.1f}", r=3, class_=f"knot {line.kind}") for a, b in places]
        marks.append(tag("path", d=f"M{place:.0f} {TOP}h16", class_=f"line {line.kind}"))
        marks.append(tag("text", line.name, x=f"{place + 21:.0f}", y=TOP + 4))
        place += 21 + CHARACTER * len(line.name) + 18
    return _plot(title, _frame(horizontal, vertical, x, y), marks)


def reliability_diagram(
    edges: Sequence[float], accuracy: Sequence[float | None], confidence: Sequence[float | None], counts: Sequence[int]
) -> Markup:
    """Accuracy of each bin (bars) against its mean confidence (ticks on the diagonal of perfect calibration), and the rows below."""
    strip, height = 46, 330
    horizontal = Axis(0, 1, LEFT, WIDTH - RIGHT)
    vertical = Axis(0, 1, height - BOTTOM - strip, TOP)
    marks: list[Markup] = []
    base, floor, most = vertical(0), height - BOTTOM, max(counts)
    for low, high, right, sure, count in zip(edges[:-1], edges[1:], accuracy, confidence, counts, strict=True):
        left, width = horizontal(low) + 1, horizontal(high) - horizontal(low) - 2
        if not count or right is None or sure is None:
            continue
        about = tag("title", f"{low:.2f} to {high:.2f}: {count:,} rows, accuracy {right:.3f}, confidence {sure:.3f}")
        top = vertical(right)
        marks.append(tag("rect", about, x=f"{left:.1f}", y=f"{top:.1f}", width=f"{width:.1f}", height=f"{base - top:.1f}", class_="column"))
        marks.append(tag("path", d=f"M{left:.1f} {vertical(sure):.1f}h{width:.1f}", class_="sure"))
        tall = max(1.0, count / most * (strip - 18))
        marks.append(tag("rect", x=f"{left:.1f}", y=f"{floor - tall:.1f}", width=f"{width:.1f}", height=f"{tall:.1f}", class_="count"))
    diagonal = tag("path", d=f"M{horizontal(0):.1f} {base:.1f}L{horizontal(1):.1f} {vertical(1):.1f}", class_="mark")
    marks.append(tag("text", f"rows (tallest: {most:,})", x=LEFT + 4, y=floor - strip + 24, class_="faint"))
    frame = _frame(horizontal, vertical, "probability of the predicted class", "accuracy", floor=floor)
    return _plot("Reliability diagram", frame, [*marks, diagonal], height)


def _plot(title: str, frame: Sequence[Markup], marks: Sequence[Markup], height: float = HEIGHT) -> Markup:
    return tag("svg", tag("title", title), frame, marks, viewBox=f"0 0 {WIDTH} {height}", role="img", class_="plot")


def _frame(horizontal: Axis, vertical: Axis, x: str, y: str, floor: float | None = None) -> list[Markup]:
    """Grid, tick labels and the names of the axes; `floor` is where the horizontal axis lies if not at the vertical one's start."""
    floor = vertical.start if floor is None else floor
    middle = (vertical.start + vertical.end) / 2
    frame = []
    for tick, text in zip(vertical.ticks, vertical.texts(), strict=True):
        py = vertical(tick)
        frame.append(tag("path", d=f"M{LEFT} {py:.1f}H{WIDTH - RIGHT}", class_="grid"))
        frame.append(tag("text", text, x=LEFT - 6, y=f"{py + 3.5:.1f}", text_anchor="end", class_="tick"))
    for tick, text in zip(horizontal.ticks, horizontal.texts(), strict=True):
        px = horizontal(tick)
        frame.append(tag("path", d=f"M{px:.1f} {floor:.1f}v4", class_="axis"))
        frame.append(tag("text", text, x=f"{px:.1f}", y=f"{floor + 16:.1f}", text_anchor="middle", class_="tick"))
    frame.append(tag("path", d=f"M{LEFT} {floor:.1f}H{WIDTH - RIGHT}", class_="axis"))
    frame.append(tag("text", x, x=f"{(LEFT + WIDTH - RIGHT) / 2:.1f}", y=f"{floor + 34:.1f}", text_anchor="middle"))
    frame.append(tag("text", y, transform=f"translate(11 {middle:.1f}) rotate(-90)", text_anchor="middle"))
    return frame


def _labels(points: Sequence[Point], dots: Sequence[tuple[float, float]], bars: Sequence[Box]) -> list[Markup]:
    """A label for each point, near it, where it covers no other label or point; a thin leader leads to one that is further off.

    A point for which there is no room at all goes without: its tooltip names it.
    """
    taken: list[Box] = [(px - 6, py - 6, px + 6, py + 6) for px, py in dots]
    written = []
    for index in sorted(range(len(points)), key=lambda i: dots[i][1]):
        (px, py), text, kind = dots[index], points[index].label, points[index].kind
        width = CHARACTER * len(text) * (1.1 if kind == "chosen" else 1.0)  # which is bold
        found = _free_place(px, py, width, taken, bars)
        if found is None:
            continue
        (left, top, right, bottom), away = found
        taken.append((left, top, right, bottom))
        if away:
            near = min(max(px, left), right)
            written.append(tag("path", d=f"M{px:.1f} {py:.1f}L{near:.1f} {bottom - 3 if bottom < py else top + 2:.1f}", class_="leader"))
        written.append(tag("text", text, x=f"{left:.1f}", y=f"{top + LINE / 2 + 4:.1f}", class_=f"label {kind}"))
    return written


def _free_place(px: float, py: float, width: float, taken: Sequence[Box], bars: Sequence[Box]) -> tuple[Box, float] | None:
    """The nearest free box for a label of this width and how far off it is; an error bar is crossed
    only where no place as near is free of them."""
    for away in range(0, 99, 14):
        for obstacles in ([*taken, *bars], taken):
            for left, middle in _places(px, py, width, away):
                box = (left, middle - LINE / 2, left + width, middle + LINE / 2)
                inside = box[0] >= LEFT + 2 and box[2] <= WIDTH - 2 and box[1] >= 1 and box[3] <= HEIGHT - BOTTOM - 1
                if inside and not any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in obstacles):
                    return box, away
    return None


def _places(px: float, py: float, width: float, away: float) -> list[tuple[float, float]]:
    """Left ends and middle heights to try, the best first."""
    beside = [(px + 10, py), (px - 10 - width, py)] if not away else []
    rows = (py - 14 - away, py + 14 + away)
    return beside + [(left, row) for row in rows for left in (px - width / 2, px + 10, px - 10 - width)]


def _ticks(low: float, high: float, aim: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten inside the range, about `aim` of them."""
    raw = (high - low) / aim
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    return [index * step for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten inside the range; the powers alone where those are many."""
    powers = [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]
    ticks = [factor * power for power in powers for factor in (1, 2, 5) if low <= factor * power <= high]
    return ticks if len(ticks) <= 7 else [power for power in powers if low <= power <= high]
