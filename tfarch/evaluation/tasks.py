"""A report on several tasks seen from each of them: as the report of a model of that task alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Report = Mapping[str, Any]


def views(report: Report) -> dict[str, Report]:
    """The report of each task by its name; of a model of one task the report itself, under ''."""
    return {task: _view(report, task) for task in report["tasks"]} if report.get("tasks") else {"": report}


def counted(rows: Mapping[str, int]) -> str:
    """How many of each task, where there are any: "1,200 of mood and 30 of topic"."""
    return " and ".join(f"{count:,} of {task}" for task, count in rows.items() if count)


def _view(report: Report, task: str) -> Report:
    variants = [{**row, **{part: row[part][task] for part in ("metrics", "paired") if part in row}} for row in report["variants"]]
    shared = {name: value for name, value in report.items() if name != "tasks"}
    return {**shared, "of_task": task, "variants": variants, **report["tasks"][task]}
