"""What simple ways reach on the rows of a run of ours: its tables and the untrained encoder's vectors, handed to `benchmarks.baselines`."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.workers import BENCH_PYTHON, timed


def simple_ways(run: Path, parts: Sequence[str], only: Sequence[str] = (), task: str = "") -> dict:
    """Accuracy, settings and seconds of each way on the run's test rows, by its name.

    Args:
        run: the folder of a run.
        parts: whose rows train, of "train" and "valid".
        only: ways, see `benchmarks.baselines`; none: all.
        task: of a run of several, which of them.
    """
    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    from tfarch.config import Config
    from tfarch.pipeline.prepare import prepare
    from tfarch.pipeline.untrained import untrained_vectors

    prepared = prepare(Config().with_file(run / "config.yaml"), run / "cache")[task]
    chosen = {"train": [getattr(prepared, part).in_scope for part in parts], "test": [prepared.test.in_scope]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        features = {}
        for part, tables in chosen.items():
            with open(folder / f"{part}.csv", "w", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream)
                writer.writerow(["text", "label"])
                writer.writerows(
                    (text, prepared.labels[target]) for table in tables for text, target in zip(table.texts, table.targets, strict=True)
                )
            features[part] = np.concatenate([untrained_vectors(prepared.start, table.tokens, run / "cache") for table in tables])
        np.savez(folder / "features.npz", **features)
        files = ["--train", str(folder / "train.csv"), "--test", str(folder / "test.csv"), "--features", str(folder / "features.npz")]
        asked = ["--only", *only] if only else []
        return json.loads(timed([str(BENCH_PYTHON), "-m", "benchmarks.baselines", *files, *asked])["stdout"])
