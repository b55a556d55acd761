"""What TFLite's sparse tensors give to a pruned network: bytes, time, and whether the answers are right.

What it compares: MiniLM's six feed-forward parts (384 to 1,536 and back, random weights, 16 tokens, one thread) with so many zeros, in blocks of 16 inputs of one output, whose sparse
int8 product TFLite has a kernel for, and as single weights: the converter's files with its option for sparse tensors and without it, in float32 and in dynamic int8, the latter also
without XNNPACK, which LiteRT applies by itself. The files take turns; the figures are medians. The largest difference is from the dense float32 file, of its largest output; int8 by
itself has some.

What it costs: a minute. What it last gave: RESULTS.md, "Sparse tensors".

    .venv/bin/python -m benchmarks.sparse_tensors
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from benchmarks.workers import median, table, time_calls

CASES = (((16, 1), 0.7), ((16, 1), 0.8), ((16, 1), 0.9), ((1, 1), 0.9))  # block (inputs, outputs), share of zeros
LAYERS, WIDTH, NEURONS, TOKENS, ROUNDS = 6, 384, 1536, 16, 101


def main() -> int:
    from tfarch.evaluation.machine import describe
    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    random = np.random.default_rng(0)
    tokens = random.normal(size=(TOKENS, WIDTH)).astype(np.float32)
    lines = []
    for block, share in CASES:
        model = _pruned(random, block, share)
        forms = {}
        for precision in ("float32", "int8"):
            for packed in (False, True):
                file = _file(model, int8=precision == "int8", packed=packed)
                kind = f"{precision}{', sparse' if packed else ''}"
                forms[kind] = (file, *_call(file, tokens, xnnpack=True))
                if precision == "int8":
                    forms[f"{kind}, no XNNPACK"] = (file, *_call(file, tokens, xnnpack=False))
        whole = forms["float32"][2]
        calls = {kind: call for kind, (_, call, _) in forms.items() if call}
        rounds = [[time_calls(call, tokens[None], 1)[0] for call in calls.values()] for _ in range(ROUNDS)]
        times = dict(zip(calls, map(median, zip(*rounds, strict=True)), strict=True))
        zeros = f"{share:.0%}, {'single weights' if block == (1, 1) else '{} x {}'.format(*block)}"
        for kind, (file, _, answer) in forms.items():
            told = ["", "cannot be loaded"]
            if kind in times:
                told = [f"{times[kind]:.2f}", f"{np.abs(answer - whole).max() / np.abs(whole).max():.1e}"]
            lines.append([zeros, kind, f"{len(file) / 1e6:.2f}", *told])
    print(table(["zeros", "file", "MB", "ms", "largest difference"], lines))
    print(describe())
    return 0


def _pruned(random: np.random.Generator, block: tuple[int, int], share: float):
    """The feed-forward parts one after another, their kernels without so many blocks."""
    import tensorflow as tf

    rows, columns = block
    inputs = states = tf.keras.Input((WIDTH,))
    for _ in range(LAYERS):
        states = tf.keras.layers.Dense(NEURONS, activation="relu")(states)
        states = tf.keras.layers.Dense(WIDTH)(states)
    model = tf.keras.Model(inputs, states)
    for layer in model.layers[1:]:
        kernel, bias = layer.get_weights()
        stays = random.random((kernel.shape[0] // rows, kernel.shape[1] // columns)) >= share
        # Scaled, so that states neither vanish nor grow on the way.
        kernel = random.normal(size=kernel.shape) * np.sqrt(1.4 / (1 - share) / len(kernel)) * stays.repeat(rows, 0).repeat(columns, 1)
        layer.set_weights([kernel.astype(np.float32), bias])
    return model


def _file(model, *, int8: bool, packed: bool) -> bytes:
    import tensorflow as tf

    from tfarch.quiet import quiet

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    kinds = {tf.lite.Optimize.DEFAULT: int8, tf.lite.Optimize.EXPERIMENTAL_SPARSITY: packed}
    converter.optimizations = [each for each, wanted in kinds.items() if wanted]
    with quiet():
        return converter.convert()


def _call(file: bytes, tokens: np.ndarray, *, xnnpack: bool) -> tuple[Callable[[np.ndarray], None] | None, np.ndarray | None]:
    """What runs the file on tokens `[1, tokens, width]`, and its answer to these; None where it cannot be loaded."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=file, num_threads=1, experimental_op_resolver_type=kind)
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, tokens.shape)
    try:
        interpreter.allocate_tensors()
    except RuntimeError:  # the delegate takes a sparse tensor for a dense one of too few bytes
        return None, None

    def run(batch: np.ndarray) -> None:
        interpreter.set_tensor(place, batch[0])
        interpreter.invoke()

    run(tokens[None])
    return run, interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy()


if __name__ == "__main__":
    sys.exit(main())
