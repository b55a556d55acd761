"""The section of report.html on what a person should look at next: labels that are likely wrong, and classes that are taken for each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfarch.evaluation.figures import at, mislabelled, share_text
from tfarch.evaluation.markup import Child, Markup, named, quoted, scrolled, tag

Report = Mapping[str, Any]
PAIRS = 10  # that are shown of each list
FEW_TEST_ROWS = 20  # of a class on average: below it the test says little of a pair, and the pairs among all rows are shown too


def look_at_next(report: Report) -> Child:
    """Label errors, then pairs; None where the report has neither."""
    parts = [*_label_errors(report.get("label_errors")), *_pairs(report)]
    return parts or None


def _label_errors(found: Report | None) -> list[Child]:
    if not found:
        return []
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
    return [tag("h3", "Labels that are likely wrong"), tag("p", about, class_="note"), _suspects(found.get("top") or [])]


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


def _pairs(report: Report) -> list[Child]:
    parts: list[Child] = []
    rows = (at(report, "data", "test") or 0) - (at(report, "data", "out_of_scope_test") or 0)
    tested = report.get("confused_pairs") or []
    if tested:
        parts += [tag("h3", "Classes that are taken for each other, test rows"), _cards(tested, examples=False)]
    more = at(report, "label_errors", "confused_pairs") or []
    if more and rows < FEW_TEST_ROWS * (at(report, "data", "classes") or 0):
        note = "The test has few rows of each class. These are all rows, by the same heads and neighbours as above, not by the model that ships."
        parts += [tag("h3", "The same among all rows"), tag("p", note, class_="note"), _cards(more, examples=True)]
    return parts


def _cards(pairs: Sequence[Report], *, examples: bool) -> Markup:
    items = []
    for pair in pairs[:PAIRS]:
        names = [named(pair["labels"][0]), tag("span", " and ", class_="faint"), named(pair["labels"][1])]
        ways = [
            tag(
                "li",
                f"{way['count']:,} of {way['rows']:,} ",
                named(way["label"]),
                tag("span", " taken for ", class_="faint"),
                named(way["predicted"]),
            )
            for way in pair["directions"]
            if way["count"]
        ]
        texts = [tag("li", quoted(text)) for way in pair["directions"] for text in way["examples"]] if examples else []
        head = tag("div", tag("span", names), tag("span", f"{pair['count']:,}×", class_="count"), class_="pair")
        items.append(tag("li", head, tag("ul", ways, texts), tag("p", pair["suggestion"], class_="note")))
    return tag("ol", items, class_="cards")
