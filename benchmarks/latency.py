"""Latency of one text: our dynamic int8 TFLite file against ONNX Runtime, PyTorch and TensorFlow with the same network and the same ids.

What it compares: the network of one run (its own fine-tuned weights) as our `dynamic_int8` and `float32` files by LiteRT; as ONNX Runtime's dynamic
int8, exported and then fused by its own optimiser or not, quantised per tensor and per channel (the fastest of the four stands for it), and its
fused float32; as PyTorch eager; as a TensorFlow function, and as one compiled by XLA. Batch 1, lengths 16, 32 and 128, 1 and 2 threads; texts of the
data set, cut or joined to exactly these lengths, the same ids for all. Tokenising is not in it.

How: a process for each engine and thread count; after a warm-up they work in turn, a round of some dozens of texts each. The figure is the median
over rounds of the round's median; before it each engine must give the texts the labels that our float32 file gives. The ratio is made round by round, and its median given.

What it costs: about 5 minutes on 2 cores. What it last gave: RESULTS.md, "Latency".

    make bench-env
    .venv/bin/python -m benchmarks.latency --run saved_models/banking77 --data FOLDER_WITH_TEST_CSV
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.workers import Worker, median, require_one_network, serve_calls, table

LENGTHS = (16, 32, 128)
THREADS = (1, 2)
OURS = ("litert_int8", "litert_float32", "tensorflow_function", "tensorflow_xla")
PEERS = ("onnx_int8", "onnx_int8_per_channel", "onnx_fused_int8", "onnx_fused_int8_per_channel", "onnx_fused_float32", "pytorch_eager")
ONNX_INT8 = PEERS[:4]
WARMUP, ROUNDS, TEXTS = 30, 9, 40
LEAST_EQUAL, LEAST_EQUAL_INT8 = 0.95, 0.75  # shares; int8 decides otherwise where texts that were joined have no label of their own


def main() -> int:
    options = _options()
    if options.serve:
        return _serve(options.serve, options.run, options.ids, options.threads)
    from tfarch.evaluation.machine import describe

    with tempfile.TemporaryDirectory() as folder:
        ids = Path(folder) / "ids.npz"
        np.savez(ids, **{str(length): rows for length, rows in _ids(options.run, options.data).items()})
        Worker("latency_peers", "--export", "--run", str(options.run), "--onnx", folder, peer=True).close()
        cells = {}
        for threads in THREADS:
            shared = ["--run", str(options.run), "--ids", str(ids), "--threads", str(threads)]
            workers = {name: Worker("latency", "--serve", name, *shared) for name in OURS}
            workers |= {name: Worker("latency_peers", "--serve", name, "--onnx", folder, *shared, peer=True) for name in PEERS}
            for length in LENGTHS:
                labels = {name: worker.ask(length=length, count=0) for name, worker in workers.items()}
                require_one_network(labels, "litert_float32", lambda name: LEAST_EQUAL_INT8 if "int8" in name else LEAST_EQUAL)
                cells[threads, length] = _in_turn(workers, length)
                print(f"{threads} threads, {length} tokens: {_line(cells[threads, length])}", file=sys.stderr)
            for worker in workers.values():
                worker.close()
    print(_results(cells))
    print(json.dumps({"machine": describe(), "cells": {f"{t} threads, {n} tokens": c for (t, n), c in cells.items()}}))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a run with the variants float32 and dynamic_int8")
    parser.add_argument("--data", help="where the texts come from (default: the run's own data)")
    parser.add_argument("--serve", choices=OURS, help=argparse.SUPPRESS)
    parser.add_argument("--ids", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _ids(run: Path, data: str | None) -> dict[int, np.ndarray]:
    """Ids `[TEXTS, length]` for each length: [CLS], the pieces of test texts one after another, [SEP]; no padding."""
    from tfarch.config import Config
    from tfarch.data import load_dataset
    from tfarch.runtime import load

    config = Config().with_file(run / "config.yaml")
    tokeniser = load(run / "bundle").tokeniser
    texts = load_dataset(data or config.data.path, config.data, config.seed).test.texts
    pieces = np.concatenate([row[1:-1] for row in tokeniser.encode(texts, 512)])
    rows = {}
    for length in LENGTHS:
        inner = pieces[: TEXTS * (length - 2)].reshape(TEXTS, length - 2)
        edge = np.ones((TEXTS, 1), np.int32)
        rows[length] = np.concatenate([edge * tokeniser.cls_id, inner, edge * tokeniser.sep_id], axis=1).astype(np.int32)
    return rows


def _in_turn(workers: dict[str, Worker], length: int) -> dict[str, dict[str, float]]:
    """`{engine: {"ms": ..., "ratio": ...}}`: the median time, and the median over rounds of its time over that of our int8 file."""
    for worker in workers.values():
        worker.ask(length=length, count=WARMUP)
    rounds = [{name: median(worker.ask(length=length, count=TEXTS)) for name, worker in workers.items()} for _ in range(ROUNDS)]
    return {
        name: {"ms": median([each[name] for each in rounds]), "ratio": median([each[name] / each["litert_int8"] for each in rounds])}
        for name in workers
    }


def _line(cell: dict) -> str:
    return ", ".join(f"{name} {figures['ms']:.2f}" for name, figures in cell.items())


def _results(cells: dict) -> str:
    header = ["engine", *(f"{length} tokens, {threads} thread{'s' * (threads > 1)}" for threads in THREADS for length in LENGTHS)]
    columns = [cells[threads, length] for threads in THREADS for length in LENGTHS]
    rows = [[name, *(f"{cell[name]['ms']:.2f} ms" for cell in columns)] for name in (*OURS, *PEERS)]
    best = [min(cell[name]["ratio"] for name in ONNX_INT8) for cell in columns]
    rows.append(["**litert_int8 over the best ONNX int8**", *(f"**{1 / ratio:.2f}**" for ratio in best)])
    for name in ("pytorch_eager", "tensorflow_function"):
        rows.append([f"litert_int8 over {name}", *(f"{1 / cell[name]['ratio']:.2f}" for cell in columns)])
    return table(header, rows)


# The workers of this environment


def _serve(engine: str, run: Path, ids: Path, threads: int) -> int:
    rows = {int(length): value for length, value in np.load(ids).items()}
    call = _litert(run, engine, threads) if engine.startswith("litert") else _tensorflow(run, engine, threads)
    serve_calls(call, rows)
    return 0


def _litert(run: Path, engine: str, threads: int):
    variant = {"litert_int8": "dynamic_int8", "litert_float32": "float32"}[engine]
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    file = run / next(each["file"] for each in report["variants"] if each["name"] == variant)
    return litert_call(file, threads)


def litert_call(file: Path, threads: int):
    """A function of a row of ids `[1, length]` that gives a file's probabilities `[1, classes]`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file), num_threads=threads)
    runner = interpreter.get_signature_runner("serving_default")
    inputs, output = runner.get_input_details(), runner.get_output_details()["probabilities"]["index"]
    del runner
    shape = None

    def call(row: np.ndarray) -> np.ndarray:
        nonlocal shape
        if row.shape != shape:
            for details in inputs.values():
                interpreter.resize_tensor_input(details["index"], row.shape)
            interpreter.allocate_tensors()
            shape = row.shape
        for name, values in (("ids", row), ("mask", np.ones_like(row)), ("segment_ids", np.zeros_like(row))):
            interpreter.set_tensor(inputs[name]["index"], values)
        interpreter.invoke()
        return interpreter.get_tensor(output)

    return call


def _tensorflow(run: Path, engine: str, threads: int):
    import tfarch  # noqa: F401  settles which Keras TensorFlow takes
    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from tfarch.models.classifier import with_probabilities
    from tfarch.pipeline.trained import TrainedModel
    from tfarch.run_folder import RunFolder

    trained = TrainedModel.load(RunFolder(run)).only
    model = with_probabilities(trained.build(trained.stages[0]), 1.0)
    function = tf.function(lambda inputs: model(inputs, training=False), jit_compile=engine == "tensorflow_xla")

    def call(row: np.ndarray) -> np.ndarray:
        ids = tf.constant(row)
        return function({"ids": ids, "mask": tf.ones_like(ids), "segment_ids": tf.zeros_like(ids)}).numpy()

    return call


if __name__ == "__main__":
    sys.exit(main())
