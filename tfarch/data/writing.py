"""A table as CSV that the readers here, and spreadsheets, read back as it was: quotes, commas and line breaks of any kind in a text come through."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The header and the rows, a line each but for line breaks inside of texts; texts stand in quotes, numbers do not.

    >>> print(csv_text(["text", "line"], [['say "hi"', 3]]), end="")
    "text","line"
    "say ""hi\""",3
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)  # by itself it would leave a bare CR without quotes
    writer.writerow(columns)
    writer.writerows(rows)
    return table.getvalue()
