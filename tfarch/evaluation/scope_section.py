"""The section of report.html on what is out of scope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfarch.evaluation.figures import ABSENT, METHOD_NAMES, at, chosen_variant, number_text, share_text
from tfarch.evaluation.markup import Child, fact_list, figure, scrolled, tag
from tfarch.evaluation.svg import Line, line_chart

Report = Mapping[str, Any]


def out_of_scope(report: Report) -> Child:
    """What is answered "I don't know": the rule, every method beside the chosen one, and the risk of answering more."""
    rule = report.get("out_of_scope") or {}
    metrics = at(chosen_variant(report), "metrics") or {}
    facts = [
        ("score", rule.get("method") and METHOD_NAMES.get(rule["method"], rule["method"])),
        ("out of scope below", number_text(rule.get("threshold"), 3)),
        ("chosen on", rule.get("chosen_on")),
        ("in-scope accuracy, rejected is wrong", share_text(metrics.get("in_scope_accuracy"))),
        ("out-of-scope rows rejected", share_text(metrics.get("oos_recall"))),
        ("AUROC, in scope against out", number_text(metrics.get("oos_auroc"), 3)),
        ("FPR95, out-of-scope rows let in", share_text(metrics.get("fpr95"))),
    ]
    curves = [
        Line(name, [100 * each for each in curve["coverage"]], [100 * each for each in curve["risk"]], kind)
        for key, name, kind in (("score", "by the score", "second"), ("probability", "by the probability", "first"))
        if (curve := at(report, "risk_coverage", key)) and curve["coverage"]
    ]
    plot = None
    if curves:
        drawn = line_chart(curves, title="Risk and coverage", x="answered, % of the test rows", y="wrong among them, %", steps=False)
        plot = figure(drawn, "Where only the surest are answered. A row that is out of scope has no right answer.")
    listed = fact_list(facts)
    if not listed and not plot:
        return None
    return [tag("div", plot, listed, class_="plots"), _methods(rule)]


def _methods(rule: Report) -> Child:
    rows = [row for row in rule.get("methods") or [] if any(value is not None for value in row["metrics"].values())]
    if not rows:
        return None
    heads = ["in scope, right", "out of scope, rejected", "AUROC", "FPR95", "validation: in scope, right", "out of scope, rejected"]
    lines = []
    for row in rows:
        measured, valid = row["metrics"], row["valid"]
        badge = tag("span", "chosen", class_="badge") if row["method"] == rule.get("method") else None
        texts = [
            share_text(measured.get("in_scope_accuracy")),
            share_text(measured.get("oos_recall")),
            number_text(measured.get("oos_auroc"), 3),
            share_text(measured.get("fpr95")),
            share_text(valid.get("in_scope_accuracy")),
            share_text(valid.get("oos_recall")),
        ]
        cells = [tag("td", text or ABSENT, class_="number") for text in texts]
        lines.append(tag("tr", tag("th", METHOD_NAMES.get(row["method"], row["method"]), badge, scope="row"), cells))
    head = tag("tr", tag("th", "score", scope="col"), [tag("th", each, scope="col", class_="number") for each in heads])
    note = "Each score at its own threshold, chosen on validation; the first four columns are test rows, with the file that ships."
    return [scrolled(tag("table", tag("thead", head), tag("tbody", lines), class_="figures pinned")), tag("p", note, class_="note")]
