"""The section of report.html on the rows whose label is likely wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfarch.evaluation.figures import mislabelled, share_text
from tfarch.evaluation.markup import Child, Markup, named, quoted, scrolled, tag

Report = Mapping[str, Any]


def label_errors(report: Report) -> Child:
    """How many there are, what that rests on, and the surest; None where they were not looked for."""
    found = report.get("label_errors")
    if not found:
        return None
    noise, rehearsal = found["noise"], found["rehearsal"]
    low, high = noise["interval"]
    about = [
        mislabelled(found).capitalize(),
        f", of {sum(found['rows'].values()):,} that were looked at; label_errors.csv beside this page lists all. ",
        f"Judged by heads and neighbours that had not seen the label, over vectors of {found['vectors']}. ",
        f"The confident joint puts the share of wrong labels at {share_text(noise['rate'])} ({low * 100:.1f} to {high * 100:.1f} %), ",
        f"hard questions counted as errors; were wrong labels spread over all classes alike, it would be {share_text(noise['scattered'])}. ",
        f"In a rehearsal {rehearsal['found']:,} of {rehearsal['planted']:,} wrong labels that were planted at random would have been on the list.",
    ]
    if found.get("left_out"):
        about.append(f" {found['left_out']:,} rows of classes with too few rows were not judged.")
    return [tag("p", about, class_="note"), _suspects(found.get("top") or [])]


def _suspects(rows: Sequence[Report]) -> Markup | None:
    if not rows:
        return None
    lines = []
    for row in rows:
        cells = [
            tag("td", quoted(row["text"]), data_title="text"),
            tag("td", named(row["label"]), f" {row['label_probability']:.2f}", data_title="labelled"),
            tag("td", named(row["suggested"]), f" {row['suggested_probability']:.2f}", data_title="suggested"),
            tag("td", tag("code", f"{row['file']}:{row['line']}"), data_title="place"),
        ]
        lines.append(tag("tr", cells))
    head = tag("tr", [tag("th", title, scope="col") for title in ("text", "labelled", "suggested", "place")])
    return scrolled(tag("table", tag("thead", head), tag("tbody", lines), class_="stacked"), tall=len(rows) > 10)
