"""The verbs of the recommender."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from apps.recommender.settings import DataSettings, RecommenderSettings
from tfarch.app import Verb
from tfarch.cli.findings import print_findings
from tfarch.errors import InputError
from tfarch.progress import say
from tfarch.quiet import quiet

if TYPE_CHECKING:
    import numpy as np

    from tfarch.data.behaviour import Interactions
    from tfarch.runtime.recommender import Recommendation, Recommender
    from tfarch.runtime.signals import History

DEFAULT_OUT = Path("saved_models/recommender")
PARTS = 4  # of a score, that people are shown

# Columns that an option names, with what they are called by default.
COLUMNS = {name: getattr(DataSettings(), f"{name}_column") for name in ("user", "item", "behaviour", "time", "value")}


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--interactions", metavar="FILE", help="events: columns user,item and maybe behaviour,timestamp,rating (default: MovieLens)"
    )
    parser.add_argument("--items", metavar="FILE", help="items: columns item and maybe title,description,tags,category,since")
    _column_options(parser)


def _column_options(parser: argparse.ArgumentParser) -> None:
    for name, default in COLUMNS.items():
        parser.add_argument(f"--{name}-column", metavar="NAME", help=f"column that holds the {name} (default {default})")


def _with_data(settings: RecommenderSettings, options: argparse.Namespace) -> DataSettings:
    """Where events and items come from, with what a call says of it; other events have no items of the settings'."""
    given = {f"{name}_column": getattr(options, f"{name}_column") for name in COLUMNS}
    given |= {"interactions": options.interactions, "items": options.items}
    data = settings.data if options.interactions is None else dataclasses.replace(settings.data, items=None)
    return dataclasses.replace(data, **{name: value for name, value in given.items() if value is not None})


def _check(options: argparse.Namespace, settings: RecommenderSettings) -> int:
    from apps.recommender.source import load
    from tfarch.data.behaviour.check import check_log

    source = load(_with_data(settings, options))
    log, findings = source.log, check_log(source.survey)
    counts = {"events": len(log), "users": len(log.user_ids), "items": len(source.catalogue)}
    if options.json:
        print(json.dumps({"name": source.name, **counts, "findings": [finding.as_dict() for finding in findings]}, ensure_ascii=False))
    else:
        print(f"{source.name}: " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
        print_findings(findings)
    return 1 if any(finding.severity == "error" for finding in findings) else 0


def _run_options(parser: argparse.ArgumentParser) -> None:
    _data_options(parser)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help=f"folder of the run (default {DEFAULT_OUT})")
    parser.add_argument("--quick", action="store_true", help="measured at one moment, fewer epochs: for a look")


def _run(options: argparse.Namespace, settings: RecommenderSettings) -> int:
    from apps.recommender.job import run
    from apps.recommender.report import proof_text, views_table

    settings = dataclasses.replace(settings, data=_with_data(settings, options))
    report = run(settings, options.out, shlex.join(["python", "-m", "apps.recommender", *sys.argv[1:]]), quick=options.quick)
    if options.json:
        print(json.dumps(report, ensure_ascii=False, allow_nan=False))
    else:
        print(f"{views_table(report)}\n\n{proof_text(report)}")
        print(
            f"\nwhat ships   {options.out / 'bundle'}\nreport       {options.out / 'report.html'}\nfigures      {options.out / 'report.json'}"
        )
        print(f"each user    {options.out / 'users.csv'}\nTensorBoard  {options.out / 'tensorboard'}")
    return 0


def _bundle_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bundle", type=Path, default=DEFAULT_OUT / "bundle", metavar="DIR", help=f"the bundle (default {DEFAULT_OUT / 'bundle'})"
    )


def _recommend_options(parser: argparse.ArgumentParser) -> None:
    _data_options(parser)
    _bundle_option(parser)
    parser.add_argument(
        "--user", nargs="+", default=[], metavar="ID", help="users of the log (--interactions; none: that of the bundle's run)"
    )
    parser.add_argument(
        "--history", metavar="ITEM,ITEM,...", help="items that somebody has had, the last one last; an empty one is somebody new"
    )
    parser.add_argument("--history-text", nargs="+", default=[], metavar="TEXT", help="what somebody wanted last, told in words")
    parser.add_argument("-k", type=int, default=10, metavar="N", help="items to recommend (default 10)")
    parser.add_argument(
        "--variety", type=float, default=0.0, metavar="V", help="0 to 1: how much an item loses for being like those above it (default 0)"
    )
    parser.add_argument(
        "--chances", metavar="ITEM,ITEM,...", help="tell instead how probable it is that each of these is wanted (interest.objective=match)"
    )
    parser.add_argument("--allow", metavar="ITEM,ITEM,...", help="only these items")
    parser.add_argument("--deny", metavar="ITEM,ITEM,...", help="not these items")
    parser.add_argument("--again", action="store_true", help="items that the user has had may be shown again")
    parser.add_argument("--explain", action="store_true", help="tell what spoke for each item")


def _recommend(options: argparse.Namespace, settings: RecommenderSettings) -> int:
    from tfarch.runtime.recommender import load_recommender

    told = options.history is not None or bool(options.history_text)
    if bool(options.user) == told:
        raise InputError("nobody to recommend to" if not options.user else "both users and a history", mend="give --user or --history")
    recommender = load_recommender(options.bundle)
    lists = {"allow": None if options.allow is None else _ids(options.allow), "deny": _ids(options.deny or "")}
    for user, history in _asked(options, settings, recommender):
        if options.chances is not None:
            _show_chances(options, recommender, user, history)
            continue
        with quiet():  # LiteRT, where texts are encoded, tells which delegate it takes
            found = recommender.recommend(
                history, options.k, variety=options.variety, again=options.again, explain=options.explain, **lists
            )
        _show(options, {"user": user}, user or "this history", found)
    return 0


def _similar_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("items", nargs="+", metavar="ITEM", help="items, by their ids")
    _bundle_option(parser)
    parser.add_argument("-k", type=int, default=10, metavar="N", help="items to show for each (default 10)")
    parser.add_argument("--explain", action="store_true", help="tell what spoke for each item")


def _similar(options: argparse.Namespace, settings: RecommenderSettings) -> int:
    from tfarch.runtime.recommender import load_recommender

    recommender = load_recommender(options.bundle)
    for item in options.items:
        title = recommender.titles[recommender.number(item)]
        _show(options, {"item": item, "title": title}, title or item, recommender.similar(item, options.k, explain=options.explain))
    return 0


def _show(options: argparse.Namespace, asked: dict[str, str | None], name: str, found: Sequence[Recommendation]) -> None:
    """The items of one that was asked for: a line of JSON, or a list."""
    if options.json:
        items = [{"item": each.item, "score": round(each.score, 4), "title": each.title} for each in found]
        if options.explain:
            items = [{**item, "parts": dict(each.parts), "events": dict(each.events)} for item, each in zip(items, found, strict=True)]
        print(json.dumps({**asked, "items": items}, ensure_ascii=False), flush=True)
        return
    print(name)
    for each in found:
        print(f"  {each.score:7.3f}  {each.title or each.item}")
        if options.explain:
            parts = sorted(each.parts.items(), key=lambda part: -abs(part[1]))[:PARTS]
            print("           " + ", ".join(f"{part.replace('_', ' ')} {value:+.2f}" for part, value in parts))
            events = sorted(each.events.items(), key=lambda event: -event[1])[:PARTS]
            if because := ", ".join(f"{name} {value:+.2f}" for name, value in events if value > 0):
                print(f"           because of {because}")


def _show_chances(options: argparse.Namespace, recommender: Recommender, user: str | None, history: History) -> None:
    items = _ids(options.chances)
    with quiet():
        found = recommender.chances(history, items)
    if options.json:
        print(json.dumps({"user": user, "chances": dict(zip(items, (round(each, 4) for each in found), strict=True))}, ensure_ascii=False))
        return
    print(user or "this history")
    for item, chance in zip(items, found, strict=True):
        print(f"  {100 * chance:5.1f} %  {recommender.titles[recommender.number(item)] or item}")


def _ids(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _asked(options: argparse.Namespace, settings: RecommenderSettings, recommender: Recommender) -> Iterator[tuple[str | None, History]]:
    """Who is recommended to, with what is known of him."""
    if not options.user:
        yield None, recommender.history(_ids(options.history or ""), texts=options.history_text)
        return
    from apps.recommender.source import load

    log = load(_data_of_users(options, settings, recommender)).log
    numbers = {user: number for number, user in enumerate(log.user_ids)}
    rows = log.of_users()
    for user in options.user:
        if user not in numbers:
            near = difflib.get_close_matches(user, log.user_ids, n=3)
            raise InputError(
                f"no user {user!r} in the log" + (f"; near: {', '.join(near)}" if near else ""), mend="--history takes items instead"
            )
        own = rows[numbers[user]]
        own = _of_known_items(log, own, recommender, user)
        names = [log.behaviour_names[each] for each in log.behaviours[own]]
        yield user, recommender.history([log.item_ids[item] for item in log.items[own]], names, log.values[own].tolist())


def _data_of_users(options: argparse.Namespace, settings: RecommenderSettings, recommender: Recommender) -> DataSettings:
    """Where the users' events are: as the call or its settings say, or where the run that made the bundle had them."""
    from apps.recommender.movielens import NAME

    config = options.bundle.resolve().parent / "config.yaml"
    if options.interactions is None and settings.data.interactions is None and config.is_file():
        settings = RecommenderSettings().with_file(config)
    data, name = _with_data(settings, options), recommender.bundle.get("provenance", {}).get("data", {}).get("name", NAME)
    if data.interactions is None and name != NAME:
        raise InputError(f"the bundle was made of {name}, and where its users' events are is not told", mend="give --interactions")
    return data


def _update_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--items", required=True, metavar="FILE", help="new items: columns item and maybe title,description,tags,category,since"
    )
    parser.add_argument("--item-column", metavar="NAME", help=f"column that holds the item (default {COLUMNS['item']})")
    _bundle_option(parser)


def _update(options: argparse.Namespace, settings: RecommenderSettings) -> int:
    from apps.recommender.update import update_items

    named = {} if options.item_column is None else {"item_column": options.item_column}
    told = update_items(options.bundle, dataclasses.replace(settings.data, items=options.items, **named))
    if options.json:
        print(json.dumps(told))
    else:
        print(
            f"{told['added']:,} items came to {told['bundle']}, {told['replaced']:,} were there and have their new texts: {told['items']:,} in all"
        )
    return 0


def _fit_more_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, default=DEFAULT_OUT, metavar="DIR", help=f"the run that goes on (default {DEFAULT_OUT})")
    parser.add_argument("--interactions", required=True, metavar="FILE", help="newer events, columns as for run")
    parser.add_argument("--items", metavar="FILE", help="new items, or items with new texts")
    _column_options(parser)
    parser.add_argument("--epochs", type=int, default=2, metavar="N", help="passes of the interest model over the newer events (default 2)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the new run")


def _fit_more(options: argparse.Namespace, settings: RecommenderSettings) -> int:
    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    from apps.recommender.fit_more import fit_more
    from apps.recommender.report import moved_text, proof_text

    command = shlex.join(["python", "-m", "apps.recommender", *sys.argv[1:]])
    report = fit_more(options.run, _with_data(settings, options), options.out, options.epochs, command)
    print(json.dumps(report, ensure_ascii=False) if options.json else f"{moved_text(report)}\n\n{proof_text(report)}")
    if not options.json:
        print(f"\nwhat ships   {options.out / 'bundle'}\nreport       {options.out / 'report.html'}")
    return 0


def _of_known_items(log: Interactions, rows: np.ndarray, recommender: Recommender, user: str) -> np.ndarray:
    """A user's events without those of items that came after the bundle, or whose behaviour did, which is told."""
    items, behaviours = set(recommender.ids), set(recommender.behaviours)
    known = [log.item_ids[log.items[row]] in items and log.behaviour_names[log.behaviours[row]] in behaviours for row in rows]
    if missing := len(rows) - sum(known):
        say(
            f"warning: {missing:,} of {len(rows):,} events of {user} are of items or behaviours that the bundle does not know (the verbs update-items and fit-more bring it up)"
        )
    return rows[known] if missing else rows


VERBS = (
    Verb("run", "the whole main job: check, learn, measure, write the bundle and the report", _run_options, _run),
    Verb("check", "look at the data: items without text, users with one event, events out of time, repetitions", _data_options, _check),
    Verb("recommend", "the best next items for a user of the log, or for who has had some items", _recommend_options, _recommend),
    Verb("similar", "the items that are most like one", _similar_options, _similar),
    Verb("update-items", "new items for a bundle: their texts are encoded and indexed, nothing is learned again", _update_options, _update),
    Verb("fit-more", "a run goes on with newer events, from where it ended, and tells what moved", _fit_more_options, _fit_more),
)
