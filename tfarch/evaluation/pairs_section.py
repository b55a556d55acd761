"""The section of report.html on the pairs of classes that are taken for each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfarch.evaluation.figures import at
from tfarch.evaluation.markup import Child, Markup, named, quoted, tag

Report = Mapping[str, Any]
PAIRS = 10  # that are shown of each list
FEW_TEST_ROWS = 20  # of a class on average: below it the test says little of a pair


def confused(report: Report) -> Child:
    """The pairs of the test rows, by the file that ships; and of all rows, where the test has few of each class."""
    tested, more = report.get("confused_pairs"), at(report, "label_errors", "confused_pairs")
    rows = (at(report, "data", "test") or 0) - (at(report, "data", "out_of_scope_test") or 0)
    parts: list[Child] = [_cards(tested)] if tested else []
    if more and rows < FEW_TEST_ROWS * (at(report, "data", "classes") or 0):
        note = "The test has few rows of each class. These are all rows, by heads and neighbours that had not seen the label, not by the model that ships."
        parts += [tag("h3", "The same among all rows"), tag("p", note, class_="note"), _cards(more)]
    return parts or None


def _cards(pairs: Sequence[Report]) -> Markup:
    """The first pairs: how often each way, texts, and what to do."""
    items = []
    for pair in pairs[:PAIRS]:
        names = [named(pair["labels"][0]), tag("span", " and ", class_="faint"), named(pair["labels"][1])]
        ways = []
        for way in pair["directions"]:
            if way["count"]:
                said = [f"{way['count']:,} of {way['rows']:,} ", named(way["label"]), tag("span", " taken for ", class_="faint")]
                ways.append(tag("p", said, named(way["predicted"]), class_="note"))
                ways.append(tag("ul", [tag("li", quoted(text)) for text in way["examples"]]) if way["examples"] else None)
        head = tag("div", tag("span", names), tag("span", f"{pair['count']:,}×", class_="count"), class_="pair")
        items.append(tag("li", head, ways, tag("p", pair["suggestion"], class_="note")))
    return tag("ol", items, class_="cards")
