"""The main job: what is learned is measured at earlier moments, then learned from all events and written as a bundle, with a report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.recommender.files import write_board, write_run, write_users
from apps.recommender.page import page
from apps.recommender.proof import proof, some_histories
from apps.recommender.settings import EvaluateSettings, RecommenderSettings
from apps.recommender.source import Source, load
from tfarch.data.behaviour import Interactions
from tfarch.data.behaviour.check import check_log
from tfarch.data.behaviour.cuts import Fold, cold_items, leave_last_out, random_share, rolling_cuts
from tfarch.errors import InputError
from tfarch.evaluation.machine import describe
from tfarch.evaluation.recommendation import Rankings, list_figures
from tfarch.progress import say
from tfarch.quiet import start_tensorflow
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import RECOMMENDATION, open_bundle
from tfarch.runtime.recommender import Recommender

if TYPE_CHECKING:
    from apps.recommender.learner import Learner

SHOWN_USERS, SHOWN_EVENTS = 4, 5  # of the report's examples
OURS, POPULAR = "recommender", "popular"


def run(settings: RecommenderSettings, out: Path, command: str, *, source: Source | None = None, quick: bool = False) -> dict[str, Any]:
    """Learns, measures, writes `<out>/bundle` and the report, which it returns.

    Args:
        source: what is learned from (see `load_frames`); none: what the settings name.
        quick: the settings are for a look, which the report then says.

    Raises:
        InputError: the data cannot be used, or nobody can be asked for anything.
    """
    start_tensorflow()
    from apps.recommender.learner import Learner

    source = source or load(settings.data)
    findings = check_log(source.survey)
    for finding in findings:
        if finding.severity != "note":
            say(f"warning: {finding.message} (the verb check shows more)")
    with RunFolder(out).locked() as folder:
        folder.write_config(settings, "recommender", command, source.sha256)
        started = time.perf_counter()
        learner = Learner(settings, source.catalogue, source.survey.liked)
        found = _measured(settings, source, learner)
        say(f"learning from all {len(source.log):,} events")
        learned = learner.learn(source.log, float(source.log.times[-1]), tensorboard=folder.tensorboard)
        say("writing the bundle")
        write_run(folder, settings, learner, learned.recommender, learned.interest, source)
        recommender = learned.recommender
        signals = recommender.signals
        vectors = signals.categories if signals.vectors is None else signals.vectors
        write_users(folder, found[OURS], source.log)
        report = {
            "task": RECOMMENDATION,
            "quick": quick,
            "data": {
                "name": source.name,
                "events": len(source.log),
                "users": len(source.log.user_ids),
                "items": len(source.catalogue),
                "sha256": source.sha256,
                "findings": [finding.as_dict() for finding in findings],
            },
            "seconds": time.perf_counter() - started,
            "split": {"by": settings.evaluate.split, "leaks_time": settings.evaluate.split != "time"},
            "variants": _figures(found, source.log, vectors),
            "chosen": OURS,
            "weights": {name: [float(each) for each in pair] for name, pair in recommender.ranker.pairs().items()},
            "examples": _examples(recommender, source.log),
            "files": {name: (folder.bundle / name).stat().st_size for name in open_bundle(folder.bundle).description["files"]},
            "proof": proof(folder.bundle, recommender, some_histories(source.log, recommender)),
            "machine": describe(),
            "seed": settings.seed,
            "command": command,
        }
        folder.write_json(folder.report_json, report)
        folder.write(folder.report_html, page(report))
        write_board(folder, recommender, report)
    return report


def _measured(settings: RecommenderSettings, source: Source, learner: Learner) -> dict[str, Rankings]:
    """What ours and what is popular foretold, of all moments together."""
    from tfarch.training.recommender import ask

    log, liked, found = source.log, source.survey.liked, {OURS: Rankings(), POPULAR: Rankings()}
    for fold in _folds(settings.evaluate, log, settings.seed):
        if not fold.queries:
            continue
        say(f"measuring, {fold.name}: {len(fold.queries):,} users")
        train = log.select(fold.train)
        learned = learner.learn(train, float(train.times[-1]))
        counts = train.counts().astype(np.float64)
        ask(log, fold, liked, learned.recommender.scores, found[OURS])
        ask(log, fold, liked, lambda history, counts=counts: counts, found[POPULAR])
    if not found[OURS].lists:
        raise InputError(
            f"no user has {settings.evaluate.least_rows} events after one of the moments that it is measured at, one he wanted (data.liked) at their end",
            file=settings.data.interactions,
            mend="give more events, or lower evaluate.least_rows or data.liked",
        )
    return found


def _folds(settings: EvaluateSettings, log: Interactions, seed: int) -> Iterator[Fold]:
    if settings.split == "time":
        yield from rolling_cuts(log, settings.quantiles, least_rows=settings.least_rows)
    elif settings.split == "last":
        yield leave_last_out(log, settings.least_rows)
    elif settings.split == "random":
        yield random_share(log, settings.share, seed)
    else:
        yield cold_items(log, settings.share, seed)


def _figures(found: dict[str, Rankings], log: Interactions, vectors: np.ndarray) -> list[dict[str, Any]]:
    """Of each way, by view; and what its lists are like."""
    counts, users = log.counts(), len(log.user_ids)
    return [
        {"name": name, "metrics": each.summary(), "lists": list_figures(each.lists, counts, users, vectors)} for name, each in found.items()
    ]


def _examples(recommender: Recommender, log: Interactions) -> list[dict[str, Any]]:
    """What a few users had last, and what they are recommended, with what spoke for it."""
    from tfarch.training.recommender import history_of

    rows = log.of_users()
    busy = [user for user, own in enumerate(rows) if len(own) >= SHOWN_EVENTS]
    told = []
    for user in busy[:: max(1, len(busy) // SHOWN_USERS)][:SHOWN_USERS]:
        history = history_of(log, rows[user], recommender.liked)
        had = [recommender.titles[item] or recommender.ids[item] for item in history.items[history.wanted][-SHOWN_EVENTS:]]
        items = [
            {"title": each.title or each.item, "score": each.score, "parts": dict(each.parts)}
            for each in recommender.recommend(history, SHOWN_EVENTS, explain=True)
        ]
        told.append({"user": log.user_ids[user], "had": had, "items": items})
    return told
