"""Accuracy with few rows, with one setting of ours and another: the sample's training and validation rows, split anew; its test rows take no part.

What it compares: one training for each split and each way, every way on the same rows; for each class of a split `--shots` rows train, 4 validate and
4 are held out. The figures are those of the float32 model on the held-out rows: accuracy, and negative log-likelihood at the temperature that fits
validation. For choices of defaults, which the test must not see.

What it costs: 16 rows an intent and three splits, 2 minutes on 2 cores for each training. What it last gave: RESULTS.md, "Few rows".

    .venv/bin/python -m benchmarks.few_rows --ways "" "model.unit_vectors=false"
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.workers import table

HELD = 4  # rows of a class for validation, and as many for the figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--ways", nargs="+", default=[""], metavar="SETTINGS", help="settings NAME=VALUE, several joined by spaces; '': the defaults"
    )
    parser.add_argument("--shots", type=int, default=16, help="training rows of a class")
    parser.add_argument("--splits", type=int, default=3)
    options = parser.parse_args()
    from apps.customer_service.app import APP

    by_label = _by_label(APP.sample)
    found: dict[str, list[dict]] = {way: [] for way in options.ways}
    with tempfile.TemporaryDirectory() as folder:
        for split in range(options.splits):
            data = _write_split(by_label, options.shots, split, Path(folder) / f"split_{split}")
            for number, way in enumerate(options.ways):
                found[way].append(_held_out_figures(data, Path(folder) / f"run_{split}_{number}", way))
                print(f"split {split}, {way or 'the defaults'}: {found[way][-1]}", file=sys.stderr, flush=True)
    rows = []
    for way, figures in found.items():
        accuracies = [100 * each["accuracy"] for each in figures]
        each_split = ", ".join(f"{value:.1f}" for value in accuracies)
        loss = statistics.mean(each["nll"] for each in figures)
        rows.append([way or "the defaults", f"{statistics.mean(accuracies):.1f} % ({each_split})", f"{loss:.3f}"])
    print(table(["", "accuracy", "negative log-likelihood"], rows))
    print(json.dumps(found))
    return 0


def _by_label(sample: Path) -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {}
    for part in ("train", "valid"):
        with open(sample / f"{part}.csv", newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if row["label"] != "oos":
                    rows.setdefault(row["label"], []).append(row["text"])
    return dict(sorted(rows.items()))


def _write_split(by_label: dict[str, list[str]], shots: int, seed: int, folder: Path) -> Path:
    """A folder with train.csv, valid.csv and, as its test, the rows held out."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    ends = {"valid": (0, HELD), "test": (HELD, 2 * HELD), "train": (2 * HELD, 2 * HELD + shots)}
    shuffled = {label: [texts[row] for row in random.permutation(len(texts))] for label, texts in by_label.items()}
    for part, (start, end) in ends.items():
        with open(folder / f"{part}.csv", "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label"])
            writer.writerows((text, label) for label, texts in shuffled.items() for text in texts[start:end])
    return folder


def _held_out_figures(data: Path, out: Path, way: str) -> dict[str, float]:
    import tfarch
    from tfarch.config import Config
    from tfarch.evaluation.metrics import classification_metrics
    from tfarch.pipeline.prepare import prepare
    from tfarch.runtime.logistic import softmax
    from tfarch.training.inference import Forward

    config = Config()
    for setting in way.split():
        config = config.with_setting(setting)
    trained = tfarch.train(data, out, config=config).only
    stage = trained.stages[0]
    config = config.with_values({"data": {"path": str(data)}})
    held = prepare(config, out / "cache")[""].test.in_scope
    probabilities = softmax(Forward(trained.build(stage))(held.tokens) / stage.calibration["temperature"])
    figures = classification_metrics(probabilities, held.targets, trained.labels)
    return {"accuracy": figures["accuracy"], "nll": figures["nll"]}


if __name__ == "__main__":
    sys.exit(main())
