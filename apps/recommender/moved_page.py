"""report.html of `fit-more`: what the newer events brought, and whether they help to foretell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.recommender.page import VIEW_TITLES, proof_table, table
from tfarch.evaluation.html import render_page, tile
from tfarch.evaluation.markup import Child, Markup, fact_list, quoted, tag

Report = Mapping[str, Any]


def moved_page(report: Report) -> str:
    """The page of a report of `fit-more`."""
    title = f"{report['goes_on_from']}, gone on"
    lead = f"{report['events']:,} newer events, {report['users']:,} new users, {report['items']:,} new items."
    head = [tag("p", "recommender", class_="context"), tag("h1", title), tag("p", lead, class_="lead"), _tiles(report["moved"])]
    sections = [
        ("forecast", "Whether it helps", _forecast(report["forecast"])),
        ("vectors", "Items that moved", _vectors(report["moved"])),
        ("rising", "Items that rise", _rising(report["moved"])),
        ("files", "Files", proof_table(report)),
        ("run", "Run", fact_list([("goes on from", report["goes_on_from"]), ("command", tag("code", report["command"]))])),
    ]
    return render_page(f"{title} – tfarch recommender", head, sections, "report.json, which lies beside this file and holds every figure")


def _tiles(moved: Report) -> Markup:
    tiles = []
    if moved["lists"]["users"]:
        tiles.append(
            tile(
                "lists, the same items", f"{100 * moved['lists']['same']:.0f}", "%", f"of the first ten, {moved['lists']['users']:,} users"
            )
        )
    if "vectors" in moved:
        tiles.append(tile("items' vectors", f"{moved['vectors']['mean_cosine']:.3f}", "", "cosine with before, mean of known items"))
    return tag("div", tiles, class_="tiles")


def _forecast(forecast: Report | None) -> Child:
    if forecast is None:
        return tag("p", "Nobody has enough newer events for telling whether they help.", class_="note")
    rows: list[list[Child]] = []
    for view, (mean, low, high) in forecast["difference"].items():
        before, after = (forecast[name][view] for name in ("as_it_was", "gone_on"))
        rows.append(
            [
                VIEW_TITLES[view],
                f"{after['queries']:,}",
                f"{before['ndcg_at_10']:.4f}",
                f"{after['ndcg_at_10']:.4f}",
                f"{mean:+.4f} ({low:+.4f} to {high:+.4f})",
            ]
        )
    note = (
        "Users are asked for what they did in the second half of the newer events: of the run as it was, and of one that went on with their first half. "
        "NDCG@10; new items and users: of whom the run and that half had nothing."
    )
    return [tag("p", note, class_="note"), table(["", "queries", "as it was", "gone on", "difference, 95 %"], rows)]


def _vectors(moved: Report) -> Child:
    if "vectors" not in moved:
        return None
    rows: list[list[Child]] = [[quoted(title), f"{cosine:.3f}"] for title, cosine in moved["vectors"]["farthest"]]
    return table(["farthest from where it was", "cosine with before"], rows)


def _rising(moved: Report) -> Child:
    if not moved["rising"]:
        return None
    rows: list[list[Child]] = [[quoted(title), f"{count:+,}"] for title, count in moved["rising"]]
    return [tag("p", "By how many events of the last 30 days.", class_="note"), table(["item", "more than before"], rows)]
