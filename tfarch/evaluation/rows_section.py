"""The section of report.html on what fewer training rows give: the learning curve, and the draws of a few rows of each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfarch.evaluation.markup import Child, fact_list, figure, tag
from tfarch.evaluation.svg import Line, line_chart

Report = Mapping[str, Any]


def fewer_rows(report: Report) -> Child:
    """Test accuracy of the shipped file by training rows; or its mean and deviation over draws."""
    return _curve(report.get("learning_curve")) or _shots(report.get("shots"))


def _curve(points: list[Report] | None) -> Child:
    if not points:
        return None
    rows, accuracies = [each["rows"] for each in points], [100 * each["accuracy"] for each in points]
    chart = line_chart([Line("test", rows, accuracies, "first")], title="Learning curve", x="training rows", y="accuracy, %")
    facts = [(f"{each['rows']:,} rows", _with_interval(each)) for each in points]
    note = "Each point is a run of its own on a share of the training rows, measured on the same test rows. Where it still rises, more rows help."
    return tag("div", figure(chart, note), fact_list(facts), class_="plots")


def _shots(shots: Report | None) -> Child:
    if not shots:
        return None
    accuracy, draws = shots["accuracy"], shots["draws"]
    facts = [
        ("training rows of each class", str(shots["of_each_class"])),
        ("accuracy, mean of the draws", f"{100 * accuracy['mean']:.2f} %"),
        ("standard deviation", f"{100 * accuracy['deviation']:.2f} points"),
        *((f"draw {each['draw']}", _with_interval(each)) for each in draws),
    ]
    note = f"{len(draws)} draws of the training rows, a run for each, measured on the same test rows. The other sections tell of the first."
    return [fact_list(facts), tag("p", note, class_="note")]


def _with_interval(figures: Report) -> str:
    low, high = figures["accuracy_interval"]
    return f"{100 * figures['accuracy']:.2f} % (95 %: {100 * low:.1f} to {100 * high:.1f})"
