"""Accuracy, megabytes and milliseconds of ways to label short texts, small ones and large ones, on one test set in one run: who owns the front?

What it compares: the int8 file of a run, and those of recipes applied to it; the run's own network as ONNX Runtime's dynamic int8 (the fastest of four ways of making
it); a network of DistilBERT's size (six layers of 768, random weights: bytes and time alone); fastText, autotuned; and static embeddings in the manner of model2vec (each piece's vector from
the untrained encoder alone, 256 principal components, weights by Zipf's law, rounded to int8; a logistic regression on their mean). Accuracy on all test rows, by the file that is timed; megabytes of what has to be shipped
beside a tokeniser; p50 of one text at one thread, token ids given (fastText has its own words: it gets the text). The workers take turns, a round of texts each.

What it costs: five to eight minutes on 2 cores, without the runs, which it does not make; two of them are fastText's search. What it last gave: RESULTS.md, "The front".

    make bench-env
    .venv/bin/python -m benchmarks.front --run RUN --recipes FOLDER [FOLDER ...] --page front.html
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.front_peers import rows_of
from benchmarks.latency import litert_call
from benchmarks.workers import Worker, median, serve, table, time_calls

ROUNDS, TEXTS, WARMUP = 9, 60, 30
WIDTH = 256  # of static embeddings, as model2vec's default
HEADS = ["", "accuracy", "MB", "p50, ms"]
ONNX = ("onnx_int8", "onnx_int8_per_channel", "onnx_fused_int8", "onnx_fused_int8_per_channel")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, help="folder of the run that all start from")
    parser.add_argument("--recipes", type=Path, nargs="*", default=[], help="folders that `compress --from RUN` made")
    parser.add_argument("--page", type=Path, help="file of a page with the table and its plots")
    parser.add_argument("--serve", nargs=2, metavar=("FILE", "IDS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return _serve(*map(Path, options.serve))
    from tfarch.evaluation.machine import describe

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workers, sizes = _workers(options, folder)
        truth = np.load(folder / "run.npz")["targets"]
        accuracies = {name: float(np.mean(np.array(worker.ask(count=0)) == truth)) for name, worker in workers.items()}
        for worker in workers.values():
            worker.ask(count=WARMUP)
        rounds = [{name: median(worker.ask(count=TEXTS)) for name, worker in workers.items()} for _ in range(ROUNDS)]
        for worker in workers.values():
            worker.close()
    milliseconds = {name: median([each[name] for each in rounds]) for name in workers}
    best = min(ONNX, key=milliseconds.get)
    found = {
        name.replace("_", " "): {
            "accuracy": None if name == "distilbert_size" else accuracies[name],
            "mb": sizes[name] / 1e6,
            "ms": milliseconds[name],
        }
        for name in workers
        if name not in ONNX or name == best
    }
    print(table(HEADS, _rows(found)))
    machine = describe()
    print(json.dumps({"machine": machine, "rows": len(truth), "found": found}))
    if options.page:
        options.page.write_text(_page(found, len(truth), machine), encoding="utf-8")
    return 0


def _rows(found: dict[str, dict[str, Any]]) -> list[list[str]]:
    return [
        [name, "" if each["accuracy"] is None else f"{100 * each['accuracy']:.2f} %", f"{each['mb']:.2f}", f"{each['ms']:.3f}"]
        for name, each in found.items()
    ]


def _page(found: dict[str, dict[str, Any]], rows: int, machine: dict[str, Any]) -> str:
    """The table, and accuracy against time and against size with 95 % intervals, in the manner of a report."""
    from tfarch.evaluation.html import render_page
    from tfarch.evaluation.markup import tag
    from tfarch.evaluation.metrics import wilson_interval
    from tfarch.evaluation.svg import Point, scatter

    plots = []
    for figure, axis in (("ms", "ms a text, median, one thread"), ("mb", "MB")):
        points = []
        for name, each in found.items():
            if each["accuracy"] is not None:
                low, high = (100 * end for end in wilson_interval(round(each["accuracy"] * rows), rows))
                kind = "chosen" if name.startswith("tfarch") else ""
                points.append(Point(each[figure], 100 * each["accuracy"], name, kind, low, high))
        plots.append(tag("figure", scatter(points, title=f"Accuracy against {axis}", x=axis, y="accuracy, %")))
    cells = [tag("tr", tag("th", row[0]), [tag("td", cell) for cell in row[1:]]) for row in _rows(found)]
    whole = tag("table", tag("thead", tag("tr", [tag("th", head) for head in HEADS])), tag("tbody", cells))
    note = tag("p", f"{rows:,} test rows; {machine['cpu']}.", class_="note")
    head = tag("h1", "Accuracy, bytes and milliseconds of ways to label short texts")
    return render_page("The front", head, [("front", "The front", [tag("div", plots, class_="plots"), whole, note])], "benchmarks.front")


def _workers(options: argparse.Namespace, folder: Path) -> tuple[dict[str, Worker], dict[str, int]]:
    """A worker for each way, and the bytes of what it ships."""
    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    workers, sizes = {}, {}
    for place in (options.run, *options.recipes):
        recipe = Path(json.loads((place / "report.json").read_text(encoding="utf-8"))["config"]["compress"]["recipe"]).stem
        name = "tfarch_int8" if place == options.run else f"tfarch_{recipe}"
        file = place / "bundle" / "model.tflite"
        texts = _write_ids(place, folder / f"{'run' if place == options.run else name}.npz")
        workers[name] = Worker("front", "--serve", str(file), str(folder / f"{'run' if place == options.run else name}.npz"))
        sizes[name] = file.stat().st_size
        if place == options.run:
            _write_tables(texts, folder)
            _write_static(place, folder)
    Worker("latency_peers", "--export", "--run", str(options.run), "--onnx", str(folder), peer=True).close()
    for name in ("fasttext", *ONNX, "distilbert_size", "static_embeddings"):
        workers[name] = Worker("front_peers", "--folder", str(folder), "--serve", name, peer=True)
        sizes[name] = workers[name].ask(count=-1)  # when it has learned, so that each has the machine to itself
    return workers, sizes


def _write_ids(place: Path, file: Path) -> dict[str, Any]:
    """Writes the ids of the test rows, as this run's tokeniser cuts them, with their class numbers; gives the texts and labels of the parts."""
    from tfarch.config import Config
    from tfarch.pipeline.prepare import prepare
    from tfarch.pipeline.trained import TrainedModel
    from tfarch.run_folder import RunFolder

    trained = TrainedModel.load(RunFolder(place)).only
    prepared = prepare(Config().with_file(place / "config.yaml"), place / "cache")[""]
    test = prepared.test.in_scope.read_by(trained.stages[-1].tokeniser, trained.max_length)
    offsets = test.tokens.offsets
    np.savez(file, ids=test.tokens.ids, offsets=offsets, targets=test.targets)
    parts = {"train": [prepared.train, prepared.valid.in_scope], "test": [prepared.test.in_scope]}
    return {
        name: [(text, int(target)) for part in each for text, target in zip(part.texts, part.targets, strict=True)]
        for name, each in parts.items()
    }


def _write_tables(texts: dict[str, Any], folder: Path) -> None:
    for name, rows in texts.items():
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label"])
            writer.writerows(rows)


def _write_static(run: Path, folder: Path) -> None:
    """Static embeddings of the untrained encoder's vocabulary, and the ids of training rows, for `front_peers`."""
    from tfarch.compression.student import each_alone
    from tfarch.config import Config
    from tfarch.data.tokens import Tokens
    from tfarch.pipeline.prepare import prepare
    from tfarch.pipeline.untrained import untrained_vectors

    prepared = prepare(Config().with_file(run / "config.yaml"), run / "cache")[""]
    vectors = untrained_vectors(prepared.start, each_alone(prepared.start.tokeniser), run / "cache")
    vectors = vectors - vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(vectors, full_matrices=False)
    weights = np.log(1 + np.arange(1, len(vectors) + 1))  # rarer pieces, which stand later, count more
    known = [prepared.train, prepared.valid.in_scope]
    tokens = Tokens.joined([each.tokens for each in known])
    np.savez(
        folder / "static.npz",
        table=(vectors @ axes[:WIDTH].T) * weights[:, None],
        ids=tokens.ids,
        offsets=tokens.offsets,
        targets=np.concatenate([each.targets for each in known]),
    )


def _serve(file: Path, ids: Path) -> int:
    """One of our files: the class number of each test row, or milliseconds."""
    rows = rows_of(np.load(ids))
    call = litert_call(file, 1)
    serve(lambda count: time_calls(call, rows, count) if count else [int(call(row[None])[0].argmax()) for row in rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
