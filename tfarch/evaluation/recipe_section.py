"""The section of report.html on what a recipe did, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfarch.evaluation import stages
from tfarch.evaluation.figures import at, number_text, seconds_text
from tfarch.evaluation.markup import Child, Markup, named, scrolled, tag

Report = Mapping[str, Any]
_HEADS = ("stage", "what is left", "zeros in kernels", "epochs", "time", "validation accuracy")


def recipes(report: Report) -> Child:
    """A table for each recipe that was applied."""
    return [_recipe(each) for each in report.get("compression") or []] or None


def _recipe(applied: Report) -> list[Child]:
    told, teacher = at(applied, "recipe", "description"), at(applied, "teacher", "source")
    each = zip(applied["stages"], stages.asked_of(applied), strict=True)
    rows = [_row(number, stage, asked, teacher) for number, (stage, asked) in enumerate(each, 1)]
    heads = [tag("th", head, scope="col", class_="number" if place > 1 else None) for place, head in enumerate(_HEADS)]
    table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), class_="figures stages")
    return [tag("h3", named(applied["name"])), tag("p", told, class_="note") if told else None, scrolled(table)]


def _row(number: int, stage: Report, asked: Report, teacher: str | None) -> Markup:
    last = (stage.get("history") or [{}])[-1]
    figures = [
        f"{100 * stage['kernel_sparsity']:.1f} %",
        number_text(stage.get("epochs")),
        seconds_text(stage.get("seconds")),
        f"{100 * last['valid_accuracy']:.2f} %" if last.get("valid_accuracy") is not None else "",
    ]
    taught = stages.taught(stage, asked, teacher)
    return tag(
        "tr",
        tag("th", stages.title(number, stage, asked), taught and tag("small", taught), scope="row"),
        tag("td", stages.left(stage)),
        [tag("td", each, class_="number") for each in figures],
    )
