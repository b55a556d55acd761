"""The figures of a run, for a terminal."""

from __future__ import annotations

from typing import Any

from apps.recommender.page import VIEW_TITLES
from tfarch.evaluation.recommendation import VIEWS


def views_table(report: dict[str, Any]) -> str:
    """NDCG@10 and hit rate of each way by view, in columns."""
    views = [view for view in VIEWS if view in report["variants"][0]["metrics"]]
    heads = ["NDCG@10 / hit rate@10", *(VIEW_TITLES[view] for view in views)]
    rows = [
        [each["name"], *(f"{each['metrics'][view]['ndcg_at_10']:.4f} / {100 * each['metrics'][view]['hit_at_10']:.1f} %" for view in views)]
        for each in report["variants"]
    ]
    rows.append(["queries", *(f"{report['variants'][0]['metrics'][view]['queries']:,}" for view in views)])
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [heads, *rows])


def proof_text(report: dict[str, Any]) -> str:
    """How the files that ship answer, a line each."""
    lines = []
    for name, each in report["proof"]["files"].items():
        timed = f", {each['p50']:.1f} ms a user (p99 {each['p99']:.1f})" if "p50" in each else ""
        lines.append(f"{name}: {100 * each['same']:.1f} % of ten items as they were learned{timed}")
    return "\n".join(lines)


def moved_text(report: dict[str, Any]) -> str:
    """What `fit-more` found, for people."""
    moved, lines = report["moved"], [f"newer: {report['events']:,} events, {report['users']:,} users, {report['items']:,} items"]
    if forecast := report["forecast"]:
        for view, (mean, low, high) in forecast["difference"].items():
            before, after = (forecast[name][view]["ndcg_at_10"] for name in ("as_it_was", "gone_on"))
            lines.append(
                f"{VIEW_TITLES[view]}: NDCG@10 {before:.4f} as it was, {after:.4f} gone on ({mean:+.4f}, {low:+.4f} to {high:+.4f})"
            )
    else:
        lines.append("nobody has enough newer events for telling whether they help")
    if "vectors" in moved:
        far = ", ".join(f"{title} {cosine:.2f}" for title, cosine in moved["vectors"]["farthest"][:3])
        lines.append(f"items' vectors: cosine with before {moved['vectors']['mean_cosine']:.3f} in the mean; farthest: {far}")
    if moved["rising"]:
        lines.append("rising: " + ", ".join(f"{title} +{count}" for title, count in moved["rising"][:3]))
    if moved["lists"]["users"]:
        lines.append(f"lists: {100 * moved['lists']['same']:.0f} % of the first ten items are the same ({moved['lists']['users']:,} users)")
    return "\n".join(lines)
