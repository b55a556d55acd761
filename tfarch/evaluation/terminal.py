"""The result of a run as a plain-text table of at most 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tfarch.evaluation.figures import ACCURACY, MACRO_F1, Column, variant_columns

WIDTH = 100
GAP = "  "
NAME = 18  # columns that a variant's name gets at least


def variants_table(report: Mapping[str, Any]) -> str:
    """The variants of a report, the chosen one marked with `*`; below them the baselines, their accuracy and macro F1 in the same columns.

    Columns that no row has a figure for are left out; so are those at the right end that 100 columns have no room for.
    """
    variants, baselines = report.get("variants") or [], report.get("baselines") or []
    columns = [column for column in variant_columns([*variants, *baselines]) if column.narrow]
    widths = [max(len(text) for text in [*_heads(each), *(each.text(row) for row in [*variants, *baselines])]) for each in columns]
    while columns and NAME + sum(widths) + len(GAP) * len(columns) > WIDTH:
        columns.pop()
        widths.pop()
    # A baseline has no file: its name runs over the columns to the left of its accuracy.
    first = columns.index(ACCURACY) if ACCURACY in columns else 0
    beneath = sum(widths[:first]) + len(GAP) * first
    wanted = [len("variant"), *(len(each["name"]) for each in variants), *(len(each["name"]) - beneath for each in baselines)]
    names_width = min(2 + max(wanted), WIDTH - sum(widths) - len(GAP) * len(columns))

    heads = [_heads(column) for column in columns]
    lines = [
        _line("", names_width, [title for title, _ in heads], widths),
        _line("  variant", names_width, [unit for _, unit in heads], widths),
    ]
    lines.append("-" * max(map(len, lines)))
    for row in variants:
        mark = "* " if row["name"] == report.get("chosen") else "  "
        lines.append(_line(mark + row["name"], names_width, [column.text(row) for column in columns], widths))
    if baselines:
        lines += ["", "  baseline"]
    for row in baselines:
        figures = [column.text(row) if column in (ACCURACY, MACRO_F1) else "" for column in columns[first:]]
        lines.append(_line("  " + row["name"], names_width + beneath, figures, widths[first:]))
    return "\n".join(line.rstrip() for line in lines)


def _heads(column: Column) -> tuple[str, str]:
    """The title and the unit, one above the other."""
    return column.short or column.title, column.unit


def _line(name: str, name_width: int, figures: Sequence[str], widths: Sequence[int]) -> str:
    """A row: the name flush left, cut in its middle where it is too long; the figures flush right."""
    if len(name) > name_width:
        left = name_width // 2
        name = f"{name[:left]}…{name[len(name) - (name_width - left - 1) :]}"
    return GAP.join([name.ljust(name_width), *(text.rjust(width) for text, width in zip(figures, widths, strict=True))])
