"""What each verb does, and how its result is shown."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfarch.app import App
from tfarch.cli.arguments import DRAWS, config_of, data_config, out_of, trained_config, with_data
from tfarch.cli.discover import discover
from tfarch.cli.findings import print_findings
from tfarch.cli.predict import predict
from tfarch.cli.texts import texts_of
from tfarch.config import Config
from tfarch.errors import GateError, InputError
from tfarch.progress import say
from tfarch.quiet import start_tensorflow
from tfarch.run_folder import RunFolder

if TYPE_CHECKING:
    from tfarch.data import Dataset, Finding


def run_verb(app: App, options: argparse.Namespace, command: str) -> int:
    """Does the work of `options.verb` and returns the exit code; `command` is what the report says it was called with."""
    own = next((verb for verb in app.verbs if verb.name == options.verb), None)
    code = own.run(options, config_of(app, options)) if own else None
    return _RUN[options.verb](app, options, command) if code is None else code


def _run(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    config, licence = data_config(app, options)
    out = out_of(app, options)
    if app.examine is not None:
        app.examine(config)
    _threads(options)
    with _gate_told(out, options):
        report = pipeline.run(
            out=out,
            config=config,
            app=app.name,
            licence=licence,
            command=command,
            quick=options.quick,
            draws=options.draws if options.draws is not None else DRAWS if config.data.shots else 1,
            shares=options.learning_curve or (),
        )
    _equip(app, out, config)
    return _show(report, out, options)


def _check(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    config, _ = data_config(app, options)
    found = pipeline.check(config=config)
    found = found if isinstance(found, dict) else {"": found}
    if options.json:
        described = {task: _checked(*each) for task, each in found.items()}
        _print_json(described.get("") or {"tasks": described})
    else:
        for number, (task, (dataset, findings)) in enumerate(found.items()):
            if number:
                print()
            counts = ", ".join(f"{len(table):,} {name}" for name, table in dataset.parts.items())
            name = f"{dataset.name}, {task}" if task else dataset.name
            print(f"{name}: {counts} rows, {len(dataset.labels)} classes. {dataset.split}")
            print_findings(findings)
    return 1 if any(finding.severity == "error" for _, findings in found.values() for finding in findings) else 0


def _checked(dataset: Dataset, findings: list[Finding]) -> dict[str, Any]:
    rows = {name: len(table) for name, table in dataset.parts.items()}
    facts = {"classes": len(dataset.labels), "split": dataset.split, "findings": [finding.as_dict() for finding in findings]}
    return {"name": dataset.name, **rows, **facts}


def _train(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    config, licence = data_config(app, options)
    _threads(options)
    trained = pipeline.train(out=out_of(app, options), config=config, app=app.name, licence=licence, command=command)
    stages = trained.any.stages
    if options.json:
        _print_json({stage.name: dict(stage.figures) for stage in stages})
    else:
        plain = stages[0].figures
        best = plain["history"][plain["best_epoch"] - 1]
        print(f"Trained {plain['epochs']} epochs in {plain['seconds']:.0f} s, {plain['examples_per_second']:.0f} examples a second.")
        print("Best epoch " + ", ".join(f"{name} {value:.4g}" for name, value in best.items() if name != "seconds"))
        print(f"In {out_of(app, options)}/checkpoints; next: python -m apps.{app.name} export --out {out_of(app, options)}")
    return 0


def _compress(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    config = trained_config(app, options, Path(options.source))
    out = Path(options.out) if options.out else Path(f"{options.source.rstrip('/')}_{Path(options.recipe).stem}")
    _threads(options)
    with _gate_told(out, options):
        report = pipeline.compress(options.recipe, options.source, out, config=config, app=app.name, command=command)
    _equip(app, out, config)
    return _show(report, out, options)


def _export(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    out = out_of(app, options)
    config = trained_config(app, options, out)
    files = pipeline.export(out, config=config, app=app.name)
    _equip(app, out, config)
    described = [{**dataclasses.asdict(each), "file": str(out / each.file), "bytes": (out / each.file).stat().st_size} for each in files]
    if options.json:
        _print_json(described)
    else:
        for each in described:
            print(f"{each['bytes'] / 1e6:8.2f} MB  {each['file']}" + ("  (ships)" if each["ships"] else ""))
    return 0


def _equip(app: App, out: Path, config: Config) -> None:
    if app.equip is not None:
        app.equip(RunFolder(out).bundle, config)


def _evaluate(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    out = out_of(app, options)
    config = with_data(trained_config(app, options, out), app, options)
    with _gate_told(out, options):
        report = pipeline.evaluate(out, config=config, app=app.name, command=command)
    return _show(report, out, options)


def _discover(app: App, options: argparse.Namespace, command: str) -> int:
    bundle = Path(options.bundle) if options.bundle else out_of(app, options) / "bundle"
    options.texts = []
    return discover(options, bundle, list(texts_of(options, config_of(app, options))))


def _report(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch.evaluation.html import render_html

    folder = RunFolder(out_of(app, options))
    mend = "the verbs run and evaluate make it"
    report = folder.read_json(folder.report_json, mend)
    if not isinstance(report, dict) or "variants" not in report:
        raise InputError("is damaged: it holds no variants", file=folder.report_json, mend=mend)
    folder.write(folder.report_html, render_html(report))
    return _show(report, folder.path, options)


_RUN = {
    "run": _run,
    "check": _check,
    "train": _train,
    "compress": _compress,
    "export": _export,
    "evaluate": _evaluate,
    "predict": predict,
    "discover": _discover,
    "report": _report,
}


def _threads(options: argparse.Namespace) -> None:
    if options.threads is not None:
        start_tensorflow()
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(min(2, options.threads))


# Output


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _show(report: dict[str, Any], out: Path, options: argparse.Namespace) -> int:
    from tfarch.evaluation.figures import chosen_variant, mislabelled, rejection
    from tfarch.evaluation.tasks import views
    from tfarch.evaluation.terminal import variants_table

    if options.json:
        _print_json(report)
        return 0
    for task, view in views(report).items():
        if task:
            print(task)
        print(variants_table(view))
        print()
        cost = rejection(chosen_variant(view))
        if cost:
            print(textwrap.fill(cost, 100), end="\n\n")
        if view.get("shots"):
            shots, accuracy = view["shots"], view["shots"]["accuracy"]
            print(f"{shots['of_each_class']} training rows of each class, {len(shots['draws'])} draws: accuracy", end=" ")
            print(f"{100 * accuracy['mean']:.2f} %, standard deviation {100 * accuracy['deviation']:.2f} points\n")
        suspects = mislabelled(view.get("label_errors"))
        if suspects:
            print(f"{suspects}: {RunFolder(out, task).label_errors}", end="\n\n")
    for text, file in {
        "what ships": out / "bundle",
        "report": out / "report.html",
        "figures": out / "report.json",
        "TensorBoard": out / "tensorboard",
    }.items():
        print(f"{text:<12} {file}")
    return 0


@contextlib.contextmanager
def _gate_told(out: Path, options: argparse.Namespace) -> Iterator[None]:
    """Where a gate does not hold, the report that was written all the same is shown (`--json`) and its place is told."""
    try:
        yield
    except GateError:
        folder = RunFolder(out)
        if options.json:
            _print_json(json.loads(folder.report_json.read_text(encoding="utf-8")))
        say(f"the report was written: {folder.report_html}")
        raise
