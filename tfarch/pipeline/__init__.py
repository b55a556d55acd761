"""The main job, whole and in parts, from Python: the same names as the verbs of the command line.

>>> import tfarch                                                          # doctest: +SKIP
>>> report = tfarch.run("my_questions.csv", out="saved_models/mine")       # doctest: +SKIP
>>> tfarch.load("saved_models/mine/bundle").predict(["where is my card?"]) # doctest: +SKIP

`load_recipe`, TensorFlow and the rest are imported by the verb that needs them: `check` starts without TensorFlow.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfarch.config import Config
from tfarch.progress import say
from tfarch.quiet import start_tensorflow
from tfarch.run_folder import RunFolder
from tfarch.runtime.signature import SINGLE

GENERIC = "text_classification"


def settled(data: str | Path | None, config: Config | None, settings: Mapping[str, Any] | None) -> Config:
    """The config of a call from Python: `config` (default: all defaults), with nested `settings` and the data's path laid over it."""
    config = (config or Config()).with_values(settings or {})
    return config if data is None else dataclasses.replace(config, data=dataclasses.replace(config.data, path=str(data)))


def check(data: str | Path | None = None, *, config: Config | None = None, settings: Mapping[str, Any] | None = None):
    """Loads the data and looks for what would harm a model or flatter its score.

    Returns:
        `(dataset, findings)`, see `tfarch.data`; where `data.tasks` or `data.task_data` name tasks, such a pair for each by its name.

    Raises:
        InputError: the data cannot be used at all.
    """
    from tfarch import data as tables
    from tfarch.data.tasks import load_tasks

    config = settled(data, config, settings)
    found = {
        task: (dataset, tables.check(dataset, config.data))
        for task, dataset in load_tasks(config.data, config.seed, config.train.task_weights).items()
    }
    return found.get(SINGLE, found)


def train(
    data: str | Path | None = None,
    out: str | Path = "saved_models/run",
    *,
    config: Config | None = None,
    settings: Mapping[str, Any] | None = None,
    app: str = GENERIC,
    licence: str = "the user's own",
    command: str = "tfarch.train",
):
    """Trains, and applies the recipe of the config. Resumes an interrupted run. Returns the `TrainedModel`, which lies in `<out>/checkpoints`."""
    config = settled(data, config, settings)
    with RunFolder(out).locked() as folder:
        return _train(config, folder, app, licence, command)[1]


def compress(
    recipe: str,
    source: str | Path,
    out: str | Path,
    *,
    config: Config | None = None,
    settings: Mapping[str, Any] | None = None,
    app: str | None = None,
    command: str = "tfarch.compress",
) -> dict[str, Any]:
    """Applies a recipe to the trained model of the run in `source`; exports and evaluates both into `out`. Returns the report.

    Args:
        app: what the new run says that made it; None: what made the run in `source`.
    """
    start_tensorflow()
    from tfarch.compression.recipe import load_recipe
    from tfarch.pipeline import compression_job, export_job, recipe_fit
    from tfarch.pipeline.prepare import hashes, prepare
    from tfarch.pipeline.trained import TrainedModel
    from tfarch.training.devices import strategy_for

    chosen, before = load_recipe(recipe), RunFolder(source)
    trained = TrainedModel.load(before)
    config = settled(None, config or Config().with_file(before.config), settings)
    config = dataclasses.replace(config, compress=dataclasses.replace(config.compress, recipe=recipe))
    recipe_fit.require_own_process(chosen, config.train.devices, after_training=False)
    strategy_for(config.train.devices)
    with RunFolder(out).locked() as folder:
        export_job.require_exportable(config, folder)
        tasks = prepare(config, folder.cache, start=trained.start, labels=trained.labels)
        recipe_fit.require_fitting(chosen, tasks, config.compress.teacher)
        app = app or before.app or GENERIC
        folder.write_config(config, app, command, hashes(tasks))
        plain = trained.with_stages({task: each.stages[:1] for task, each in trained.tasks.items()})
        keeps = before if os.access(before.path, os.W_OK) else folder
        compressed = compression_job.compress(config, tasks, plain, chosen, folder, keeps.cache)
        return _export_and_evaluate(config, tasks, compressed, folder, app, command)


def export(out: str | Path, *, config: Config | None = None, settings: Mapping[str, Any] | None = None, app: str = GENERIC):
    """Writes the TFLite variants and the bundle of the model trained in `out`. Returns the list of the files."""
    start_tensorflow()
    from tfarch.pipeline import export_job
    from tfarch.pipeline.trained import TrainedModel

    with RunFolder(out).locked() as folder:
        trained = TrainedModel.load(folder)
        return export_job.export(settled(None, config or Config().with_file(folder.config), settings), trained, folder, app)


def evaluate(
    out: str | Path,
    *,
    config: Config | None = None,
    settings: Mapping[str, Any] | None = None,
    app: str = GENERIC,
    command: str = "tfarch.evaluate",
    quick: bool = False,
) -> dict[str, Any]:
    """Measures the exported files of `out` on the test rows; writes and returns the report.

    Raises:
        GateError: the files do not agree as the config demands; the report is written all the same.
    """
    start_tensorflow()
    from tfarch.pipeline import evaluation_job
    from tfarch.pipeline.export_job import read_manifest
    from tfarch.pipeline.prepare import prepare
    from tfarch.pipeline.trained import TrainedModel

    with RunFolder(out).locked() as folder:
        trained, files = TrainedModel.load(folder), read_manifest(folder)
        config = settled(None, config or Config().with_file(folder.config), settings)
        tasks = prepare(config, folder.cache, start=trained.start, labels=trained.labels)
        return _gated(config, evaluation_job.evaluate(config, tasks, trained, files, folder, app=app, command=command, quick=quick))


def run(
    data: str | Path | None = None,
    out: str | Path = "saved_models/run",
    *,
    config: Config | None = None,
    settings: Mapping[str, Any] | None = None,
    app: str = GENERIC,
    licence: str = "the user's own",
    command: str = "tfarch.run",
    quick: bool = False,
    draws: int = 1,
    shares: Sequence[float] = (),
) -> dict[str, Any]:
    """The whole main job: check, train, compress, export, evaluate, report. An interrupted run goes on where it stopped.

    Args:
        data: folder, CSV/TSV/JSONL file, or `tfds:NAME`.
        out: folder of the run, see `tfarch.run_folder`.
        config: settings; default: all defaults.
        settings: nested values laid over them, such as `{"train": {"epochs": 2}}`.
        app, licence, command: what the report and the model card say of who made it, the data's licence, and how.
        draws: with `data.shots`, runs on this many draws of the training rows, this one among them; the report gives mean and deviation.
        shares: further runs on these shares of the training rows; the report draws the learning curve.

    Returns:
        The report, as in `<out>/report.json`.

    Raises:
        InputError: data or settings cannot be used.
        GateError: the exported files do not agree as the config demands; everything is written all the same.
    """
    start_tensorflow()
    from tfarch.pipeline import evaluation_job, export_job, fewer_rows

    config = settled(data, config, settings)
    fewer_rows.require_usable(config, draws, shares)
    with RunFolder(out).locked() as folder:
        export_job.require_exportable(config, folder)
        tasks, trained = _train(config, folder, app, licence, command)
        report = _export_and_evaluate(config, tasks, trained, folder, app, command, quick)
        for smaller in [*fewer_rows.draws(config, draws), *fewer_rows.curve(config, shares, fewer_rows.rows_of(report))]:
            place = fewer_rows.folder_of(folder.path, smaller)
            if not fewer_rows.is_made(place, smaller, report["data"]["sha256"]):
                say(f"{place}: a run on fewer rows")
                run(out=place, config=smaller, app=app, licence=licence, command=command, quick=quick)
        return evaluation_job.write_report(folder, {**report, **fewer_rows.found(folder, config, report)})


def _train(config: Config, folder: RunFolder, app: str, licence: str, command: str):
    start_tensorflow()
    from tfarch.compression.recipe import load_recipe
    from tfarch.pipeline import compression_job, label_errors_job, lesson, recipe_fit, training_job
    from tfarch.pipeline.prepare import hashes, prepare
    from tfarch.training.devices import strategy_for

    recipe = None if config.compress.recipe == "none" else load_recipe(config.compress.recipe)  # a wrong name is told before the training
    if recipe is not None:
        recipe_fit.require_own_process(recipe, config.train.devices, after_training=True)
    strategy_for(config.train.devices)  # told early where there are none such; logical ones are made before TensorFlow computes anything
    tasks = prepare(config, folder.cache)
    if recipe is not None:
        recipe_fit.require_fitting(recipe, tasks, config.compress.teacher)
    for prepared in tasks.values():
        lesson.require_unlabelled(config, prepared)
    folder.write_config(config, app, command, hashes(tasks))
    for task, prepared in tasks.items():
        label_errors_job.find(config, prepared, folder.of_task(task))
    trained = training_job.train(config, tasks, folder, licence)
    if recipe is not None:
        trained = compression_job.compress(config, tasks, trained, recipe, folder, folder.cache)
    return tasks, trained


def _export_and_evaluate(config: Config, tasks, trained, folder: RunFolder, app: str, command: str, quick: bool = False) -> dict[str, Any]:
    from tfarch.pipeline import evaluation_job, export_job

    files = export_job.export(config, trained, folder, app)
    return _gated(config, evaluation_job.evaluate(config, tasks, trained, files, folder, app=app, command=command, quick=quick))


def _gated(config: Config, report: dict[str, Any]) -> dict[str, Any]:
    from tfarch.evaluation.gate import require_gate
    from tfarch.export.parity import require_parity

    require_parity(report["parity"], report["variants"], config.export.agreement_bound)
    require_gate(report["gate"])
    return report
