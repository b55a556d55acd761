"""What an encoder's int8 file gains by fewer operators: the file that `export` writes beside the one that the converter's graph would be.

What it compares: networks of MiniLM's width with random weights, of the sizes of no recipe, `small` and `tiny`, each with and without
`tfarch.export.fewer_operators`; token ids in, label out, one thread; texts of 5 to 40 tokens of which each has another length than the one before, and texts of 16 tokens alone. The two
files of a pair take turns, a round of 30 texts each, and the figure is the median over the rounds of the ratio of their medians.

What it costs: a minute, on a machine with nothing beside it. What it last gave: RESULTS.md, "Latency".

    .venv/bin/python -m benchmarks.fewer_operators
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.latency import litert_call
from benchmarks.workers import median, table, time_calls

SIZES = {"no recipe": (30_522, 6, 12, 1536), "`small`": (6_000, 3, 6, 640), "`tiny`": (2_600, 1, 6, 384)}  # pieces, layers, heads, neurons
CLASSES, ROUNDS, TEXTS = 77, 31, 30


def main() -> int:
    from tfarch.evaluation.machine import describe
    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    random = np.random.default_rng(0)
    texts = {
        "lengths that change": [random.integers(0, 2_000, (1, 5 + 7 * each % 36), np.int32) for each in range(TEXTS)],
        "16 tokens": [random.integers(0, 2_000, (1, 16), np.int32) for _ in range(TEXTS)],
    }
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name, sizes in SIZES.items():
            calls = [litert_call(file, 1) for file in _files(Path(folder), *sizes)]
            for kind, rows in texts.items():
                rounds = [[_milliseconds(call, rows) for call in calls] for _ in range(ROUNDS)]
                before, after = (median(each) for each in zip(*rounds, strict=True))
                ratios = sorted(new / old for old, new in rounds)
                spread = f"{ratios[ROUNDS // 4]:.2f} to {ratios[-1 - ROUNDS // 4]:.2f}"
                lines.append([name, kind, f"{before:.3f}", f"{after:.3f}", f"{median(ratios):.2f} ({spread})"])
    print(table(["", "texts", "the converter's graph, ms", "fewer operators, ms", "ratio (half of the rounds)"], lines))
    print(describe())
    return 0


def _files(folder: Path, pieces: int, layers: int, heads: int, neurons: int) -> list[Path]:
    """The int8 file in the converter's graph, and in fewer operators."""
    from tfarch.export.fewer_operators import with_fewer_operators
    from tfarch.export.row_tables import with_steps_of_rows
    from tfarch.export.tflite import Converter
    from tfarch.models.classifier import build_classifier, with_probabilities
    from tfarch.models.spec import EncoderSpec

    spec = EncoderSpec(pieces, 384, (heads,) * layers, 32, (neurons,) * layers)
    with Converter.of_texts(with_probabilities(build_classifier(spec, CLASSES), 1.0)) as converter:
        body = with_steps_of_rows(converter.plain("dynamic_int8"), converter.plain("float32"))
    files = [folder / f"{layers}_layers_{kind}.tflite" for kind in ("before", "after")]
    for file, content in zip(files, (body, with_fewer_operators(body)), strict=True):
        file.write_bytes(content)
    return files


def _milliseconds(call, rows: list[np.ndarray]) -> float:
    for row in rows[:3]:
        call(row)
    return median(time_calls(call, [row[0] for row in rows], len(rows)))


if __name__ == "__main__":
    sys.exit(main())
