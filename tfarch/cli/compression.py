"""`python -m tfarch.compression`: the recipes that there are, a recipe for a model of one's own, and what any TFLite file costs."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfarch.cli import answered
from tfarch.errors import InputError

LENGTHS, THREADS, REPEATS = (16, 64), (1, 2), 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a verb and returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tfarch.compression", description="Recipes, for models of your own too, and what a TFLite file costs."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    told = "list the recipes that come with tfarch; an app's verbs `compress --recipe NAME` and `run --recipe NAME` apply them"
    _shared(verbs.add_parser("recipes", help="list the recipes that come with tfarch", description=told))
    applies = "apply a recipe to a functional tf_keras model of your own, export and measure what it leaves"
    own = verbs.add_parser("compress", help=applies, description=applies)
    own.add_argument("model", metavar="MODEL", help="a .keras or .h5 file, or a Keras SavedModel; or the folder of a classifier's run")
    own.add_argument("--recipe", required=True, metavar="NAME|FILE", help="see `recipes`")
    own.add_argument("--out", required=True, metavar="DIR", help="folder for the files and the report")
    own.add_argument(
        "--data", metavar="FILE.npz", help="training rows: the model's inputs by name (of one input also x), and y; a run has its own"
    )
    own.add_argument("--test", metavar="FILE.npz", help="rows to measure on (default: a fifth of --data, drawn by the seed)")
    own.add_argument("--batch-size", type=_count, default=32, metavar="N", help="rows of an update (default 32)")
    own.add_argument("--seed", type=int, default=0, metavar="N", help="of the split and of the order of the rows (default 0)")
    _shared(own)
    costs = "latency, memory, bytes and delegated operators of any TFLite file, and what it gets right"
    own = verbs.add_parser("benchmark", help=costs, description=costs)
    own.add_argument("file", metavar="FILE")
    counts = {"nargs": "+", "type": _count}
    own.add_argument(
        "--lengths",
        default=list(LENGTHS),
        metavar="N",
        help=f"open dimensions but the batch, in turn (default {_spaced(LENGTHS)})",
        **counts,
    )
    own.add_argument(
        "--threads", default=list(THREADS), metavar="N", help=f"of the interpreter, in turn (default {_spaced(THREADS)})", **counts
    )
    own.add_argument("--repeats", type=_count, default=REPEATS, metavar="N", help=f"timed passes of ten calls (default {REPEATS})")
    rows = "rows that it is asked: a table of texts and labels for a file of a run, else FILE.npz: its inputs by name (of one input also x), and y"
    own.add_argument("--data", metavar="FILE", help=rows)
    own.add_argument("--text-column", default="text", metavar="NAME", help="of the table (default text)")
    own.add_argument("--label-column", default="label", metavar="NAME", help="of the table (default label)")
    _shared(own)
    given = list(sys.argv[1:] if arguments is None else arguments)
    return answered(parser, given, lambda options: _work(options, shlex.join(["python", "-m", "tfarch.compression", *given])))


def _work(options: argparse.Namespace, command: str) -> int:
    find, show = {
        "recipes": (_recipes, _recipes_text),
        "compress": (lambda: _compress(options, command), lambda report: _report_text(report, Path(options.out))),
        "benchmark": (lambda: _benchmark(options), _benchmark_text),
    }[options.verb]
    found = find()
    print(json.dumps(found, ensure_ascii=False) if options.json else show(found))
    return 0


def _compress(options: argparse.Namespace, command: str) -> dict[str, Any]:
    place = Path(options.model)
    if (place / "config.yaml").is_file():
        return _compress_run(options, command)
    if (place / "bundle.json").is_file():
        raise InputError("is what ships: a recipe needs the weights, which are in the run's folder", file=place, mend="give that folder")
    if options.data is None:
        raise InputError("--data is missing: the rows that a model of your own trains on", mend="--data FILE.npz")
    from tfarch import pipeline

    pipeline.start_tensorflow()
    from tfarch.compression.recipe import load_recipe
    from tfarch.pipeline.model_job import compress_model
    from tfarch.pipeline.own_model import load_model, read_rows

    recipe, model = load_recipe(options.recipe), load_model(place)
    rows = read_rows(options.data, model)
    test = None if options.test is None else read_rows(options.test, model)
    settings = {"test": test, "batch_size": options.batch_size, "seed": options.seed, "name": place.stem, "command": command}
    return compress_model(model, recipe, rows, options.out, **settings)


def _compress_run(options: argparse.Namespace, command: str) -> dict[str, Any]:
    """What `python -m apps.APP compress` does, for whoever trained without an app."""
    for name in ("data", "test"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name}: a run has its own rows", file=options.model, mend="leave it out")
    from tfarch import pipeline

    return pipeline.compress(options.recipe, options.model, options.out, command=command)


def _report_text(report: dict[str, Any], out: Path) -> str:
    from tfarch.evaluation.tasks import views
    from tfarch.evaluation.terminal import variants_table

    tables = [f"{task}\n{variants_table(view)}" if task else variants_table(view) for task, view in views(report).items()]
    left = "bundle/" if (out / "bundle").is_dir() else "model.keras"
    return "\n".join([*tables, f"In {out}: report.html, {left}, variants/"])


def _shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10**6:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1")
    return int(text)


def _spaced(values: Sequence[int]) -> str:
    return " ".join(map(str, values))


def _recipes() -> list[dict[str, Any]]:
    from tfarch.compression.recipe import load_recipe, shipped_recipes

    return [{**load_recipe(name).as_dict(), "header": _header(file)} for name, file in shipped_recipes().items()]


def _header(file: Any) -> str:
    """The comment that a recipe begins with: what it costs and gives."""
    lines = file.read_text(encoding="utf-8").splitlines()
    end = next(place for place, line in enumerate([*lines, ""]) if not line.startswith("#"))
    return " ".join(line.lstrip("# ").rstrip() for line in lines[:end])


def _recipes_text(recipes: Sequence[dict[str, Any]]) -> str:
    width = max(len(each["name"]) for each in recipes)
    blocks = []
    for each in recipes:
        stages = ", ".join(stage["kind"] for stage in each["stages"])
        blocks.append(f"{each['name']:<{width}}  {each['description']} ({stages})\n{'':<{width}}  {each['header']}")
    return "\n".join(blocks)


def _benchmark(options: argparse.Namespace) -> dict[str, Any]:
    from tfarch.evaluation.file_benchmark import benchmark
    from tfarch.pipeline.file_accuracy import file_accuracy
    from tfarch.quiet import quiet

    with quiet():  # LiteRT tells which delegate it takes
        found = benchmark(options.file, lengths=options.lengths, threads=options.threads, repeats=options.repeats)
        if options.data is not None:
            found["quality"] = file_accuracy(options.file, options.data, text_column=options.text_column, label_column=options.label_column)
    return found


def _quality_lines(quality: dict[str, Any]) -> list[str]:
    lines = []
    for task, found in quality.get("tasks", {"": quality}).items():
        name = f"{task}: " if task else ""
        if "mse" in found:
            lines.append(f"{name}mean squared error {found['mse']:.4g} of {found['rows']:,} rows")
            continue
        low, high = (f"{100 * each:.2f}" for each in found["accuracy_interval"])
        lines.append(f"{name}accuracy {100 * found['accuracy']:.2f} % ({low} to {high}) of {found['rows']:,} rows")
        if left := found.get("left_out"):
            shown = ", ".join(f"{label} {count:,}" for label, count in sorted(left.items(), key=lambda each: -each[1])[:5])
            lines.append(f"{name}{sum(left.values()):,} rows left out, whose labels the file does not know: {shown}")
    return [*lines, ""]


def _benchmark_text(found: dict[str, Any]) -> str:
    lines = [
        f"{found['file']}: {found['bytes'] / 1e6:.2f} MB, {found['gzip_bytes'] / 1e6:.2f} MB gzipped, {found['memory_mb']:.1f} MB in memory",
        f"{found['operators']} operators, {100 * found['delegated']:.0f} % of them delegated in {found['stretches']} stretches",
        f"{found['machine']['cpu']}, LiteRT {found['machine']['litert']}",
        "",
        *(_quality_lines(found["quality"]) if "quality" in found else ()),
        f"{'threads':>7}  {'length':>6}  {'p50':>9}  {'p95':>9}  {'p99':>9}",
    ]
    for threads, lengths in found["latency_ms"].items():
        for length, each in lengths.items():
            lines.append(
                f"{threads.removeprefix('threads_'):>7}  {length:>6}  "
                + "  ".join(f"{each[name]:>6.2f} ms" for name in ("p50", "p95", "p99"))
            )
    return "\n".join(lines)
