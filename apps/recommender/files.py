"""What a run leaves in its folder: the bundle, each user's figures, the items for TensorBoard, and what a run that goes on from it needs."""

from __future__ import annotations

import csv
import datetime
import io
import math
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from apps.recommender.settings import DataSettings, RecommenderSettings
from apps.recommender.source import Source
from tfarch.data.behaviour import Interactions
from tfarch.evaluation.recommendation import METRICS, VIEWS, Rankings
from tfarch.export.bundle import write_bundle
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import RECOMMENDATION
from tfarch.runtime.recommender import Recommender

if TYPE_CHECKING:
    from apps.recommender.learner import Learner
    from tfarch.training.interest import Interest, Weights

TEXT_TOWER, VOCABULARY = "text_tower.tflite", "vocab.txt"
INTEREST, USERS, EVENTS, ITEMS = "interest.safetensors", "users.csv", "events.csv", "items.csv"
_BEGIN = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def write_users(folder: RunFolder, ours: Rankings, log: Interactions) -> None:
    """Writes a row for each user and view: queries, and the mean of each metric."""
    rows = []
    for view in VIEWS:
        users = np.array(ours.users[view], np.int64)
        figures = {metric: ours.figures(view, metric) for metric in METRICS} if len(users) else {}
        for user in np.unique(users):
            own = users == user
            rows.append([log.user_ids[user], view, int(own.sum()), *(f"{figures[metric][own].mean():.4f}" for metric in METRICS)])
    _table(folder, USERS, ("user", "view", "queries", *METRICS), rows)


def write_board(folder: RunFolder, recommender: Recommender, report: Mapping[str, Any]) -> None:
    """Writes a run of TensorBoard for each way that was measured, with its figures by view; ours has the vectors of the most popular items for the projector."""
    from tfarch.evaluation.board.events import scalar, write_events

    for variant in report["variants"]:
        place = folder.tensorboard / variant["name"]
        shutil.rmtree(place, ignore_errors=True)  # what an earlier run told
        place.mkdir(parents=True)
        write_events(
            place,
            (
                scalar(f"{view}/{metric}", value)
                for view, figures in variant["metrics"].items()
                for metric, value in figures.items()
                if isinstance(value, float)
            ),
        )
    if recommender.signals.vectors is not None:
        _project(folder.tensorboard / report["chosen"], recommender)


def _project(place: Path, recommender: Recommender) -> None:
    """The most popular items' vectors, with their titles and first categories."""
    from tfarch.evaluation.board.projector import MOST_ROWS, project

    signals = recommender.signals
    shown = np.argsort(-signals.counts[:, 0], kind="stable")[:MOST_ROWS]
    first = signals.categories[shown].argmax(axis=1)
    named = signals.categories[shown].any(axis=1)
    rows = [
        (recommender.titles[item] or recommender.ids[item], recommender.categories[kind] if has else "", f"{signals.counts[item, 0]:.0f}")
        for item, kind, has in zip(shown, first, named, strict=True)
    ]
    project(place, "item_vectors", signals.vectors[shown], ("title", "category", "events"), rows)


def write_run(
    folder: RunFolder, settings: RecommenderSettings, learner: Learner, recommender: Recommender, interest: Interest | None, source: Source
) -> None:
    """Writes the bundle, and the interest model for runs that go on from here (`fit-more`)."""
    from tfarch.export.recommender import recommender_files, text_tower_file

    export = settings.export
    with tempfile.TemporaryDirectory() as scratch:
        wanted = {"search": export.search, "tflite": export.tflite, "saved_model": export.saved_model}
        files, described = recommender_files(recommender, Path(scratch), int8=export.index == "int8", **wanted)
        described["task"] = RECOMMENDATION
        described["provenance"] = {"data": {"name": source.name, "licence": source.licence, "sha256": source.sha256}}
        if interest is not None:
            tokeniser = learner.texts.tokeniser
            files[TEXT_TOWER] = text_tower_file(interest.text_tower(), export.text_tower)
            files[VOCABULARY] = tokeniser.as_text()
            tokens = {"tokeniser": {**tokeniser.as_dict(), "file": VOCABULARY}, "max_length": settings.interest.max_length}
            described["text_tower"] = {"file": TEXT_TOWER, **tokens, "provenance": learner.texts.provenance}
        write_bundle(folder.bundle, described, files)
    if interest is not None:
        interest.write(folder.path / INTEREST)


def read_interest(run: Path) -> Weights | None:
    """The weights of a run's interest model; None where it has none."""
    from tfarch.models.weights import load_weights

    return load_weights(run / INTEREST) if (run / INTEREST).is_file() else None


def write_data(folder: RunFolder, source: Source) -> DataSettings:
    """Writes log and catalogue as tables into the folder, and says how they are read."""
    log, films = source.log, source.catalogue
    names = ([ids[number] for number in numbers] for ids, numbers in ((log.user_ids, log.users), (log.item_ids, log.items)))
    behaviours = [log.behaviour_names[number] for number in log.behaviours]
    _table(
        folder,
        EVENTS,
        ("user", "item", "behaviour", "timestamp", "rating"),
        zip(*names, behaviours, log.times.tolist(), log.values.tolist(), strict=True),
    )
    since = ["" if math.isnan(each) else (_BEGIN + datetime.timedelta(seconds=each)).isoformat() for each in films.since.tolist()]
    _table(
        folder,
        ITEMS,
        ("item", "title", "text", "category", "since"),
        zip(films.ids, films.titles, films.texts, map("|".join, films.categories), since, strict=True),
    )
    return DataSettings(str(folder.path / EVENTS), str(folder.path / ITEMS), text_columns=["text"], liked=source.survey.liked)


def _table(folder: RunFolder, name: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows(rows)
    folder.write(folder.path / name, content.getvalue())
