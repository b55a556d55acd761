"""The main job: what is learned is measured at earlier moments, then learned from all events and written as a bundle, with a report."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.recommender.settings import RecommenderSettings
from apps.recommender.source import Source, load
from tfarch.data.behaviour import Interactions
from tfarch.data.behaviour.check import check_log
from tfarch.data.behaviour.cuts import Fold, rolling_cuts
from tfarch.errors import InputError
from tfarch.evaluation.machine import describe
from tfarch.evaluation.recommendation import Rankings, list_figures
from tfarch.export.bundle import write_bundle
from tfarch.progress import say
from tfarch.quiet import start_tensorflow
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import RECOMMENDATION
from tfarch.runtime.recommender import Recommender

if TYPE_CHECKING:
    from apps.recommender.learner import Learner
    from tfarch.training.interest import Interest, Weights

TEXT_TOWER, VOCABULARY = "text_tower.tflite", "vocab.txt"
INTEREST = "interest.safetensors"
OURS, POPULAR = "recommender", "popular"


def run(settings: RecommenderSettings, out: Path, command: str) -> dict[str, Any]:
    """Learns, measures, writes `<out>/bundle` and the report, which it returns.

    Raises:
        InputError: the data cannot be used, or nobody can be asked for anything.
    """
    start_tensorflow()
    from apps.recommender.learner import Learner

    source = load(settings.data)
    findings = check_log(source.survey)
    for finding in findings:
        if finding.severity != "note":
            say(f"warning: {finding.message} (the verb check shows more)")
    with RunFolder(out).locked() as folder:
        folder.write_config(settings, "recommender", command, source.sha256)
        started = time.perf_counter()
        learner = Learner(settings, source.catalogue, source.survey.liked)
        figures = _measured(settings, source, learner)
        say(f"learning from all {len(source.log):,} events")
        learned = learner.learn(source.log, float(source.log.times[-1]))
        say("writing the bundle")
        write_run(folder, settings, learner, learned.recommender, learned.interest, source)
        report = {
            "task": RECOMMENDATION,
            "data": {
                "name": source.name,
                "events": len(source.log),
                "users": len(source.log.user_ids),
                "items": len(source.catalogue),
                "sha256": source.sha256,
                "findings": [finding.as_dict() for finding in findings],
            },
            "seconds": time.perf_counter() - started,
            "variants": figures,
            "chosen": OURS,
            "machine": describe(),
            "seed": settings.seed,
            "command": command,
        }
        folder.write_json(folder.report_json, report)
    return report


def _measured(settings: RecommenderSettings, source: Source, learner: Learner) -> list[dict[str, Any]]:
    """The figures of ours and of what is popular, of all moments together."""
    log, liked, found = source.log, source.survey.liked, {OURS: Rankings(), POPULAR: Rankings()}
    for quantile, fold in zip(
        settings.evaluate.quantiles, rolling_cuts(log, settings.evaluate.quantiles, least_rows=settings.evaluate.least_rows), strict=True
    ):
        if not fold.queries:
            continue
        say(f"measuring at {quantile:g} of the events: {len(fold.queries):,} users")
        learned = learner.learn(log, float(np.quantile(log.times, quantile)))
        _ask(log, fold, liked, learned.recommender, found)
    if not found[OURS].lists:
        raise InputError(
            f"no user has {settings.evaluate.least_rows} events after one of the moments that it is measured at, one he wanted (data.liked) at their end",
            file=settings.data.interactions,
            mend="give more events, or lower evaluate.least_rows or data.liked",
        )
    counts = log.counts()
    return [
        {"name": name, "metrics": each.summary(), "lists": list_figures(each.lists, counts, len(log.user_ids))}
        for name, each in found.items()
    ]


def _ask(log: Interactions, fold: Fold, liked: float, ours: Recommender, found: dict[str, Rankings]) -> None:
    from tfarch.training.recommender import history_of

    train = log.select(fold.train)
    counts, known = train.counts(), np.bincount(train.users, minlength=len(log.user_ids)) > 0
    for query in fold.queries:
        wanted = np.unique(log.items[query.wanted[log.values[query.wanted] >= liked]])
        asked = {"seen": log.items[query.known], "wanted": wanted, "warm": counts > 0, "new": not known[query.user]}
        found[OURS].add(query.user, ours.scores(history_of(log, query.known, liked)), **asked)
        found[POPULAR].add(query.user, counts.astype(np.float64), **asked)


def write_run(
    folder: RunFolder, settings: RecommenderSettings, learner: Learner, recommender: Recommender, interest: Interest | None, source: Source
) -> None:
    """Writes the bundle, and the interest model for runs that go on from here (`fit-more`)."""
    from tfarch.export.recommender import recommender_files, text_tower_file

    export = settings.export
    with tempfile.TemporaryDirectory() as scratch:
        wanted = {"tflite": export.tflite, "saved_model": export.saved_model}
        files, described = recommender_files(recommender, Path(scratch), int8=export.index == "int8", **wanted)
        described["task"] = RECOMMENDATION
        described["provenance"] = {"data": {"name": source.name, "licence": source.licence, "sha256": source.sha256}}
        if interest is not None:
            tokeniser = learner.texts.tokeniser
            files[TEXT_TOWER] = text_tower_file(interest.text_tower(), export.text_tower)
            files[VOCABULARY] = "".join(f"{piece}\n" for piece in tokeniser.vocabulary)
            tokens = {"tokeniser": {**tokeniser.as_dict(), "file": VOCABULARY}, "max_length": settings.interest.max_length}
            described["text_tower"] = {"file": TEXT_TOWER, **tokens, "provenance": learner.texts.provenance}
        write_bundle(folder.bundle, described, files)
    if interest is not None:
        interest.write(folder.path / INTEREST)


def read_interest(run: Path) -> Weights | None:
    """The weights of a run's interest model; None where it has none."""
    from tfarch.models.weights import load_weights

    return load_weights(run / INTEREST) if (run / INTEREST).is_file() else None
