"""The arguments of the command line: verbs and their options, and the settings that a call makes of them."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfarch.app import App
from tfarch.cli.discover import discover_options
from tfarch.config import Config
from tfarch.errors import InputError

VERBS = {
    "run": "the whole main job: check, train, compress, export, evaluate, report",
    "check": "look at the data: duplicates, leaks, contradictions, bad rows",
    "train": "train only, into <out>/checkpoints",
    "compress": "apply a recipe to a trained run, export and evaluate the result",
    "export": "write the TFLite variants and the bundle of a trained run",
    "evaluate": "measure the exported files on the test rows and write the report",
    "predict": "labels of texts: as arguments, from --input, or a line each from standard input",
    "discover": "group the questions that the model does not answer, as candidates for new classes",
    "report": "show a run's table again and rewrite its report.html",
}

DRAWS = 5  # of `run --shots`
METHODS = ("occlusion", "integrated_gradients")  # of `predict --explain`

# Short options of single settings.
SETTINGS = {
    "--text-column": "data.text_column",
    "--label-column": "data.label_column",
    "--oos-label": "data.oos_label",
    "--data-licence": "data.licence",
    "--unlabelled": "data.unlabelled",
    "--devices": "train.devices",
    "--recipe": "compress.recipe",
    "--teacher": "compress.teacher",
}


def parser_of(app: App) -> argparse.ArgumentParser:
    """The parser of all verbs, the app's own among them."""
    parser = argparse.ArgumentParser(prog=f"python -m apps.{app.name}", description=app.title)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    own, core = {verb.name: verb for verb in app.verbs}, VERBS if app.classifies else {}
    for name in [*core, *(each for each in own if each not in core)]:
        text = own[name].help if name in own else core[name]
        settings = _defaults(app) if name in VERBS else "settings for --set and --config: `run --help` lists them"
        added = verbs.add_parser(name, help=text, description=text, epilog=settings, formatter_class=_Raw)
        if name in core:
            _options(added, name, app)
        else:
            _shared_options(added)
        if name in own:
            own[name].options(added)
    return parser


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps the table of settings as it is, and leaves room for long options."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=32, width=110)


def _defaults(app: App) -> str:
    config = app.settings.with_values(app.defaults)
    lines = ["settings, with --set NAME=VALUE or in --config FILE.yaml (default in brackets):"]
    for name, _, text in config.fields():
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
        parser.add_argument("--whole", action="store_true", help="the file of --input, or standard input, is one text")
        parser.add_argument("--bundle", metavar="DIR", help="the bundle (default <out>/bundle)")
        parser.add_argument("--top", type=int, default=3, metavar="N", help="labels to show for each text (default 3)")
        parser.add_argument("--explain", action="store_true", help="say why: what each word counts, and the training rows that are nearest")
        parser.add_argument(
            "--method",
            choices=METHODS,
            help="of --explain: leave words out of the file that ships, or gradients of the run's float model (default occlusion)",
        )
        if app.long_texts:
            parser.add_argument("--sentences", action="store_true", help="say of each sentence what is said of the text")
        if app.tasks:
            parser.add_argument("--task", metavar="NAME", help=f"of --explain: one of {', '.join(app.tasks)} (default: each)")
        parser.add_argument("--nearest", type=int, metavar="N", help="training rows that --explain shows (default 3; 0: none)")
        parser.add_argument("--text-column", metavar="NAME", help="column that holds the text (default text)")
        parser.add_argument("--out", metavar="DIR", help=out)
        return
    if verb == "discover":
        discover_options(parser, out)
        return
    if verb != "check":
        parser.add_argument("--out", metavar="DIR", help=out)
    if verb in ("run", "check", "train", "evaluate"):
        parser.add_argument(
            "--data", metavar="PATH|tfds:NAME", help="folder, CSV/TSV/JSONL file or tfds:NAME (default: the embedded sample)"
        )
        for task in app.tasks:
            named = f"data of its own for the task {task}, labels in a column label or {task}"
            parser.add_argument(f"--{task}-data", metavar="PATH|tfds:NAME", help=named)
            parser.add_argument(f"--{task}-column", metavar="NAME", help=f"column that holds the task {task} (default {task})")
        parser.add_argument("--text-column", metavar="NAME", help="column that holds the text (default text)")
        one = " (default: all tasks, a column each); another is learned alone" if app.tasks else " (default label)"
        parser.add_argument("--label-column", metavar="NAME", help=f"column that holds the label{one}")
        parser.add_argument("--oos-label", metavar="LABEL", help="label of out-of-scope rows (default oos)")
    if verb in ("run", "train", "compress"):
        parser.add_argument("--devices", metavar="DEVICES", help="auto, gpu:0,1, cpu, or cpu:N logical devices (default auto)")
        parser.add_argument("--recipe", metavar="NAME|FILE", required=verb == "compress", help="compression recipe (default none)")
        parser.add_argument(
            "--teacher", metavar="DIR", help="bundle or run whose answers its stages learn from (default: the trained model)"
        )
        parser.add_argument(
            "--unlabelled", metavar="FILE|rest", help="texts without labels to learn from too, or the rows that --shots leaves out"
        )
    if verb in ("run", "train"):
        parser.add_argument(
            "--data-licence", metavar="TEXT", help="licence of the data, which goes with the bundle (default: what the source says)"
        )
        parser.add_argument("--quick", action="store_true", help="a minute or less, for a look: few rows, one epoch")
        parser.add_argument("--shots", type=int, metavar="K", help="train on K rows of each class, drawn by chance")
    if verb == "run":
        parser.add_argument("--draws", type=int, metavar="N", help=f"with --shots: runs on N draws, mean and deviation (default {DRAWS})")
        parser.add_argument(
            "--learning-curve",
            nargs="?",
            type=_shares,
            const=(0.1, 0.25, 0.5),
            metavar="SHARES",
            help="runs on these shares of the training rows too (default 0.1,0.25,0.5)",
        )
    if verb == "compress":
        parser.add_argument("--from", dest="source", required=True, metavar="RUN", help="folder of the trained run")


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of shares such as 0.1,0.5") from error


def check_usage(options: argparse.Namespace, arguments: Sequence[str]) -> None:
    """What argparse cannot see is refused before any work.

    Raises:
        InputError: too many threads, or an argument that is not UTF-8.
    """
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


def config_of(app: App, options: argparse.Namespace, base: Config | None = None) -> Any:
    """The settings of a call, of the kind that the app has, laid over each other in the order of `tfarch.settings`; `base` takes the place of the defaults."""
    config = base or app.settings.with_values(app.defaults)
    if getattr(options, "quick", False):
        config = config.with_values(app.quick)
    for file in options.config:
        config = config.with_file(file)
    for option, setting in SETTINGS.items():
        value = getattr(options, option[2:].replace("-", "_"), None)
        if value is not None:
            section, key = setting.split(".")
            config = config.with_values({section: {key: value}})
    own, columns = (_of_tasks(app, options, what) for what in ("data", "column"))
    if own:
        config = config.with_values({"data": {"task_data": own, "path": None}})
    elif (column := getattr(options, "label_column", None)) is not None:  # one column alone
        tasks = [column] if column in app.tasks else []
        for task in columns:
            if task not in tasks:
                told = f"--label-column {column}: one column is learned alone, and --{task}-column names another"
                raise InputError(told, mend="give one of them")
        config = config.with_values({"data": {"tasks": tasks, "task_columns": {}}})
    if columns:
        config = config.with_values({"data": {"task_columns": {**config.data.task_columns, **columns}}})
    if getattr(options, "shots", None) is not None:
        from tfarch.pipeline.fewer_rows import of_shots

        config = of_shots(config, options.shots)
    for setting in options.set:
        config = config.with_setting(setting)
    if options.seed is not None:
        config = config.with_values({"seed": options.seed}, file="--seed")
    return config


def _of_tasks(app: App, options: argparse.Namespace, what: str) -> dict[str, str]:
    """What `--<task>-data` or `--<task>-column` give."""
    return {task: value for task in app.tasks if (value := getattr(options, f"{task}_{what}", None)) is not None}


def with_data(config: Config, app: App, options: argparse.Namespace) -> Config:
    """The settings with the path of `--data`, which takes the place of tasks' own data unless these are given beside it."""
    if options.data is None:
        return config
    own = config.data.task_data if any(getattr(options, f"{task}_data", None) for task in app.tasks) else {}
    return dataclasses.replace(config, data=dataclasses.replace(config.data, path=options.data, task_data=own))


def data_config(app: App, options: argparse.Namespace, base: Config | None = None) -> tuple[Config, str]:
    """The settings with the data's path, and the data's licence."""
    config = with_data(config_of(app, options, base), app, options)
    if config.data.path is None and not config.data.task_data:
        config = dataclasses.replace(config, data=dataclasses.replace(config.data, path=str(app.sample)))
    return config, app.sample_licence if config.data.path == str(app.sample) else "the user's own"


def out_of(app: App, options: argparse.Namespace) -> Path:
    """The folder of the run."""
    return Path(options.out) if options.out else app.default_out


def trained_config(app: App, options: argparse.Namespace, folder: Path) -> Config:
    """The settings of the run in `folder` with the user's laid over them.

    Raises:
        InputError: it holds no run, or one of another app, whose bundle may hold what this one does not know.
    """
    from tfarch.pipeline import GENERIC
    from tfarch.run_folder import RunFolder

    file = RunFolder(folder).config
    if not file.is_file():
        raise InputError("holds no run", file=folder, mend="the verbs train and run make one; --out names its folder")
    made_by = RunFolder(folder).app
    if made_by not in (None, GENERIC, app.name):
        raise InputError(f"is a run of the app {made_by}", file=folder, mend=f"python -m apps.{made_by} goes on with it")
    # The file of an older run does not say how long texts are answered.
    return config_of(app, options, Config().with_values({"export": {"long_texts": app.long_texts}}).with_file(file))
