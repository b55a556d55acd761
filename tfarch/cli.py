"""The command line that every app has: `python -m apps.<app> VERB [options]`.

Nothing heavy is imported before a verb does its work, so that `--help` answers at once. Results go to standard output, all else to standard error.
Exit codes: 0 done, 1 the work failed or a gate did not hold, 2 bad usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import os
import shlex
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfarch.app import App
from tfarch.config import Config
from tfarch.errors import GateError, InputError, TfarchError
from tfarch.progress import say
from tfarch.quiet import quiet, start_tensorflow

VERBS = {
    "run": "the whole main job: check, train, compress, export, evaluate, report",
    "check": "look at the data: duplicates, leaks, contradictions, bad rows",
    "train": "train only, into <out>/checkpoints",
    "compress": "apply a recipe to a trained run, export and evaluate the result",
    "export": "write the TFLite variants and the bundle of a trained run",
    "evaluate": "measure the exported files on the test rows and write the report",
    "predict": "labels of texts: as arguments, from --input, or a line each from standard input",
    "report": "show a run's table again and rewrite its report.html",
}

# Verbs whose work is resumed.
RESUMED = ("run", "train", "compress")

# Short options of single settings.
SETTINGS = {
    "--text-column": "data.text_column",
    "--label-column": "data.label_column",
    "--oos-label": "data.oos_label",
    "--devices": "train.devices",
    "--recipe": "compress.recipe",
}


def main(app: App, arguments: Sequence[str] | None = None) -> int:
    """Runs one verb of `app` and returns the exit code."""
    _open_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(app).parse_args(arguments)
    command = shlex.join(["python", "-m", f"apps.{app.name}", *arguments])
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a letter is no reason to fail; JSON is UTF-8 everywhere
        sys.stdout.reconfigure(encoding="utf-8" if options.json else None, errors="backslashreplace")
    try:
        _check_usage(options, arguments)
        own = next((verb for verb in app.verbs if verb.name == options.verb), None)
        with _interrupts_kept():
            code = own.run(options, _config(app, options)) if own else _RUN[options.verb](app, options, command)
        sys.stdout.flush()
        return code
    except TfarchError as error:
        if options.debug:
            raise
        say(f"error: {error}")
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        if options.debug:
            raise
        say("\ninterrupted" + ("; the same command goes on where this one stopped" if options.verb in RESUMED else ""))
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone: nothing more to say to it
        return 0
    except (OSError, MemoryError) as error:
        if options.debug:
            raise
        say(f"error: {type(error).__name__}: {error} (--debug shows where)")
        return 1


def _open_streams() -> None:
    """A standard stream that the caller closed becomes the null device: no file that is opened later may take its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - as long as the process


@contextlib.contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Ctrl-C during native work is raised in whatever Python runs next, which after a conversion is mostly a weak reference's callback;
    Python cannot raise from there and would forget it: it is sent once more."""
    shown = sys.unraisablehook

    def hook(unraisable) -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            return shown(unraisable)
        again = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = shown


def _check_usage(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    most = max(64, os.cpu_count() or 1)  # the native libraries abort the process where the system has no more threads to give
    if options.threads is not None and not 1 <= options.threads <= most:
        raise InputError(f"--threads {options.threads}: at least 1, at most {most}")
    if options.verb == "predict":  # takes texts as they come
        return
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:  # reports and bundles could not hold it
            raise InputError(f"{argument!r} is not UTF-8", mend="rename what it names") from error


def _parser(app: App) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m apps.{app.name}", description=app.title)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, text in VERBS.items():
        _options(verbs.add_parser(name, help=text, description=text, epilog=_defaults(app), formatter_class=_Raw), name, app)
    for verb in app.verbs:
        added = verbs.add_parser(verb.name, help=verb.help, description=verb.help, epilog=_defaults(app), formatter_class=_Raw)
        _shared_options(added)
        verb.options(added)
    return parser


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the table of settings as it is, and leaves room for long options."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=32, width=110)


def _defaults(app: App) -> str:
    config = Config().with_values(app.defaults)
    lines = ["settings, with --set NAME=VALUE or in --config FILE.yaml (default in brackets):"]
    for name, _, text in Config.fields():
        value: Any = config
        for part in name.split("."):
            value = getattr(value, part)
        lines.append(f"  {name:<28} {text} [{'none' if value is None else value}]")
    return "\n".join(lines)


def _shared_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", action="append", default=[], metavar="FILE.yaml", help="settings from a file; repeatable, later wins")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one setting; repeatable, wins over --config")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of everything that is random (default 0)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the processor (default: all)")
    parser.add_argument(
        "--json", action="store_true", help="one JSON document (predict: JSON Lines) on standard output and nothing else there"
    )
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def _options(parser: argparse.ArgumentParser, verb: str, app: App) -> None:
    _shared_options(parser)
    out = f"folder of the run (default {app.default_out})"
    if verb == "predict":
        parser.add_argument("texts", nargs="*", metavar="TEXT", help="texts; none: standard input, a line each")
        parser.add_argument("--input", metavar="FILE", help="a text a line, or CSV/TSV/JSONL with the text column; - for standard input")
        parser.add_argument("--bundle", metavar="DIR", help="the bundle (default <out>/bundle)")
        parser.add_argument("--top", type=int, default=3, metavar="N", help="labels to show for each text (default 3)")
        parser.add_argument("--text-column", metavar="NAME", help="column that holds the text (default text)")
        parser.add_argument("--out", metavar="DIR", help=out)
        return
    if verb != "check":
        parser.add_argument("--out", metavar="DIR", help=out)
    if verb in ("run", "check", "train", "evaluate"):
        parser.add_argument(
            "--data", metavar="PATH|tfds:NAME", help="folder, CSV/TSV/JSONL file or tfds:NAME (default: the embedded sample)"
        )
        parser.add_argument("--text-column", metavar="NAME", help="column that holds the text (default text)")
        parser.add_argument("--label-column", metavar="NAME", help="column that holds the label (default label)")
        parser.add_argument("--oos-label", metavar="LABEL", help="label of out-of-scope rows (default oos)")
    if verb in ("run", "train", "compress"):
        parser.add_argument("--devices", metavar="DEVICES", help="auto, gpu:0,1, cpu, or cpu:N logical devices (default auto)")
        parser.add_argument("--recipe", metavar="NAME|FILE", required=verb == "compress", help="compression recipe (default none)")
    if verb in ("run", "train"):
        parser.add_argument("--quick", action="store_true", help="a minute or less, for a look: few rows, one epoch")
    if verb == "compress":
        parser.add_argument("--from", dest="source", required=True, metavar="RUN", help="folder of the trained run")


def _config(app: App, options: argparse.Namespace, base: Config | None = None) -> Config:
    """The settings of a call, laid over each other in the order of `tfarch.config`; `base` takes the place of the defaults."""
    config = base or Config().with_values(app.defaults)
    if getattr(options, "quick", False):
        config = config.with_values(app.quick)
    for file in options.config:
        config = config.with_file(file)
    for option, setting in SETTINGS.items():
        value = getattr(options, option[2:].replace("-", "_"), None)
        if value is not None:
            section, key = setting.split(".")
            config = config.with_values({section: {key: value}})
    for setting in options.set:
        config = config.with_setting(setting)
    if options.seed is not None:
        config = config.with_values({"seed": options.seed}, file="--seed")
    return config


def _data_config(app: App, options: argparse.Namespace, base: Config | None = None) -> tuple[Config, str]:
    """The settings with the data's path, and the data's licence."""
    config = _config(app, options, base)
    if options.data is not None:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, path=options.data))
    if config.data.path is None:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, path=str(app.sample)))
    return config, app.sample_licence if config.data.path == str(app.sample) else "the user's own"


def _out(app: App, options: argparse.Namespace) -> Path:
    return Path(options.out) if options.out else app.default_out


def _trained_config(app: App, options: argparse.Namespace, folder: Path) -> Config:
    """The settings of the run in `folder` with the user's laid over them."""
    from tfarch.run_folder import RunFolder

    file = RunFolder(folder).config
    if not file.is_file():
        raise InputError("holds no run", file=folder, mend="the verbs train and run make one; --out names its folder")
    return _config(app, options, Config().with_file(file))


def _threads(options: argparse.Namespace) -> None:
    if options.threads is not None:
        start_tensorflow()
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(min(2, options.threads))


# The verbs


def _run(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    config, licence = _data_config(app, options)
    out = _out(app, options)
    _threads(options)
    with _gate_told(out, options):
        report = pipeline.run(out=out, config=config, app=app.name, licence=licence, command=command, quick=options.quick)
    return _show(report, out, options)


def _check(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    config, _ = _data_config(app, options)
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

    config, licence = _data_config(app, options)
    _threads(options)
    trained = pipeline.train(out=_out(app, options), config=config, app=app.name, licence=licence, command=command)
    figures = {stage.name: dict(stage.figures) for stage in trained.stages}
    if options.json:
        _print_json(figures)
    else:
        plain = trained.stages[0].figures
        best = plain["history"][plain["best_epoch"] - 1]
        print(f"Trained {plain['epochs']} epochs in {plain['seconds']:.0f} s, {plain['examples_per_second']:.0f} examples a second.")
        print("Best epoch " + ", ".join(f"{name} {value:.4g}" for name, value in best.items() if name != "seconds"))
        print(f"In {_out(app, options)}/checkpoints; next: python -m apps.{app.name} export --out {_out(app, options)}")
    return 0


def _compress(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    config = _trained_config(app, options, Path(options.source))
    out = Path(options.out) if options.out else Path(f"{options.source.rstrip('/')}_{Path(options.recipe).stem}")
    _threads(options)
    with _gate_told(out, options):
        report = pipeline.compress(options.recipe, options.source, out, config=config, app=app.name, command=command)
    return _show(report, out, options)


def _export(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    out = _out(app, options)
    files = pipeline.export(out, config=_trained_config(app, options, out), app=app.name)
    described = [{**dataclasses.asdict(each), "file": str(out / each.file), "bytes": (out / each.file).stat().st_size} for each in files]
    if options.json:
        _print_json(described)
    else:
        for each in described:
            print(f"{each['bytes'] / 1e6:8.2f} MB  {each['file']}" + ("  (ships)" if each["ships"] else ""))
    return 0


def _evaluate(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch import pipeline

    out = _out(app, options)
    config = _trained_config(app, options, out)
    if options.data is not None:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, path=options.data))
    with _gate_told(out, options):
        report = pipeline.evaluate(out, config=config, app=app.name, command=command)
    return _show(report, out, options)


def _predict(app: App, options: argparse.Namespace, command: str) -> int:
    from tfarch.runtime import load

    config = _config(app, options)
    if options.texts and options.input:
        raise InputError("texts are given both as arguments and by --input", mend="give one of them")
    bundle = Path(options.bundle) if options.bundle else _out(app, options) / "bundle"
    threads = options.threads or min(4, len(os.sched_getaffinity(0)))
    with quiet():  # LiteRT tells which delegate it takes
        classifier = load(bundle, threads=threads)
    width = max(map(len, classifier.labels))
    for texts in _chunks(_texts(options, config)):
        for prediction in classifier.predict(texts, top=options.top):
            if options.json:
                print(json.dumps(prediction.as_dict(), ensure_ascii=False))
            else:
                label = "out of scope" if prediction.out_of_scope else prediction.label
                others = ", ".join(
                    f"{name} {probability:.2f}" for name, probability in prediction.top[0 if prediction.out_of_scope else 1 :]
                )
                print(
                    f"{label:<{width}}  {prediction.probability:.2f}  {' '.join(prediction.text.split())[:80]}"
                    + (f"  ({others})" if others else "")
                )
        sys.stdout.flush()
    return 0


def _texts(options: argparse.Namespace, config: Config) -> Iterator[str]:
    if options.texts:
        yield from (os.fsencode(text).decode("utf-8", "replace") for text in options.texts)  # as standard input is decoded
    elif options.input and options.input != "-" and Path(options.input).suffix.lower() in (".csv", ".tsv", ".jsonl", ".ndjson"):
        from tfarch.data import read_texts

        yield from read_texts(options.input, config.data.text_column)
    elif options.input and options.input != "-":
        try:
            with open(options.input, encoding="utf-8", errors="replace") as lines:
                yield from (line.rstrip("\r\n") for line in lines)
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=options.input) from error
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
    from tfarch.run_folder import RunFolder

    folder = RunFolder(_out(app, options))
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
    "report": _report,
}


# Output


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _show(report: dict[str, Any], out: Path, options: argparse.Namespace) -> int:
    from tfarch.evaluation.figures import chosen_variant, rejection
    from tfarch.evaluation.terminal import variants_table

    if options.json:
        _print_json(report)
        return 0
    print(variants_table(report))
    print()
    cost = rejection(chosen_variant(report))
    if cost:
        print(textwrap.fill(cost, 100), end="\n\n")
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
    from tfarch.run_folder import RunFolder

    try:
        yield
    except GateError:
        folder = RunFolder(out)
        if options.json:
            _print_json(json.loads(folder.report_json.read_text(encoding="utf-8")))
        say(f"the report was written: {folder.report_html}")
        raise
