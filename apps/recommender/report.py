"""The figures of a run, for a terminal."""

from __future__ import annotations

from typing import Any

from tfarch.evaluation.recommendation import VIEWS

_TOLD = {"warm": "known items", "all": "all items", "cold": "new items", "new_users": "new users"}


def views_table(report: dict[str, Any]) -> str:
    """NDCG@10 and hit rate of each way by view, in columns."""
    views = [view for view in VIEWS if view in report["variants"][0]["metrics"]]
    heads = ["NDCG@10 / hit rate@10", *(_TOLD[view] for view in views)]
    rows = [
        [each["name"], *(f"{each['metrics'][view]['ndcg_at_10']:.4f} / {100 * each['metrics'][view]['hit_at_10']:.1f} %" for view in views)]
        for each in report["variants"]
    ]
    rows.append(["queries", *(f"{report['variants'][0]['metrics'][view]['queries']:,}" for view in views)])
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [heads, *rows])
