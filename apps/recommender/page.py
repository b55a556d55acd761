"""report.html of a recommender: how good it is by view, what counts for it, what a few users get, and what its data and files are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfarch.evaluation.figures import number_text, seconds_text
from tfarch.evaluation.html import render_page, tile
from tfarch.evaluation.markup import Child, Markup, fact_list, named, quoted, scrolled, tag
from tfarch.evaluation.sections import findings_list

Report = Mapping[str, Any]
VIEW_TITLES = {"warm": "known items", "all": "all items", "cold": "new items", "new_users": "new users"}
_PARTS = 3  # of a score, that are told


def page(report: Report) -> str:
    """The page of a report of `run`."""
    title = report["data"]["name"]
    badge = tag("span", "quick run: a look, not a result", class_="badge warning") if report["quick"] else None
    leaks = (
        tag("span", "leaks time: it learned from later events of others", class_="badge warning") if report["split"]["leaks_time"] else None
    )
    head = [
        tag("p", "recommender", class_="context"),
        tag("h1", title, badge, leaks),
        tag("p", _lead(report), class_="lead"),
        _tiles(report),
    ]
    sections = [
        ("figures", "How good it is", _figures(report)),
        ("examples", "What a few users get", _examples(report)),
        ("weights", "What counts", _weights(report)),
        ("lists", "What the lists are like", _lists(report)),
        ("data", "Data", _data(report)),
        ("files", "Files", _files(report)),
    ]
    return render_page(f"{title} – tfarch recommender", head, sections, "report.json, which lies beside this file and holds every figure")


def table(heads: list[str], rows: list[list[Child]]) -> Markup:
    """Rows under their heads, the first cell of each its name."""
    titles = [tag("th", head, scope="col", class_="number" if place else None) for place, head in enumerate(heads)]
    lines = [tag("tr", tag("th", row[0], scope="row"), [tag("td", cell, class_="number") for cell in row[1:]]) for row in rows]
    return scrolled(tag("table", tag("thead", tag("tr", titles)), tag("tbody", lines), class_="figures"))


def _lead(report: Report) -> str:
    ours, popular = (each["metrics"]["all"] for each in report["variants"])
    return (
        f"Of {ours['queries']:,} times that a user was asked for, {100 * ours['hit_at_10']:.0f} % found something among ten recommendations that he wanted next; "
        f"among the ten most popular items it was {100 * popular['hit_at_10']:.0f} %."
    )


def _tiles(report: Report) -> Markup:
    ours = report["variants"][0]["metrics"]
    tiles = [
        tile(
            f"NDCG@10, {VIEW_TITLES[view]}",
            f"{ours[view]['ndcg_at_10']:.3f}",
            "",
            "95 %: {:.3f} to {:.3f}".format(*ours[view]["ndcg_at_10_interval"]),
        )
        for view in ours
        if view != "warm"
    ]
    timed = {name: each for name, each in report["proof"]["files"].items() if "p50" in each}
    name, quickest = min(timed.items(), key=lambda each: each[1]["p50"])
    tiles.append(tile("latency, median", f"{quickest['p50']:.1f}", "ms", f"ten items for a user, {name}"))
    return tag("div", tiles, class_="tiles")


def _figures(report: Report) -> Child:
    views = list(report["variants"][0]["metrics"])
    heads = ["", "queries", "NDCG@10", "95 %", "recall@10", "recall@20", "hit rate@10", "MRR", "MAP@10"]
    tables: list[Child] = []
    for view in views:
        rows: list[list[Child]] = []
        for each in report["variants"]:
            figures = each["metrics"][view]
            low, high = figures["ndcg_at_10_interval"]
            told = [figures[name] for name in ("recall_at_10", "recall_at_20", "hit_at_10", "mrr", "map_at_10")]
            rows.append(
                [
                    each["name"],
                    f"{figures['queries']:,}",
                    f"{figures['ndcg_at_10']:.4f}",
                    f"{low:.3f} to {high:.3f}",
                    *(f"{value:.4f}" for value in told),
                ]
            )
        tables += [tag("h3", VIEW_TITLES[view].capitalize()), table(heads, rows)]
    by_time = "At moments everything before is learned, and users are asked for what they do next: their last events are to be foretold, the others are known. "
    other = (
        f"What is asked for was taken out of the log by the split {report['split']['by']}, and later events of others were learned from. "
    )
    note = (
        (other if report["split"]["leaks_time"] else by_time) + "All items are ranked. "
        "Known items: those that were learned from; new items: those that were not; new users: of whom nothing was learned. Each user's figures are in users.csv."
    )
    return [tag("p", note, class_="note"), tables]


def _examples(report: Report) -> Child:
    blocks = []
    for each in report["examples"]:
        rows = [
            tag(
                "tr",
                tag("td", quoted(item["title"])),
                tag("td", f"{item['score']:.2f}", class_="number"),
                tag("td", _spoke(item["parts"]), class_="faint"),
            )
            for item in each["items"]
        ]
        had = tag("p", "had last: ", "; ".join(each["had"]), class_="note")
        blocks += [tag("h3", "User ", named(each["user"])), had, scrolled(tag("table", tag("tbody", rows), class_="figures"))]
    return blocks


def _spoke(parts: Mapping[str, float]) -> str:
    most = sorted(parts.items(), key=lambda part: -part[1])[:_PARTS]
    return ", ".join(f"{name.replace('_', ' ')} {value:+.2f}" for name, value in most if value > 0)


def _weights(report: Report) -> Child:
    rows: list[list[Child]] = [[name.replace("_", " "), f"{warm:+.2f}", f"{cold:+.2f}"] for name, (warm, cold) in report["weights"].items()]
    note = "What a signal adds to a score when it stands one standard deviation above its mean among the candidates, for items with events and for those without."
    return [tag("p", note, class_="note"), table(["signal", "known items", "new items"], rows)]


def _lists(report: Report) -> Child:
    heads = ["", "coverage, %", "mean popularity", "novelty, bits", "diversity"]
    rows: list[list[Child]] = []
    for each in report["variants"]:
        lists = each["lists"]
        rows.append(
            [
                each["name"],
                f"{100 * lists['coverage']:.1f}",
                f"{lists['mean_popularity']:.1f}",
                f"{lists['novelty']:.2f}",
                f"{lists['diversity']:.3f}",
            ]
        )
    note = "Coverage: the share of all items that stand in somebody's list. Popularity: events of a listed item. Diversity: how unlike two items of a list are."
    return [table(heads, rows), tag("p", note, class_="note")]


def _data(report: Report) -> Child:
    data = report["data"]
    facts = [(name, number_text(data[name])) for name in ("events", "users", "items")]
    return [fact_list([("name", data["name"]), *facts]), findings_list(data["findings"])]


def proof_table(report: Report) -> Child:
    """How the files that ship answer."""
    proven = report["proof"]
    heads = ["recommends", "of ten items the same, %", "p50, ms", "p95, ms", "p99, ms"]
    asked: list[list[Child]] = [
        [
            tag("code", name),
            f"{100 * each['same']:.1f}",
            *(f"{each[share]:.1f}" if share in each else "" for share in ("p50", "p95", "p99")),
        ]
        for name, each in proven["files"].items()
    ]
    note = (
        f"Each file was asked for ten items for {proven['queries']:,} users: the same as what was learned says, in float and by looking at all items. "
        "Milliseconds of a user, the TFLite file at one thread; what has none runs on a server."
    )
    return [table(heads, asked), tag("p", note, class_="note")]


def _files(report: Report) -> Child:
    rows: list[list[Child]] = [[tag("code", name), f"{size / 1e6:.2f}"] for name, size in report["files"].items()]
    facts = [
        ("whole run", seconds_text(report["seconds"])),
        ("seed", str(report["seed"])),
        ("command", tag("code", report["command"])),
    ]
    return [proof_table(report), table(["in the bundle", "MB"], rows), fact_list(facts)]
