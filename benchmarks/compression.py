"""Recipes on one data set, over several seeds: what each costs in accuracy and gives in bytes and speed, measured on the exported files.

What it compares: the dynamic int8 file of each recipe with the float32 and dynamic int8 files of the run that it starts from: accuracy on the test rows with the paired difference
to float32, megabytes raw and gzipped, and the median milliseconds of a text at one thread. The files of a run are timed in turn, so the ratio of two of them is that of one
machine at one time.

What it costs: a whole run for each seed, and a recipe's epochs for each seed and recipe; on one core with bfloat16 BANKING77's run took 17 minutes and `small` 40, without it the run 20 to 28, `small` 70, `tiny` 17, a
pruning of the third command 13 to 15. What it last gave: RESULTS.md, "Recipes" and "By which criterion".

    .venv/bin/python -m benchmarks.compression --data FOLDER --recipes prune30 mine.yaml --out saved_models/compression --seeds 0 1 2
    .venv/bin/python -m benchmarks.compression --finance SENTIMENT_FOLDER TOPIC_FOLDER --recipes small tiny --out saved_models/compression_finance --seeds 0
    .venv/bin/python -m benchmarks.compression --data FOLDER --criteria magnitude gradient information movement --sparsities 0.3 0.5 0.7 0.9 --out saved_models/compression

The second is of one model for two tasks, whose test rows are each folder's `valid.csv`. The third prunes by each criterion to each sparsity, by one budget for all kernels, in so many epochs, by the labels alone and taught by the trained model.

What is there already is not made again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.finance import TASKS, with_test
from benchmarks.workers import table, timed

LATENCY = "threads_1"
# Of the prunings: zeros change no time.
BRIEF = (
    "evaluate.typo_rows=0",
    "evaluate.threads=[1]",
    "evaluate.latency_texts=30",
    "evaluate.latency_repeats=1",
    "export.variants=[float32,dynamic_int8]",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data", type=Path, help="folder with train.csv and test.csv, columns text,label")
    data.add_argument(
        "--finance",
        type=Path,
        nargs=2,
        metavar=("SENTIMENT", "TOPIC"),
        help="folders with train.csv and valid.csv, for apps.finance_sentiment",
    )
    parser.add_argument("--recipes", nargs="+", default=[], metavar="RECIPE", help="names of shipped recipes, or files")
    parser.add_argument("--criteria", nargs="+", default=[], metavar="NAME", help="of the stage prune, each with each of --sparsities")
    parser.add_argument("--sparsities", nargs="+", type=float, default=[0.3, 0.5, 0.7, 0.9])
    parser.add_argument("--epochs", type=int, default=2, help="of these prunings")
    parser.add_argument("--learning-rate", type=float, default=2e-4, help="of these prunings, at its peak")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    grid = _grid(options)
    recipes = [*options.recipes, *grid]
    if not recipes:
        parser.error("give --recipes or --criteria")
    app, asked = "customer_service", ["--data", str(options.data)]
    if options.finance:
        folders = {task: with_test(folder, options.out / "data" / task) for task, folder in zip(TASKS, options.finance, strict=True)}
        app, asked = "finance_sentiment", [part for task, folder in folders.items() for part in (f"--{task}-data", str(folder))]
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in options.seeds:
        base = options.out / f"run_{seed}"
        _done(app, base, "run", *asked, "--seed", str(seed), "--set", "label_errors.find=false")
        for recipe in recipes:
            name = Path(recipe).stem
            brief = [part for each in BRIEF for part in ("--set", each)] if recipe in grid else []
            report = _done(app, options.out / f"{name}_{seed}", "compress", "--recipe", recipe, "--from", str(base), *brief)
            variants = {each["name"]: each for each in report["variants"]}
            for label, variant in (("float32", "float32"), ("dynamic int8", "dynamic_int8"), (name, report["chosen"])):
                if label == name or recipe == recipes[0]:
                    for task, figures in _figures(variants[variant], variants).items():
                        found.setdefault(f"{label}, {task}" if task else label, []).append(figures)
    heads = ["", "accuracy, % (each seed)", "less float32, points", "MB", "gzipped MB", "p50 of int8's"]
    print(table(heads, [_row(label, each) for label, each in found.items()]))
    print(json.dumps(found))
    return 0


def _grid(options: argparse.Namespace) -> list[str]:
    """Recipes that prune by each criterion to each sparsity, with and without a teacher, as files."""
    folder, files = options.out / "recipes", []
    folder.mkdir(parents=True, exist_ok=True)
    for criterion, sparsity, share in itertools.product(options.criteria, options.sparsities, (0.0, 0.5)):
        name = f"{criterion}_{100 * sparsity:.0f}" + ("_taught" if share else "")
        stage = {
            "kind": "prune",
            "criterion": criterion,
            "scope": "global",
            "sparsity": sparsity,
            "epochs": options.epochs,
            "learning_rate": options.learning_rate,
            "distillation": share,
        }
        (folder / f"{name}.yaml").write_text(json.dumps({"version": 1, "name": name, "stages": [stage]}), encoding="utf-8")  # JSON is YAML
        files.append(str(folder / f"{name}.yaml"))
    return files


def _done(app: str, out: Path, verb: str, *arguments: str) -> dict[str, Any]:
    """The report of a run that is there, or is made now."""
    report = out / "report.json"
    if not report.is_file():
        print(f"{verb} into {out}", file=sys.stderr)
        timed([sys.executable, "-m", f"apps.{app}", verb, *arguments, "--out", str(out), "--json"], limit_s=10_800)
    return json.loads(report.read_text(encoding="utf-8"))


def _figures(variant: dict[str, Any], variants: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of each task; of a model that has one, under ''."""
    own, whole = variant["metrics"], variants["float32"]["metrics"]
    tasks = {"": (own, whole)} if "accuracy" in own else {task: (own[task], whole[task]) for task in TASKS}
    return {
        task: {
            "accuracy": mine["accuracy"],
            "less_float32": mine["accuracy"] - before["accuracy"],
            "mb": variant["bytes"] / 1e6,
            "gzip_mb": variant["gzip_bytes"] / 1e6,
            "of_int8": variant["latency_ms"][LATENCY]["p50"] / variants["dynamic_int8"]["latency_ms"][LATENCY]["p50"],
        }
        for task, (mine, before) in tasks.items()
    }


def _row(label: str, each: list[dict[str, Any]]) -> list[str]:
    means = {name: statistics.mean(figures[name] for figures in each) for name in each[0]}
    seeds = ", ".join(f"{100 * figures['accuracy']:.2f}" for figures in each)
    return [
        label,
        f"{100 * means['accuracy']:.2f} ({seeds})",
        f"{100 * means['less_float32']:+.2f}",
        f"{means['mb']:.2f}",
        f"{means['gzip_mb']:.2f}",
        f"{means['of_int8']:.2f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
