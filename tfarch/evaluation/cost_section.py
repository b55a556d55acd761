"""The sections of report.html on what the file that ships costs against the float32 file, and on the bounds that it must keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfarch.evaluation.cost import FEWEST
from tfarch.evaluation.figures import asked_and_found
from tfarch.evaluation.markup import Child, Markup, fact_list, named, quoted, scrolled, tag

Report = Mapping[str, Any]
CLASSES = 10  # that are shown, of those that lose


def cost(report: Report) -> Child:
    """Flips with texts, slices, the classes that lose most, and typos."""
    found = report.get("cost")
    if not found:
        return None
    flips, rows = found["flips"], found["rows"]
    facts = [
        ("answers that differ", f"{flips['count']:,} of {rows:,}"),
        ("right answers lost", f"{flips['lost']:,}"),
        ("right answers gained", f"{flips['gained']:,}"),
        *_typo_facts(found.get("typos")),
    ]
    losing = [each for each in found["classes"] if each["rows"] >= FEWEST and each["accuracy"] < each["reference_accuracy"]]
    losing.sort(key=lambda each: each["accuracy"] - each["reference_accuracy"])
    parts: list[Child] = [fact_list(facts), _parts("texts", "accuracy, %", found["slices"])]
    if losing:
        parts += [tag("h3", "Classes that lose most"), _parts("class", "recall, %", losing[:CLASSES])]
    if flips["examples"]:
        lines = [
            tag("tr", tag("td", quoted(each["text"])), tag("td", named(each["label"])), tag("td", named(each["predicted"])))
            for each in flips["examples"]
        ]
        heads = [tag("th", head, scope="col") for head in ("text", "label, as float32 said", "said now")]
        parts += [tag("h3", "Right answers lost"), scrolled(tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines)))]
    if len(found.get("variants") or []) > 1:
        parts += [tag("h3", "Every file"), _files(found["variants"], found["reference_accuracy"], report.get("chosen"))]
    return [tag("p", f"The file that ships beside {found['against']}, on the test rows in scope.", class_="note"), *parts]


def gate(report: Report) -> Child:
    """The bounds that were asked for."""
    rows = report.get("gate") or []
    if not rows:
        return None
    heads = [tag("th", head, scope="col", class_="number" if place else None) for place, head in enumerate(("bound", "asked", "found", ""))]
    lines = []
    for row in rows:
        verdict = "holds" if row["holds"] else "broken"
        name = row["bound"].replace("_", " ") + (f" of {row['task']}" if row.get("task") else "")
        cells = [tag("td", each, class_="number") for each in asked_and_found(row)]
        lines.append(tag("tr", tag("th", name, scope="row"), cells, tag("td", verdict, class_=f"number verdict {verdict}")))
    note = "Where a bound is broken, the command ended with exit code 1. Losses are against the float32 file of the trained model."
    return [
        tag("p", note, class_="note"),
        scrolled(tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines), class_="figures")),
    ]


def _typo_facts(typos: Report | None) -> list[tuple[str, Child]]:
    if not typos:
        return []
    return [
        ("accuracy with a typo in each text", f"{_percent(typos['typos'])} %, without {_percent(typos['clean'])} ({typos['rows']:,} rows)"),
        ("the same of the float32 file", f"{_percent(typos['reference_typos'])} %, without {_percent(typos['reference_clean'])}"),
    ]


def _files(variants: Sequence[Report], reference: float, chosen: str | None) -> Markup:
    heads = ["", "accuracy, points", "lost", "gained", "class that loses most", "slice that loses most", "with a typo, %"]
    lines = []
    for each in variants:
        cells: list[Child] = [
            f"{100 * (each['accuracy'] - reference):+.2f}",
            f"{each['flips']['lost']:,}",
            f"{each['flips']['gained']:,}",
            *(_losing(each[part]) for part in ("worst_class", "worst_slice")),
            _percent(each["typos"]["typos"]) if "typos" in each else "",
        ]
        name = tag("b", each["name"]) if each["name"] == chosen else each["name"]
        lines.append(tag("tr", tag("th", name, scope="row"), [tag("td", cell, class_="number") for cell in cells]))
    row = tag("tr", [tag("th", head, scope="col", class_="number" if place else None) for place, head in enumerate(heads)])
    return scrolled(tag("table", tag("thead", row), tag("tbody", lines), class_="figures"))


def _losing(part: Report | None) -> Child:
    if part is None or part["accuracy"] >= part["reference_accuracy"]:
        return "none"
    return [named(part["name"]), f" {100 * (part['accuracy'] - part['reference_accuracy']):+.1f}"]


def _parts(what: str, figure: str, parts: Sequence[Report]) -> Markup:
    heads = [what, "rows", figure, "float32's", "difference"]
    lines = []
    for each in parts:
        difference = f"{100 * (each['accuracy'] - each['reference_accuracy']):+.1f}"
        cells = [f"{each['rows']:,}", _percent(each["accuracy"]), _percent(each["reference_accuracy"]), difference]
        lines.append(tag("tr", tag("th", named(each["name"]), scope="row"), [tag("td", cell, class_="number") for cell in cells]))
    row = tag("tr", [tag("th", head, scope="col", class_="number" if place else None) for place, head in enumerate(heads)])
    return scrolled(tag("table", tag("thead", row), tag("tbody", lines), class_="figures"))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
