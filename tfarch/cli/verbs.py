"""What each verb does, and how its result is shown."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfarch.app import App
from tfarch.cli.arguments import DRAWS, config_of, data_config, out_of, trained_config
from tfarch.cli.discover import discover
from tfarch.config import Config
from tfarch.errors import GateError, InputError
from tfarch.progress import say
from tfarch.quiet import quiet, start_tensorflow
from tfarch.run_folder import RunFolder

if TYPE_CHECKING:
    from tfarch.runtime import Classifier, Prediction


def run_verb(app: App, options: argparse.Namespace, command: str) -> int:
    """Does the work of `options.verb` and returns the exit code; `command` is what the report says it was called with."""
    own = next((verb for verb in app.verbs if verb.name == options.verb), None)
    return own.run(options, config_of(app, options)) if own else _RUN[options.verb](app, options, command)


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
    dataset, findings = pipeline.check(config=config)
    rows = {name: len(table) for name, table in dataset.parts.items()}
    if options.json:
        _print_json(
            {
                "name": dataset.name,
                **rows,
                "classes": len(dataset.labels),
                "split": dataset.split,
                "findings": [f.as_dict() for f in findings],
            }
        )
    else:
        counts = ", ".join(f"{count:,} {name}" for name, count in rows.items())
        print(f"{dataset.name}: {counts} rows, {len(dataset.labels)} classes. {dataset.split}")
        for finding in findings:
            print(f"\n{finding.severity}: {finding.message}")
            for example in finding.examples:
                place = f"{example.file}, line {example.line}" if example.line else example.file
                print(f"    {place}: " + " | ".join(part for part in (example.label, example.text) if part))
        if not findings:
            print("Nothing to complain of.")
    return 1 if any(finding.severity == "error" for finding in findings) else 0


def _train(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    config, licence = data_config(app, options)
    _threads(options)
    trained = pipeline.train(out=out_of(app, options), config=config, app=app.name, licence=licence, command=command)
    figures = {stage.name: dict(stage.figures) for stage in trained.stages}
    if options.json:
        _print_json(figures)
    else:
        plain = trained.stages[0].figures
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
    config = trained_config(app, options, out)
    if options.data is not None:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, path=options.data))
    with _gate_told(out, options):
        report = pipeline.evaluate(out, config=config, app=app.name, command=command)
    return _show(report, out, options)


def _predict(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch.runtime import load

    config = config_of(app, options)
    if options.texts and options.input:
        raise InputError("texts are given both as arguments and by --input", mend="give one of them")
    if not options.explain and (options.method is not None or options.nearest is not None):
        raise InputError("--method and --nearest say how to explain", mend="add --explain")
    bundle = Path(options.bundle) if options.bundle else out_of(app, options) / "bundle"
    threads = options.threads or min(4, len(os.sched_getaffinity(0)))
    with quiet():  # LiteRT tells which delegate it takes
        classifier = load(bundle, threads=threads)
    if options.explain:
        return _explain(options, config, classifier, bundle)
    for texts in _chunks(texts_of(options, config)):
        for prediction in classifier.predict(texts, top=options.top):
            print(json.dumps(prediction.as_dict(), ensure_ascii=False) if options.json else _line(prediction, classifier))
        sys.stdout.flush()
    return 0


def _line(prediction: Prediction, classifier: Classifier) -> str:
    """A prediction for people."""
    label = "out of scope" if prediction.out_of_scope else prediction.label
    others = ", ".join(f"{name} {probability:.2f}" for name, probability in prediction.top[0 if prediction.out_of_scope else 1 :])
    width = max(map(len, classifier.labels))
    text = " ".join(prediction.text.split())[:80]
    return f"{label:<{width}}  {prediction.probability:.2f}  {text}" + (f"  ({others})" if others else "")


def _explain(options: argparse.Namespace, config: Config, classifier: Classifier, bundle: Path) -> int:
    """`predict --explain`: the run that the bundle lies in lends what the bundle lacks, training rows and the float model."""
    from tfarch.cli.explained import colours, shown
    from tfarch.pipeline.run_beside import known_rows_of, run_beside

    nearest = 3 if options.nearest is None else options.nearest
    if nearest < 0:
        raise InputError(f"--nearest {nearest}: at least 0")
    run, method, rows = run_beside(bundle), None, None
    if options.method == "integrated_gradients":
        if run is None:
            raise InputError(
                "integrated gradients need the weights of the run that made this bundle, and they are not in the folder above it",
                file=bundle,
                mend="name the run by --out, or leave out --method",
            )
        start_tensorflow()
        from tfarch.pipeline.explanation_job import GradientMethod

        method = GradientMethod(run)
    if nearest and classifier.known_rows is None and run is not None:
        kept = known_rows_of(run)
        rows = None if kept is None else classifier.with_added(kept)
    colour = colours()
    for texts in _chunks(texts_of(options, config), 32):
        for found in classifier.explain(texts, top=options.top, nearest=nearest, method=method, rows=rows):
            if options.json:
                print(json.dumps({**found.prediction.as_dict(), "explanation": found.as_dict()}, ensure_ascii=False))
            else:
                print(f"{_line(found.prediction, classifier)}\n{shown(found, colour=colour)}")
        sys.stdout.flush()
    return 0


def _discover(app: App, options: argparse.Namespace, command: str) -> int:
    bundle = Path(options.bundle) if options.bundle else out_of(app, options) / "bundle"
    options.texts = []
    return discover(options, bundle, list(texts_of(options, config_of(app, options))))


def texts_of(options: argparse.Namespace, config: Config) -> Iterator[str]:
    """The texts of a call: its arguments, the file of `--input`, or standard input, a line each."""
    if options.texts:
        yield from (os.fsencode(text).decode("utf-8", "replace") for text in options.texts)  # as standard input is decoded
    elif options.input and options.input != "-":
        from tfarch.data import texts_in

        yield from texts_in(options.input, config.data.text_column)
    else:
        if sys.stdin.isatty():
            say("one text a line; Ctrl-D ends")
        yield from (line.decode("utf-8", "replace").rstrip("\r\n") for line in sys.stdin.buffer)


def _chunks(texts: Iterator[str], size: int = 1024) -> Iterator[list[str]]:
    """Lists of texts; from a terminal or pipe each line is answered as it comes."""
    size = 1 if sys.stdin.isatty() else size
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


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
    "predict": _predict,
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
    from tfarch.evaluation.terminal import variants_table

    if options.json:
        _print_json(report)
        return 0
    print(variants_table(report))
    print()
    cost = rejection(chosen_variant(report))
    if cost:
        print(textwrap.fill(cost, 100), end="\n\n")
    if report.get("shots"):
        shots, accuracy = report["shots"], report["shots"]["accuracy"]
        print(f"{shots['of_each_class']} training rows of each class, {len(shots['draws'])} draws: accuracy", end=" ")
        print(f"{100 * accuracy['mean']:.2f} %, standard deviation {100 * accuracy['deviation']:.2f} points\n")
    suspects = mislabelled(report.get("label_errors"))
    if suspects:
        print(f"{suspects}: {RunFolder(out).label_errors}", end="\n\n")
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
