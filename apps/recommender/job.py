"""The main job: what is learned is measured at earlier moments, then learned from all events and written as a bundle, with a report."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from apps.recommender.settings import InterestSettings, RecommenderSettings
from apps.recommender.source import Source, load
from tfarch.data.behaviour import Catalogue, Interactions
from tfarch.data.behaviour.check import check_log
from tfarch.data.behaviour.cuts import Fold, rolling_cuts
from tfarch.errors import InputError
from tfarch.evaluation.machine import describe
from tfarch.evaluation.recommendation import Rankings, list_figures
from tfarch.export.bundle import arrays_file, write_bundle
from tfarch.progress import say
from tfarch.quiet import start_tensorflow
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import RECOMMENDATION
from tfarch.runtime.recommender import ARRAYS, ITEMS, Recommender

OURS, POPULAR = "recommender", "popular"


def run(settings: RecommenderSettings, out: Path, command: str) -> dict[str, Any]:
    """Learns, measures, writes `<out>/bundle` and the report, which it returns.

    Raises:
        InputError: the data cannot be used, or nobody can be asked for anything.
    """
    start_tensorflow()
    source = load(settings.data)
    findings = check_log(source.survey)
    for finding in findings:
        if finding.severity != "note":
            say(f"warning: {finding.message} (the verb check shows more)")
    with RunFolder(out).locked() as folder:
        folder.write_config(settings, "recommender", command, source.sha256)
        started = time.perf_counter()
        figures = _measured(settings, source)
        say(f"learning from all {len(source.log):,} events")
        recommender = learned(settings, source.log, source.catalogue, float(source.log.times[-1]), source.survey.liked)
        _write(folder, recommender, source)
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


def learned(settings: RecommenderSettings, log: Interactions, catalogue: Catalogue, moment: float, liked: float) -> Recommender:
    """What the events up to a moment say, ready to recommend."""
    from tfarch.training.recommender import learn

    return learn(log, catalogue, moment, liked, interest=_interest(settings.interest, catalogue, liked, settings.seed), seed=settings.seed)


def _interest(settings: InterestSettings, catalogue: Catalogue, liked: float, seed: int) -> Callable[[Interactions], Any] | None:
    """Trains an interest model on a log."""
    if settings.structure == "none":
        return None
    from tfarch.config import TrainConfig
    from tfarch.data.tokens import tokenise
    from tfarch.models.interest import InterestSpec
    from tfarch.models.spec import AveragedSpec
    from tfarch.runtime.tokeniser import Tokeniser
    from tfarch.training.interest import Interest, sequences_of, train_interest

    tokeniser = Tokeniser.train(catalogue.texts, settings.vocabulary)
    tokens = tokenise(catalogue.texts, tokeniser, settings.max_length)
    ids = len(catalogue) if settings.ids else 0
    spec = InterestSpec(AveragedSpec(len(tokeniser), settings.width), settings.width, settings.user_tower, ids=ids)
    train = TrainConfig(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        freeze=[],
        monitor="last",
        precision="float32",
    )

    def trained(log: Interactions) -> Interest:
        own = dataclasses.replace(spec, behaviours=len(log.behaviour_names))
        done = train_interest(own, {}, sequences_of(log, tokens, liked), log.counts(), train, seed=seed)
        return Interest.of(own, done.weights, tokens)

    return trained


def _measured(settings: RecommenderSettings, source: Source) -> list[dict[str, Any]]:
    """The figures of ours and of what is popular, of all moments together."""
    log, liked, found = source.log, source.survey.liked, {OURS: Rankings(), POPULAR: Rankings()}
    for quantile, fold in zip(
        settings.evaluate.quantiles, rolling_cuts(log, settings.evaluate.quantiles, least_rows=settings.evaluate.least_rows), strict=True
    ):
        if not fold.queries:
            continue
        say(f"measuring at {quantile:g} of the events: {len(fold.queries):,} users")
        ours = learned(settings, log, source.catalogue, float(np.quantile(log.times, quantile)), liked)
        _ask(log, fold, liked, ours, found)
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


def _write(folder: RunFolder, recommender: Recommender, source: Source) -> None:
    items, arrays = recommender.as_files()
    described = {
        "task": RECOMMENDATION,
        "items": {"file": ITEMS},
        "arrays": {"file": ARRAYS},
        "provenance": {"data": {"name": source.name, "licence": source.licence, "sha256": source.sha256}},
    }
    write_bundle(folder.bundle, described, {ITEMS: items, ARRAYS: arrays_file(**arrays)})
