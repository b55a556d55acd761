"""The peers of `benchmarks.front`, in the bench environment: ONNX Runtime's int8 of the run's network and of one of DistilBERT's size, fastText, static embeddings.

Each answers a count of 0 with the class number of every test row, of -1 with the bytes that it ships, and otherwise with the milliseconds of so many texts.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

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
        "fasttext_small": lambda folder: _fasttext(folder, "2M"),
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


def _fasttext(folder: Path, size: str = "") -> tuple[Callable, list[Any], int]:
    """Autotuned on a tenth of the training rows for its default five minutes, then trained on all; to so many bytes by its own quantisation if a size is given.

    One thread each: with more, it does not learn the same twice.
    """
    import fasttext

    def line(text: str) -> str:
        return " ".join(re.findall(r"\w+|[^\w\s]", text.lower()))

    parts = {}
    for name in ("train", "test"):
        with open(folder / f"{name}.csv", newline="", encoding="utf-8") as stream:
            parts[name] = [(line(row["text"]), int(row["label"])) for row in csv.DictReader(stream)]
    order = np.random.default_rng(0).permutation(len(parts["train"]))
    held = set(order[: len(order) // 10].tolist())
    numbers = {"most": [n for n in range(len(order)) if n not in held], "held": sorted(held), "all": range(len(order))}
    files = {name: folder / f"fasttext{size}_{name}.txt" for name in numbers}
    for name, own in numbers.items():
        files[name].write_text("".join(f"__label__{parts['train'][n][1]} {parts['train'][n][0]}\n" for n in own), encoding="utf-8")
    tuning = {"autotuneValidationFile": str(files["held"]), "autotuneDuration": 300, "autotuneModelSize": size}
    tuned = fasttext.train_supervised(str(files["most"]), **tuning, thread=1, verbose=0, seed=0)
    settings = tuned.f.getArgs()
    found = {name: getattr(settings, name) for name in ("lr", "dim", "epoch", "wordNgrams", "minn", "maxn", "bucket")}
    print(f"fastText {size}: {found}", file=sys.stderr)
    model = fasttext.train_supervised(str(files["all"]), **found, thread=1, verbose=0, seed=0)
    file = folder / f"fasttext{size}.bin"
    if size:
        # What its autotuning does to a model that has to fit: the rows of largest norm stay, learned anew, and are quantised.
        model.quantize(
            str(files["all"]), cutoff=settings.cutoff, dsub=settings.dsub, qnorm=settings.qnorm, qout=settings.qout, retrain=True, thread=1
        )
    model.save_model(str(file))
    classes = max(number for _, number in parts["train"]) + 1

    def call(texts: list[str]) -> np.ndarray:
        scores = np.zeros((1, classes))
        scores[0, int(model.predict(texts[0])[0][0].removeprefix("__label__"))] = 1.0
        return scores

    return call, [np.array(text, object) for text, _ in parts["test"]], file.stat().st_size


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
