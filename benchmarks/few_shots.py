"""Accuracy with 5 and 10 rows of each class, on several draws of them, beside simple ways on the same draws.

What it compares, on the test rows, by mean and deviation over the draws: `run --shots K` with its defaults, and with `--unlabelled rest`, which learns from
the texts of the training rows that the draw leaves out, their labels unseen (both: the int8 file that ships); the frozen encoder with logistic
regression, and TF-IDF with logistic regression, their settings by cross-validation on the drawn rows. Validation's labels settle temperature and threshold
of ours and no label that it gives.

What it costs: BANKING77, five draws of each: two hours on 2 cores. What it last gave: RESULTS.md, "Few shots".

    make bench-env
    .venv/bin/python -m benchmarks.few_shots --data FOLDER --out saved_models/few_shots

A run that is there already is not made again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.simple_ways import simple_ways
from benchmarks.workers import ROOT, table

WAYS = {"labelled rows alone": [], "and texts without labels": ["--unlabelled", "rest"]}
SIMPLE = {"tfidf": "tfidf_logistic_regression", "frozen": "frozen_encoder_logistic_regression"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with train and test")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--shots", type=int, nargs="+", default=[5, 10])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--no-baselines", action="store_true", help="our runs alone")
    options = parser.parse_args()
    found: dict[str, dict[int, list[float]]] = {}
    for shots in options.shots:
        for way, arguments in WAYS.items():
            out = options.out / f"{shots}_{'unlabelled' if arguments else 'labelled'}"
            accuracies = _run(options, out, shots, arguments)
            found.setdefault(f"**tfarch, {way}**", {})[shots] = accuracies
        if not options.no_baselines:
            draws = [out, *(out / "fewer_rows" / f"draw_{number}" for number in range(1, options.draws))]
            results = [simple_ways(draw, ("train",), tuple(SIMPLE)) for draw in draws]
            for name in SIMPLE.values():
                found.setdefault(name.replace("_", " "), {})[shots] = [each[name]["accuracy"] for each in results]
    rows = [[way, *(_mean(by_shots[shots]) for shots in options.shots)] for way, by_shots in found.items()]
    print(table(["", *(f"{shots} rows of each class" for shots in options.shots)], rows))
    print(json.dumps(found))
    return 0


def _run(options: argparse.Namespace, out: Path, shots: int, arguments: list[str]) -> list[float]:
    """The accuracy of each draw."""
    made = out / "report.json"
    if made.is_file():
        draws = json.loads(made.read_text(encoding="utf-8")).get("shots", {}).get("draws", [])
        if len(draws) == options.draws:
            return [each["accuracy"] for each in draws]
    command = [sys.executable, "-m", "apps.customer_service", "run", "--data", options.data, "--out", str(out), "--json"]
    command += ["--shots", str(shots), "--draws", str(options.draws), *arguments]
    report = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    return [each["accuracy"] for each in report["shots"]["draws"]]


def _mean(accuracies: list[float]) -> str:
    values = [100 * each for each in accuracies]
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{deviation} %"


if __name__ == "__main__":
    sys.exit(main())
