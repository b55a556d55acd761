"""The peers of `benchmarks.front`, in the bench environment: ONNX Runtime's int8 of the run's network and of one of DistilBERT's size, fastText, static embeddings.

Each answers a count of 0 with the class number of every test row, of -1 with the bytes that it ships, and otherwise with the milliseconds of so many texts.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fasttext_tuned import line, tuned
from benchmarks.workers import serve, time_calls

DISTILBERT = {"vocabulary": 30522, "positions": 512, "segments": 2, "width": 768, "heads": [12] * 6, "feed_forward": [3072] * 6}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--serve", required=True)
    options = parser.parse_args()
    folder, way = options.folder, options.serve
    make = {
        "distilbert_size": _distilbert,
        "fasttext": _fasttext,
        "static_embeddings": _static,
    }.get(way)
    call, rows, size = make(folder) if make else _onnx(folder, folder / f"{way}.onnx")

    def answer(count: int) -> Any:
        if count < 0:
            return size
        return time_calls(call, rows, count) if count else [int(np.argmax(call(row[None])[0])) for row in rows]

    serve(answer)
    return 0


def rows_of(stored: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The ids of each text."""
    ids, offsets = stored["ids"], stored["offsets"]  # each look into an .npz reads the array anew
    return [ids[begin:end] for begin, end in itertools.pairwise(offsets)]


def _onnx(folder: Path, file: Path) -> tuple[Callable, list[np.ndarray], int]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def call(row: np.ndarray) -> np.ndarray:
        ids = row.astype(np.int64)
        return session.run(None, {"ids": ids, "mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)})[0]

    return call, rows_of(np.load(folder / "run.npz")), file.stat().st_size


def _distilbert(folder: Path) -> tuple[Callable, list[np.ndarray], int]:
    """A network of DistilBERT's size (Sanh et al. 2019) with random weights, exported and quantised as the run's own is."""
    from benchmarks.latency_peers import export
    from benchmarks.torch_network import Network

    classes = int(np.load(folder / "run.npz")["targets"].max()) + 1
    spec = {**DISTILBERT, "gelu": "exact", "pooling": "mean", "unit_vectors": False, "norm_epsilon": 1e-12}
    place = folder / "distilbert"
    place.mkdir(exist_ok=True)
    export(Network(spec, classes, dropout=0.0, fusable=True).eval(), place)
    return _onnx(folder, place / "onnx_fused_int8.onnx")


def _fasttext(folder: Path) -> tuple[Callable, list[Any], int]:
    """Tuned for the five minutes that are its default."""
    parts = {}
    for name in ("train", "test"):
        with open(folder / f"{name}.csv", newline="", encoding="utf-8") as stream:
            parts[name] = [(row["text"], int(row["label"])) for row in csv.DictReader(stream)]
    texts, numbers = zip(*parts["train"], strict=True)
    model, settings = tuned(texts, numbers, folder, seconds=120, threads=1)
    print(f"fastText: {settings}", file=sys.stderr)
    file = folder / "fasttext.bin"
    model.save_model(str(file))

    def call(texts: list[str]) -> np.ndarray:
        scores = np.zeros((1, max(numbers) + 1))
        scores[0, int(model.predict(texts[0])[0][0].removeprefix("__label__"))] = 1.0
        return scores

    return call, [np.array(line(text), object) for text, _ in parts["test"]], file.stat().st_size


def _static(folder: Path) -> tuple[Callable, list[np.ndarray], int]:
    """The mean of a text's rows of the table, of length 1, times the weights of a logistic regression whose C is chosen by cross-validation on training rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    stored = np.load(folder / "static.npz")
    floats = stored["table"]
    steps = np.abs(floats).max(axis=1, keepdims=True).clip(1e-12) / 127
    whole = np.round(floats / steps).astype(np.int8)
    steps = steps.astype(np.float32)

    def vector(ids: np.ndarray) -> np.ndarray:
        mean = (whole[ids[1:-1]] * steps[ids[1:-1]]).mean(axis=0) if len(ids) > 2 else np.zeros(whole.shape[1], np.float32)
        return mean / max(float(np.linalg.norm(mean)), 1e-9)

    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": [1, 10, 100, 1000]}, cv=folds, n_jobs=2)
    search.fit(np.stack([vector(row) for row in rows_of(stored)]), stored["targets"])
    kernel, bias = search.best_estimator_.coef_.T.astype(np.float32), search.best_estimator_.intercept_.astype(np.float32)
    print(f"static embeddings: C = {search.best_params_['C']}", file=sys.stderr)
    return (
        lambda row: (vector(row[0]) @ kernel + bias)[None],
        rows_of(np.load(folder / "run.npz")),
        whole.nbytes + steps.nbytes + kernel.nbytes,
    )


if __name__ == "__main__":
    sys.exit(main())
