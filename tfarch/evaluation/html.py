"""report.html: one self-contained file that a person reads, prints or mails. No network, no font or script from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

from tfarch.evaluation.figures import (
    ACCURACY,
    SIZE,
    at,
    chosen_variant,
    comparison,
    headline,
    latency,
    reference_variant,
    scored_rows,
    threads_text,
)
from tfarch.evaluation.markup import Child, Markup, join, tag
from tfarch.evaluation.sections import SECTIONS, Section
from tfarch.evaluation.tasks import views

TEMPLATE = Path(__file__).with_name("report_template.html")


def render_html(report: Mapping[str, Any]) -> str:
    """The page of a report (DESIGN 4.3 and its optional parts); parts that the report lacks are left out."""
    title = report.get("name") or at(report, "data", "name") or report.get("app") or "tfarch"
    tasks = views(report)
    sections = [(name, heading, section.content(view)) for name, heading, section, view in _parts(report)]
    facts = dict.fromkeys(
        (report.get("app"), report.get("task"), (report.get("created") or "")[:10])
    )  # without an app of its own, it is the task
    context = [each for each in facts if each and each != title]
    head = [
        tag("p", " · ".join(str(each).replace("_", " ") for each in context), class_="context") if context else None,
        tag("h1", str(title), tag("span", "quick run: a look, not a result", class_="badge warning") if report.get("quick") else None),
        [tag("p", lead, class_="lead") for view in tasks.values() if (lead := headline(view))],
        _tiles(tasks),
    ]
    return render_page(f"{title} – tfarch report", head, sections, "report.json, which lies beside this file and holds every figure")


def render_page(title: str, head: Child, sections: Iterable[tuple[str, str, Child]], source: str) -> str:
    """A self-contained page in the manner of a report.

    Args:
        title: of the window.
        head: what stands above the sections.
        sections: anchor, heading and content of each; one without content is left out.
        source: what it was made from, for the line at its end.
    """
    contents, links = [], []
    for name, heading, content in sections:
        written = join(content)
        if written:
            contents.append(tag("section", tag("h2", heading), written, id=name))
            links.append(tag("a", heading, href=f"#{name}"))
    page = Template(TEMPLATE.read_text(encoding="utf-8"))
    footer = f"Made by tfarch from {source}. It loads nothing from any network."
    return page.substitute(title=join(title), head=join(head), links=join(links), sections=join(contents), footer=join(footer))


def _parts(report: Mapping[str, Any]) -> Iterator[tuple[str, str, Section, Mapping[str, Any]]]:
    """Anchor, heading, section and the report that it shows: of several tasks, what each has of its own under its name, task by task."""
    tasks = views(report)
    for task, view in tasks.items():
        for section in SECTIONS:
            if not task:
                yield section.name, section.title, section, view
            elif section.of_task:
                yield f"{task}-{section.name}", f"{_spoken(task)}: {section.title.lower()}", section, view
    if len(tasks) > 1:
        yield from ((section.name, section.title, section, report) for section in SECTIONS if not section.of_task)


def _spoken(task: str) -> str:
    return task.replace("_", " ").capitalize()


def _tiles(tasks: Mapping[str, Mapping[str, Any]]) -> Markup | None:
    """The shipped file's figures in large type: the accuracy of each task, and what they share."""
    shipped = {task: variant for task, view in tasks.items() if (variant := chosen_variant(view)) is not None}
    if not shipped:
        return None
    tiles = []
    for task, variant in shipped.items():
        accuracy, interval, rows = ACCURACY.value(variant), at(variant, "metrics", "accuracy_interval"), scored_rows(variant)
        if accuracy is not None:
            band = f"95 %: {interval[0] * 100:.1f} to {interval[1] * 100:.1f}" if interval else None
            name = f"{_spoken(task)}, accuracy" if task else "accuracy"
            tiles.append(tile(name, f"{accuracy:.2f}", "%", band or (f"{rows:,} rows" if rows else None)))
    task, variant = next(iter(shipped.items()))
    if SIZE.value(variant) is not None:
        tiles.append(tile("size", SIZE.text(variant), "MB", variant.get("file")))
    speed = latency(variant)
    if speed:
        tiles.append(tile("latency, median", f"{speed[0]:.2f}", "ms", f"one text, {threads_text(speed[1])}"))
    facts = comparison(variant, reference_variant(tasks[task])) if len(shipped) == 1 else []
    if facts:
        tiles.append(tag("div", tag("span", "against float32", class_="faint"), [tag("b", fact) for fact in facts], class_="tile words"))
    return tag("div", tiles, class_="tiles") if tiles else None


def tile(name: str, figure: str, unit: str, note: str | None) -> Markup:
    """A figure in large type, for the class `tiles`."""
    parts = [
        tag("span", name, class_="faint"),
        tag("strong", figure, tag("small", unit)),
        tag("span", note, class_="faint") if note else None,
    ]
    return tag("div", parts, class_="tile")
