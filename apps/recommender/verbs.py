"""The verbs of the recommender."""

from __future__ import annotations

import argparse
import dataclasses
import json

from apps.recommender.settings import DataSettings, RecommenderSettings
from tfarch.app import Verb

# Columns that an option names, with what they are called by default.
COLUMNS = {name: getattr(DataSettings(), f"{name}_column") for name in ("user", "item", "behaviour", "time", "value")}


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--interactions", metavar="FILE", help="events: columns user,item and maybe behaviour,timestamp,rating (default: MovieLens)"
    )
    parser.add_argument("--items", metavar="FILE", help="items: columns item and maybe title,description,tags,category,since")

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
        for finding in findings:
            print(f"\n{finding.severity}: {finding.message}")
            for example in finding.examples:
                place = f"{example.file}, line {example.line}" if example.line else example.file
                print(f"    {place}: " + " | ".join(part for part in (example.label, example.text) if part))
        if not findings:
            print("Nothing to complain of.")
    return 1 if any(finding.severity == "error" for finding in findings) else 0


VERBS = (
    Verb("check", "look at the data: items without text, users with one event, events out of time, repetitions", _data_options, _check),
)
