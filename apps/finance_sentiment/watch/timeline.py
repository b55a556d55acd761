"""The timeline of a watch: a self-contained page with the mood of every topic day by day, its alerts with their evidence, and the bursts that a look back
finds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from apps.finance_sentiment.detection import bursts
from apps.finance_sentiment.stream.item import parse_time
from apps.finance_sentiment.watch.engine import SILENT_FEED
from apps.finance_sentiment.watch.settings import DAY
from apps.finance_sentiment.watch.store import Store
from apps.finance_sentiment.watch.timeline_plot import Span, topic_plot
from apps.finance_sentiment.watch.usual import Usual
from tfarch.data.moments import iso_time
from tfarch.errors import InputError
from tfarch.evaluation.html import render_page
from tfarch.evaluation.markup import Child, Markup, named, quoted, scrolled, tag
from tfarch.run_folder import RunFolder

_NAMES = 12  # of publishers, or of topics, in a row
_SHARE = 0.5  # of negatives, from which on the default scaling of `bursts` cannot be: see there


def write_timeline(state: Path, file: Path) -> dict[str, Any]:
    """Writes the page from the state of a watch, which may be at work. Returns how much it tells of.

    Raises:
        InputError: there is no such state, or nothing in it yet.
        TfarchError: the page cannot be written.
    """
    if not state.is_file():
        raise InputError("there is no such state", file=state, mend="the verb watch makes it")
    store = Store(state, read_only=True)
    try:
        facts, counts = store.fact("engine"), list(store.buckets())
        lines = _once(store.every_line())
    finally:
        store.close()
    if facts is None or not counts:
        raise InputError("holds no item yet", file=state, mend="let the watch run for a while")
    page = _page(facts, counts, lines)
    RunFolder(file.parent).write(file, page)
    fired = [line for line in lines if line["kind"] != SILENT_FEED and line["state"] == "firing"]
    return {
        "file": str(file),
        "topics": len(facts["topics"]),
        "alerts": len(fired),
        "items": int(sum(each.sum(axis=0)[0] for _, each in counts)),
    }


def _once(lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The alert changes; of one that was silenced, and told when the silence was over, the latter."""
    return list({(line["kind"], line["topic"], line.get("publisher"), line["state"], line["time"]): line for line in lines}.values())


def _page(facts: Mapping[str, Any], counts: Sequence[tuple[int, np.ndarray]], lines: Sequence[Mapping[str, Any]]) -> str:
    topics, seconds = facts["topics"], facts["settings"]["bucket_minutes"] * 60
    usual = None if facts["usual"] is None else Usual.from_dict(facts["usual"])
    first, last = counts[0][0], counts[-1][0]
    table = np.zeros((last + 1 - first, len(topics), 2), np.int64)
    for number, each in counts:
        table[number - first] = each
    spans = _spans(lines, last * float(seconds))
    begin, end = first * float(seconds), (last + 1) * float(seconds)
    surges = [line for line in lines if line["kind"] != SILENT_FEED]
    fired = [line for line in surges if line["state"] == "firing"]
    settings = facts["settings"]
    lead = (
        f"{int(table[..., 0].sum()):,} items from {iso_time(begin)[:10]} to {iso_time(end)[:10]}, {len(topics)} topics; {len(fired)} alerts fired at "
        f"{settings['false_alarms_per_day']:g} false alarms a day and topic ({settings['detector'].replace('_', ' ')})."
    )
    order = sorted(range(len(topics)), key=lambda topic: (-len(spans.get(topics[topic], ())), topics[topic]))
    sections: list[tuple[str, str, Child]] = [
        ("alerts", "Alerts", _alerts(fired)),
        ("topics", "Topics", [_topic(topics[topic], table[:, topic], begin, seconds, usual, topic, spans) for topic in order]),
        ("bursts", "Looking back", _bursts(topics, table, begin, seconds)),
        ("feeds", "Feeds that fell silent", _feeds([line for line in lines if line["kind"] == SILENT_FEED])),
        ("items", "What became of the items", _items(facts["counted"])),
    ]
    head = [tag("p", "finance sentiment · watch", class_="context"), tag("h1", "News and its mood"), tag("p", lead, class_="lead")]
    return render_page("Timeline of a watch – tfarch", head, sections, "the state of a watch")


def _spans(lines: Iterable[Mapping[str, Any]], end: float) -> dict[str, list[Span]]:
    """When alerts fired, by topic; one that is open lasts to the end."""
    spans: dict[str, list[Span]] = {}
    open_: dict[str, float] = {}
    for line in lines:
        if line["kind"] == SILENT_FEED:
            continue
        topic, time = line["topic"], parse_time(line["time"])
        if line["state"] == "firing":
            open_[topic] = time
        elif line["state"] == "resolved" and topic in open_:
            spans.setdefault(topic, []).append(Span(open_.pop(topic), time))
    for topic, begin in open_.items():
        spans.setdefault(topic, []).append(Span(begin, end))
    return spans


def _topic(
    name: str, counts: np.ndarray, begin: float, seconds: int, usual: Usual | None, number: int, spans: Mapping[str, Sequence[Span]]
) -> Markup:
    """A topic's plot by day: `counts` `[buckets, 2]`."""
    days = (begin + np.arange(len(counts)) * float(seconds)) // DAY
    first = int(days[0])
    by_day = np.zeros((int(days[-1]) - first + 1, 2), np.int64)
    np.add.at(by_day, days.astype(np.int64) - first, counts)
    expected = share = None
    if usual is not None:
        times = np.arange(first * DAY, (first + len(by_day)) * DAY, seconds, dtype=np.float64)
        expected = usual.baseline.mean(times)[:, number].reshape(len(by_day), -1).sum(axis=1)
        share = float(usual.baseline.share[number])
    plot = topic_plot(first * float(DAY), by_day, expected, share, spans.get(name, ()))
    return tag("div", tag("h3", named(name)), plot)


def _alerts(fired: Sequence[Mapping[str, Any]]) -> Child:
    if not fired:
        return tag("p", "None fired.", class_="note")
    groups: dict[str, list[str]] = {}
    for line in fired:
        groups.setdefault(line["group"], []).append(line["topic"])
    shown = []
    for line in reversed(fired):
        others = [topic for topic in dict.fromkeys(groups[line["group"]]) if topic != line["topic"]]
        silenced = None
        if line.get("silenced") or "silenced_until" in line:
            until = f" until {line['silenced_until'][:16].replace('T', ' ')}" if "silenced_until" in line else ""
            silenced = tag("span", f"silenced{until}", class_="badge warning")
        told = (
            f"{line['negatives']} negative of {line['items']} items since {line['opened'][:16].replace('T', ' ')}, {line['expected_negatives']:g} usual; "
            f"{line['negative_share']:.0%} negative, usually {line['baseline']:.0%}. "
        )
        grouped = [tag("b", "One group with: "), _names(others), ". "] if others else None
        publishers = [tag("b", "Publishers: "), _names(line["publishers"]), ". "] if line["publishers"] else None
        detector = line["detector"]
        how = f"{detector['name'].replace('_', ' ')}: {detector['statistic']:.2f}, threshold {detector['threshold']:.2f}; model {line['model']}"
        rows = [
            tag(
                "tr",
                tag("td", each["time"][5:16].replace("T", " ")),
                tag("td", _words(each)),
                tag("td", each["publisher"]),
                tag("td", f"{each['score']:+.2f}", class_="number"),
            )
            for each in line["evidence"]
        ]
        counted = f"{line['negatives']} negative of {line['items']}, {line['expected_negatives']:g} usual"
        summary = tag(
            "summary",
            tag("b", named(line["topic"])),
            f" {line['time'][:16].replace('T', ' ')} ",
            tag("span", [counted, [", with ", _names(others)] if others else None], class_="faint"),
            silenced,
        )
        body = scrolled(tag("table", tag("tbody", rows), class_="stacked")) if rows else None
        shown.append(tag("li", tag("details", summary, tag("p", told, grouped, publishers, tag("span", how, class_="faint")), body)))
    return tag("ul", shown, class_="findings")


def _names(names: Sequence[str]) -> list[Child]:
    """At most a dozen names in a row."""
    listed: list[Child] = [part for name in names[:_NAMES] for part in (", ", named(name))][1:]
    return [*listed, f" and {len(names) - _NAMES} more" if len(names) > _NAMES else None]


def _words(each: Mapping[str, Any]) -> list[Child]:
    words = ", ".join(word["word"] for word in each.get("words", ()))
    return [quoted(each["text"]), tag("span", f" because of: {words}", class_="faint") if words else None]


def _bursts(topics: Sequence[str], table: np.ndarray, begin: float, seconds: int) -> Child:
    """What Kleinberg's automaton finds in the days of each topic, strongest first."""
    a_day = DAY // seconds
    whole = len(table) // a_day * a_day
    days = table[:whole].reshape(-1, a_day, len(topics), 2).sum(axis=1)
    found = []
    for number, topic in enumerate(topics):
        items, negatives = days[:, number, 0], days[:, number, 1]
        if not negatives.sum() or negatives.sum() >= _SHARE * items.sum():
            continue
        found += [(each.weight, topic, each) for each in bursts(negatives, items)]
    if not found:
        return None
    rows = []
    for weight, topic, each in sorted(found, key=lambda one: -one[0])[:20]:
        start, end = (iso_time(begin + day * DAY)[:10] for day in (each.start, each.end - 1))
        number = topics.index(topic)
        items, negatives = days[each.start : each.end, number].sum(axis=0)
        rows.append(
            tag(
                "tr",
                tag("th", named(topic), scope="row"),
                tag("td", start if start == end else f"{start} to {end}"),
                tag("td", f"{negatives} of {items}", class_="number"),
                tag("td", f"{weight:.1f}", class_="number"),
            )
        )
    heads = [
        tag("th", each, scope="col", class_="number" if right else None)
        for each, right in (("topic", False), ("days", False), ("negative", True), ("weight", True))
    ]
    note = tag(
        "p",
        "Days on which more of a topic's items were negative than on the others, by the burst automaton of Kleinberg (2003); known only afterwards.",
        class_="note",
    )
    return [note, scrolled(tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), class_="figures"))]


def _feeds(lines: Sequence[Mapping[str, Any]]) -> Child:
    silent = [line for line in lines if line["state"] == "firing"]
    if not silent:
        return None
    back = {(line["publisher"], line["opened"]): line["time"] for line in lines if line["state"] == "resolved"}
    rows = []
    for line in reversed(silent):
        until = back.get((line["publisher"], line["opened"]))
        when = until[:16].replace("T", " ") if until else "still silent"
        rows.append(
            tag(
                "tr",
                tag("th", named(line["publisher"]), _together(line), scope="row"),
                tag("td", line["opened"][:16].replace("T", " ")),
                tag("td", when),
                tag("td", f"{line['expected_items']:g}", class_="number"),
            )
        )
    heads = [
        tag("th", each, scope="col", class_="number" if each == "items missed" else None)
        for each in ("publisher", "last item", "back", "items missed")
    ]
    return scrolled(tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), class_="figures"), tall=len(rows) > 16)


def _together(line: Mapping[str, Any]) -> Child:
    """Those who fell silent at once, where one line tells of all."""
    return tag("span", " ", _names(line["publishers"]), class_="faint") if line.get("publishers") else None


def _items(counted: Mapping[str, int]) -> Child:
    return tag("dl", [tag("div", tag("dt", what), tag("dd", f"{count:,}")) for what, count in counted.items()], class_="facts")
