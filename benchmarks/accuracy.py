"""Accuracy of `run` with its defaults on a data set, over several seeds, beside simple ways on the same rows.

What it compares: the test accuracy of the exported float32 and dynamic int8 files of `python -m apps.customer_service run --data DATA --seed N`, each
a whole process whose wall time and peak memory are taken; with majority, TF-IDF and logistic regression, fastText, and the frozen encoder and
logistic regression (`benchmarks.baselines`, each with settings chosen by cross-validation on the training rows). The seed settles which rows are
held out for validation, their order, and dropout.

What it costs: BANKING77, three seeds: about 20 minutes on 2 cores, the baselines 5 more. What it last gave: RESULTS.md, "Accuracy".

    make bench-env
    .venv/bin/python -m benchmarks.accuracy --data FOLDER --out saved_models/banking77 --seeds 0 1 2

The run of the first seed lies in `<out>/seed_0`, for the other benchmarks. A run that is there already is not made again: its report counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

from benchmarks.simple_ways import simple_ways
from benchmarks.workers import table, timed

VARIANTS = ("float32", "dynamic_int8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder or file (default: the embedded sample)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting that is not the default; repeatable")
    parser.add_argument("--no-baselines", action="store_true", help="our runs alone")
    options = parser.parse_args()
    runs = {seed: _run(options, seed) for seed in options.seeds}
    rows = []
    for seed, run in runs.items():
        accuracies = [f"{100 * run['accuracy'][variant]:.2f} %" for variant in VARIANTS]
        rows.append([f"tfarch, seed {seed}", *accuracies, f"{run['seconds'] / 60:.1f} min", f"{run['peak_mb']:.0f} MB"])
    accuracies = {variant: [100 * run["accuracy"][variant] for run in runs.values()] for variant in VARIANTS}
    summary = [f"{statistics.mean(values):.2f} % ({min(values):.2f} to {max(values):.2f})" for values in accuracies.values()]
    rows.append(["**tfarch, mean (lowest to highest)**", *(f"**{each}**" for each in summary), "", ""])
    baselines = {} if options.no_baselines else simple_ways(options.out / f"seed_{options.seeds[0]}", ("train", "valid"))
    for name, found in baselines.items():
        rows.append(
            [f"{name.replace('_', ' ')} ({found['settings']})", f"{100 * found['accuracy']:.2f} %", "", f"{found['seconds']:.0f} s", ""]
        )
    print(table(["", "accuracy, float32", "accuracy, dynamic int8", "whole run", "peak memory"], rows))
    print(json.dumps({"runs": runs, "baselines": baselines}))
    return 0


def _run(options: argparse.Namespace, seed: int) -> dict:
    out = options.out / f"seed_{seed}"
    figures = out / "whole_run.json"
    if figures.is_file():
        return json.loads(figures.read_text(encoding="utf-8"))
    print(f"run with seed {seed}", file=sys.stderr)
    data = ["--data", options.data] if options.data else []
    settings = [part for setting in options.set for part in ("--set", setting)]
    whole = timed(
        [sys.executable, "-m", "apps.customer_service", "run", *data, "--out", str(out), "--seed", str(seed), "--json", *settings]
    )
    report = json.loads(whole.pop("stdout"))
    whole["accuracy"] = {each["name"]: each["metrics"]["accuracy"] for each in report["variants"]}
    whole["bytes"] = {each["name"]: each["bytes"] for each in report["variants"]}
    whole["latency_ms"] = {each["name"]: each["latency_ms"] for each in report["variants"]}
    whole["machine"] = report["machine"]
    figures.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    print(f"  {whole['accuracy']}, {whole['seconds']:.0f} s", file=sys.stderr)
    return whole


if __name__ == "__main__":
    sys.exit(main())
