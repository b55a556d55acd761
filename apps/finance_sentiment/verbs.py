"""The verbs that only this app has: watching a stream, making one to try it on, scoring what was found, and the timeline of what was."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from apps.finance_sentiment.watch.settings import WatchSettings
from tfarch.app import Verb
from tfarch.config import Config
from tfarch.errors import InputError

DEFAULT_BUNDLE = Path("saved_models/finance_sentiment/bundle")
DEFAULT_STATE = Path("saved_models/finance_sentiment/watch.sqlite")
_PLACES = """\
places of --input; an item is a JSON object {"id", "time", "text", "publisher"}, its id one that its publisher uses once:
  FILE, FOLDER                 JSON Lines; what is named .json may be one JSON document
  https://HOST/PATH            an RSS or Atom feed: looked at once; with --follow, every --every SECONDS
  listen:[HOST:]PORT           POST /items takes items over HTTP, on this machine alone unless a HOST is named:
                               an object or a list of them as application/json, JSON Lines as application/x-ndjson.
                               202 {"accepted": n}: all are stored. 503 with Retry-After: send all of them again.
                               400, 413, 415: no JSON, too much at a time, another type. GET /health: 200 if it lives
  kafka://HOST:PORT/TOPIC      with [,HOST:PORT...] and [?group=NAME], and tfarch[kafka]: from the oldest message that is
                               left, or where the state left it, to where it ends now; with --follow, on from there
  python:MODULE:FUNCTION       a source of your own: FUNCTION(reading) gives one, see apps.finance_sentiment.stream.source;
                               reading.follow is --follow
"""


def _watch_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--input",
        action="append",
        metavar="PLACE",
        help="where items come from: a file or folder of JSON Lines, - for standard input (default), the http(s) address of an RSS or Atom feed, listen:PORT, "
        "kafka://HOST:PORT/TOPIC, python:MODULE:FUNCTION; repeatable, see below",
    )
    add(
        "--follow",
        action="store_true",
        help="go on where a file, folder, feed or Kafka topic ends for now; without it each is read once, and the watch ends",
    )
    add("--every", type=float, default=300.0, metavar="SECONDS", help="between two looks at a feed (default 300)")
    add("--bundle", type=Path, default=DEFAULT_BUNDLE, metavar="DIR", help=f"the model (default {DEFAULT_BUNDLE})")
    add(
        "--state", type=Path, default=DEFAULT_STATE, metavar="FILE", help=f"what the watch knows; goes on from it (default {DEFAULT_STATE})"
    )
    add("--false-alarms-per-day", type=float, metavar="X", help="that you accept of one topic (default 0.05: one in twenty days)")
    add("--detector", metavar="NAME", help="negative_binomial_cusum (default), poisson_cusum, cusum, ewma, page_hinkley or ratio")
    add(
        "--watch",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another setting of the watch, such as history_days=14; repeatable",
    )
    add("--alerts", type=Path, metavar="FILE", help="alert changes as JSON Lines into a file too, each once whatever happens")
    add("--webhook", action="append", default=[], metavar="URL", help="POST each alert change there; repeatable")
    add("--silence", action="append", default=[], metavar="TOPIC[=FROM/UNTIL]", help="follow these alerts but send none; repeatable")
    add("--family", action="append", default=[], metavar="NAME=PATTERN[,PATTERN]", help="publishers that bring the same news; repeatable")
    add("--no-words", action="store_true", help="leave out which words made a headline's sentiment")
    add("--view", action="store_true", help="show topics and alerts on the terminal as they are now")
    settings = [f"  {name:<28} {text} [{default}]" for name, default, text in WatchSettings.fields()]
    parser.epilog = "\n".join([_PLACES, "settings of the watch, with --watch NAME=VALUE (default in brackets):", *settings])


def _watch(options: argparse.Namespace, config: Config) -> int:
    from apps.finance_sentiment.watch.command import watch

    return watch(options, config.seed, options.threads or min(4, len(os.sched_getaffinity(0))))


def _simulate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the stream, as JSON Lines in order of arrival")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="its surges and labels (default: beside it, .truth.json)")
    parser.add_argument("--days", type=int, metavar="N", help="days that it lasts (default 42, of which 21 have no surge)")
    parser.add_argument("--items-per-day", type=float, metavar="N", help="stories a day over all topics (default 150)")
    parser.add_argument("--history-days", type=int, metavar="N", help="days at the beginning without a surge (default 21)")
    parser.add_argument("--surges-per-topic-week", type=float, metavar="X", help="expected after that (default 0.33)")
    parser.add_argument("--malformed", type=float, metavar="SHARE", help="lines that are no item, for each that is one (default 0)")


def _simulate(options: argparse.Namespace, config: Config) -> int:
    from apps.finance_sentiment.simulation import StreamSettings, SurgeSettings, sample_rows, simulate, write

    surges = {"history_days": options.history_days, "per_topic_week": options.surges_per_topic_week}
    stream = {"days": options.days, "items_per_day": options.items_per_day, "malformed": options.malformed}
    settings = StreamSettings(
        surges=SurgeSettings(**{name: value for name, value in surges.items() if value is not None}),
        **{name: value for name, value in stream.items() if value is not None},
    )
    truth_file = options.truth or options.out.with_name(f"{options.out.stem}.truth.json")
    if truth_file.resolve() == options.out.resolve():
        raise InputError(f"--truth {truth_file} is the file of the stream", mend="name another")
    simulated = simulate(sample_rows(), settings, config.seed)
    write(options.out, truth_file, simulated)
    truth = simulated.truth
    told = {"items": len(simulated.items), "surges": len(truth["surges"]), "out": str(options.out), "truth": str(truth_file)}
    if options.json:
        print(json.dumps(told))
    else:
        print(f"{told['items']:,} items from {truth['start']} to {truth['end']}, {told['surges']} surges: {options.out}, {truth_file}")
    return 0


def _score_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--alerts", type=Path, required=True, metavar="FILE", help="alert changes as watch writes them")
    parser.add_argument("--truth", type=Path, required=True, metavar="FILE", help="what simulate says of the stream")
    parser.add_argument(
        "--grace-hours", type=float, default=6.0, metavar="H", help="after a surge, in which an alert still counts (default 6)"
    )


def _score(options: argparse.Namespace, config: Config) -> int:
    from apps.finance_sentiment.scoring import read_alerts, read_truth, score, score_table

    if not options.grace_hours >= 0:
        raise InputError(f"--grace-hours {options.grace_hours:g}", mend="0 or more")
    result = score(read_alerts(options.alerts), read_truth(options.truth), grace_hours=options.grace_hours)
    print(json.dumps(result, ensure_ascii=False) if options.json else score_table(result))
    return 0


def _report_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, metavar="FILE", help="the timeline of a watch, instead of the report of a run")
    parser.add_argument("--timeline", type=Path, metavar="FILE.html", help="where it is written (default: beside the state)")


def _report(options: argparse.Namespace, config: Config) -> int | None:
    if options.state is None:
        if options.timeline is not None:
            raise InputError("--timeline is of a watch", mend="name its --state")
        return None
    from apps.finance_sentiment.watch.timeline import write_timeline

    file = options.timeline or options.state.with_suffix(".html")
    told = write_timeline(options.state, file)
    print(json.dumps(told, ensure_ascii=False) if options.json else f"{told['alerts']} alerts of {told['topics']} topics: {file}")
    return 0


VERBS = (
    Verb("watch", "watch a stream of items: alert where bad news of a topic surges", _watch_options, _watch),
    Verb("simulate", "write a simulated stream of items, and the truth about its surges", _simulate_options, _simulate),
    Verb("score", "false alarms, recall and delay of alerts against the truth", _score_options, _score),
    Verb(
        "report", "show a run's table again and rewrite its report.html; or with --state the timeline of a watch", _report_options, _report
    ),
)
