"""Topic and sentiment of financial texts by one model, over several seeds, beside simple ways on the same rows.

What it compares: accuracy and macro F1 on the test rows of the exported float32 and dynamic int8 files of `python -m apps.finance_sentiment run
--sentiment-data ... --topic-data ...` with its defaults, both heads in one file; with majority, a lexicon (VADER, its thresholds fitted on the training
rows), TF-IDF and logistic regression, and the frozen encoder and logistic regression (`benchmarks.baselines`), each trained on one task's training and validation
rows. Test rows are the file `valid.csv` of each folder, which is that set's usual test; validation is split off `train.csv` by the seed. Intervals: 95 %, Wilson, of
one seed's test rows.

What it costs: the two Twitter sets, two and four epochs of 25,445 texts for each seed: half an hour to forty minutes on 2 cores, and five minutes of measuring. What it last gave: RESULTS.md, "Financial texts".

    make bench-env
    .venv/bin/python -m benchmarks.finance --sentiment FOLDER --topic FOLDER --out saved_models/finance --seeds 0 1 2

A run that is there already is not made again: its report counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

from benchmarks.simple_ways import simple_ways
from benchmarks.workers import table, timed
from tfarch.evaluation.metrics import wilson_interval

TASKS, VARIANTS = ("sentiment", "topic"), ("float32", "dynamic_int8")
WAYS = {"sentiment": ("majority", "lexicon", "tfidf", "frozen"), "topic": ("majority", "tfidf", "frozen")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for task in TASKS:
        parser.add_argument(f"--{task}", type=Path, required=True, help="folder with train.csv and valid.csv, columns text,label")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting that is not the default; repeatable")
    parser.add_argument("--no-baselines", action="store_true", help="our runs alone")
    options = parser.parse_args()
    folders = {task: with_test(getattr(options, task), options.out / "data" / task) for task in TASKS}
    runs = {seed: _run(options, folders, seed) for seed in options.seeds}
    rows = []
    for seed, run in runs.items():
        cells = [_cell(run["metrics"][variant][task], run["test"][task]) for task in TASKS for variant in VARIANTS]
        rows.append([f"tfarch, seed {seed}", *cells, f"{run['seconds'] / 60:.1f} min"])
    means = [_mean([run["metrics"][variant][task] for run in runs.values()]) for task in TASKS for variant in VARIANTS]
    rows.append(["**tfarch, mean (lowest to highest)**", *means, ""])
    baselines = {}
    if not options.no_baselines:
        first = options.out / f"seed_{options.seeds[0]}"
        baselines = {task: simple_ways(first, ("train", "valid"), WAYS[task], task) for task in TASKS}
    for way in dict.fromkeys(way for found in baselines.values() for way in found):
        cells = [cell for task in TASKS for cell in (_baseline(baselines[task].get(way)), "")]
        rows.append([way.replace("_", " "), *cells, ""])
    print(table(["accuracy / macro F1", *(f"{task}, {variant}" for task in TASKS for variant in VARIANTS), "whole run"], rows))
    print(json.dumps({"runs": runs, "baselines": baselines}))
    return 0


def _cell(metrics: dict, rows: int) -> str:
    low, high = wilson_interval(round(metrics["accuracy"] * rows), rows)
    return f"{100 * metrics['accuracy']:.2f} ({100 * low:.1f} to {100 * high:.1f}) / {100 * metrics['macro_f1']:.2f}"


def _mean(each: list[dict]) -> str:
    accuracies = [100 * metrics["accuracy"] for metrics in each]
    macro = statistics.mean(100 * metrics["macro_f1"] for metrics in each)
    return f"**{statistics.mean(accuracies):.2f} ({min(accuracies):.2f} to {max(accuracies):.2f}) / {macro:.2f}**"


def _baseline(found: dict | None) -> str:
    return "" if found is None else f"{100 * found['accuracy']:.2f} / {100 * found['macro_f1']:.2f} ({found['settings']})"


def with_test(folder: Path, place: Path) -> Path:
    """A folder whose test is the given `valid.csv`, so that no row of it has a say in the training."""
    place.mkdir(parents=True, exist_ok=True)
    for name, source in (("train.csv", "train.csv"), ("test.csv", "valid.csv")):
        link = place / name
        link.unlink(missing_ok=True)
        link.symlink_to((folder / source).resolve())
    return place


def _run(options: argparse.Namespace, folders: dict[str, Path], seed: int) -> dict:
    out = options.out / f"seed_{seed}"
    figures = out / "whole_run.json"
    settings = [part for setting in options.set for part in ("--set", setting)]
    if figures.is_file():
        kept = json.loads(figures.read_text(encoding="utf-8"))
        if kept["settings"] != settings:
            sys.exit(f"{out} holds a run with the settings {kept['settings']}: choose another --out")
        return kept
    print(f"run with seed {seed}", file=sys.stderr)
    data = [part for task, folder in folders.items() for part in (f"--{task}-data", str(folder))]
    command = [sys.executable, "-m", "apps.finance_sentiment", "run", *data, "--out", str(out), "--seed", str(seed), "--json", *settings]
    whole = timed(command, limit_s=10_800)
    report = json.loads(whole.pop("stdout"))
    whole["settings"] = settings
    whole["metrics"] = {each["name"]: each["metrics"] for each in report["variants"]}
    whole["test"] = {task: report["tasks"][task]["data"]["test"] for task in TASKS}
    whole["bytes"] = {each["name"]: each["bytes"] for each in report["variants"]}
    whole["machine"] = report["machine"]
    figures.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    shown = {task: {variant: round(100 * whole["metrics"][variant][task]["accuracy"], 2) for variant in VARIANTS} for task in TASKS}
    print(f"  {shown}, {whole['seconds']:.0f} s", file=sys.stderr)
    return whole


if __name__ == "__main__":
    sys.exit(main())
