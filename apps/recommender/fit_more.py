"""`fit-more`: a run goes on with newer events. What they change is learned from where the run ended, and told."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from apps.recommender.files import read_interest, write_data, write_run
from apps.recommender.learner import Learner
from apps.recommender.moved_page import moved_page
from apps.recommender.proof import proof, some_histories
from apps.recommender.settings import DataSettings, RecommenderSettings
from apps.recommender.source import Source, load, read_catalogue
from tfarch.data.behaviour import Interactions
from tfarch.data.behaviour.cuts import rolling_cuts
from tfarch.errors import InputError
from tfarch.evaluation.recommendation import LISTED, Rankings, first, paired_difference
from tfarch.progress import say
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import open_bundle
from tfarch.runtime.new_items import NewItem, with_items
from tfarch.runtime.recommender import Recommender, load_recommender, text_tokeniser
from tfarch.training.interest import Interest, Weights, rearranged
from tfarch.training.recommender import ask, history_of, recommender_of, signals_at

HALF = 0.5  # of the newer events, after which what was learned of the first is asked for the rest
ASKED = 500  # users whose lists are compared
TOLD = 10  # items that are told


def fit_more(run: Path, data: DataSettings, out: Path, epochs: int, command: str) -> dict[str, Any]:
    """Learns from the run's events and the newer ones of `data`, writes `<out>/bundle`, and gives the report of what moved.

    Raises:
        InputError: there is no such run, or its data are gone, or events have no times, or none is newer.
    """
    settings = RecommenderSettings().with_file(run / "config.yaml")
    old, source = load_recommender(run / "bundle"), load(settings.data)
    newer, last = load(dataclasses.replace(data, items=None)), float(source.log.times[-1])
    if not (source.survey.dated and newer.survey.dated):
        raise InputError("events without times are neither older nor newer", file=data.interactions, mend="learn from all events with run")
    catalogue = source.catalogue if data.items is None else source.catalogue.replaced_by(read_catalogue(data))
    catalogue = catalogue.with_ids(newer.log.item_ids)
    log = source.log.and_also(newer.log, item_ids=catalogue.ids)
    count = int((log.times > last).sum())
    if not count:
        raise InputError("none of these events is newer than those of the run", file=data.interactions, mend="give later events")
    say(f"{count:,} events came after those of {run}")
    weights = read_interest(run)
    tokeniser = None if weights is None else text_tokeniser(open_bundle(run / "bundle"))
    learner = Learner(settings, catalogue, source.survey.liked, tokeniser=tokeniser)
    refit = _Refit(learner, old, weights, last, epochs)
    sha256 = {**source.sha256, **newer.sha256}
    whole = Source(dataclasses.replace(source.survey, log=log, catalogue=catalogue), source.name, source.licence, sha256)
    with RunFolder(out).locked() as folder:
        # All that was learned from lies in the new run's folder: it goes on in its turn from there.
        settings = dataclasses.replace(settings, data=write_data(folder, whole))
        folder.write_config(settings, "recommender", command, sha256)
        report = {"events": count, "users": len(log.user_ids) - len(source.log.user_ids), "items": len(catalogue) - len(old.ids)}
        report["forecast"] = _forecast(log, refit, learner, last)
        say(f"learning from all {len(log):,} events")
        found, interest = refit(log, float(log.times[-1]))
        report["moved"] = _moved(old, found, log)
        write_run(folder, settings, learner, found, interest, whole)
        report["proof"] = proof(folder.bundle, found, some_histories(log, found))
        report = {"task": "recommendation", "goes_on_from": str(run), **report, "command": command}
        folder.write_json(folder.report_json, report)
        folder.write(folder.report_html, moved_page(report))
    return report


class _Refit:
    """Learns on from what a run had learned.

    Args:
        weights: of its interest model, None where it had none.
        last: its last event.
    """

    def __init__(self, learner: Learner, old: Recommender, weights: Weights | None, last: float, epochs: int):
        self.learner, self.old, self.weights, self.last, self.epochs = learner, old, weights, last, epochs

    def __call__(self, log: Interactions, moment: float) -> tuple[Recommender, Interest | None]:
        """From the events of `log` up to the moment."""
        before = log.select(log.times <= moment)
        interest = None
        if self.weights is not None:
            names = (self.old.ids, self.old.behaviours), (self.learner.catalogue.ids, log.behaviour_names)
            start = rearranged(self.weights, *names, before.counts())
            interest = self.learner.interest(before, start=start, after=self.last, epochs=self.epochs)
        factors = self.learner.settings.factors
        signals = signals_at(before, self.learner.catalogue, moment, rank=factors.rank, l2=factors.l2, interest=interest)
        return recommender_of(signals, self.old.ranker, log, self.learner.catalogue, self.learner.liked), interest


def _forecast(log: Interactions, refit: _Refit, learner: Learner, last: float) -> dict[str, Any] | None:
    """How well the run as it was, and as it goes on with the first half of the newer events, foretell the other half; None where nobody has enough of them."""
    older = float((log.times <= last).mean())
    quantile = older + HALF * (1.0 - older)
    (fold,) = rolling_cuts(log, (quantile,), least_rows=learner.settings.evaluate.least_rows)
    if not fold.queries:
        return None
    say(f"asking {len(fold.queries):,} users for the second half of them")
    catalogue = learner.catalogue
    columns = zip(catalogue.ids, catalogue.titles, catalogue.texts, catalogue.categories, catalogue.since.tolist(), strict=True)
    known = set(refit.old.ids)
    as_it_was = with_items(refit.old, [item for item in map(NewItem._make, columns) if item.id not in known])
    ways = {"as_it_was": as_it_was, "gone_on": refit(log, float(np.quantile(log.times, quantile)))[0]}
    found = {name: ask(log, fold, learner.liked, way.scores, Rankings()) for name, way in ways.items()}
    if not found["gone_on"].lists:
        return None
    views = found["gone_on"].summary()
    better = {view: paired_difference(found["gone_on"], found["as_it_was"], view) for view in views}
    return {
        **{name: each.summary() for name, each in found.items()},
        "difference": {view: [mean, *interval] for view, (mean, interval) in better.items()},
    }


def _moved(old: Recommender, new: Recommender, log: Interactions) -> dict[str, Any]:
    """What of the old items and lists is another now."""
    count = len(old.ids)
    told: dict[str, Any] = {}
    if old.signals.vectors is not None and new.signals.vectors is not None:
        both = np.flatnonzero(~old.signals.cold & ~new.signals.cold[:count])
        cosines = (old.signals.vectors[both] * new.signals.vectors[both]).sum(axis=1)
        far = both[np.argsort(cosines, kind="stable")[:TOLD]]
        order = np.sort(cosines)[:TOLD]
        told["vectors"] = {
            "mean_cosine": float(cosines.mean()),
            "farthest": [[old.titles[item] or old.ids[item], float(cosine)] for item, cosine in zip(far, order, strict=True)],
        }
    gained = new.signals.counts[:count, 1] - old.signals.counts[:, 1]
    rising = np.argsort(-gained, kind="stable")[:TOLD]
    told["rising"] = [[new.titles[item] or new.ids[item], int(gained[item])] for item in rising if gained[item] > 0]
    users = np.unique(log.users)
    rng = np.random.default_rng(0)
    rows, shares = log.of_users(), []
    for user in rng.permutation(users)[:ASKED]:
        own = rows[user][log.items[rows[user]] < count]
        if len(own):
            history = history_of(log, own, new.liked)
            unseen = np.ones(len(new.ids), bool)
            unseen[history.items] = False
            lists = [first(way.scores(history), unseen[: len(way.ids)], LISTED) for way in (old, new)]
            shares.append(len(np.intersect1d(*lists)) / LISTED)
    told["lists"] = {"users": len(shares), "same": float(np.mean(shares)) if shares else None}
    return told
