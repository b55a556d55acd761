"""What a smaller vocabulary alone costs a trained model, before anything learns to do without it: how many rows of the token table data need.

What it compares: a run's float32 network with all pieces and with so many as `vocabulary` of a recipe's stage keeps, on the run's test rows in scope: accuracy, negative
log-likelihood (by the logits as they are), the answers that change, and of the test texts' pieces those that are spelt by smaller ones then.

What it costs: a forward pass over the test rows for each number, a minute on one core. What it last gave: RESULTS.md, "How many pieces".

    .venv/bin/python -m benchmarks.vocabulary --run RUN --rows 6000 8000 10000 12000
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np

from benchmarks.workers import table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a run of one task")
    parser.add_argument("--rows", type=int, nargs="+", required=True, help="of the token table")
    options = parser.parse_args()
    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    from tfarch.compression.vocabulary import Retokeniser, chosen_pieces, trimmed, trimmed_weights
    from tfarch.config import Config
    from tfarch.models.classifier import build_classifier
    from tfarch.models.weights import set_weights
    from tfarch.pipeline.prepare import prepare
    from tfarch.pipeline.trained import TrainedModel
    from tfarch.run_folder import RunFolder
    from tfarch.training.inference import Forward

    folder = RunFolder(options.run)
    trained = TrainedModel.load(folder)
    config = Config().with_file(folder.config)
    (prepared,) = prepare(config, folder.cache, start=trained.start, labels=trained.labels).values()
    stage, test = trained.any.stages[0], prepared.test.in_scope

    def logits(kept: np.ndarray | None) -> np.ndarray:
        spec, weights, tokens = stage.spec, stage.weights, test.tokens
        if kept is not None:
            spec, weights = dataclasses.replace(spec, vocabulary=len(kept)), trimmed_weights(weights, kept)
            tokens = Retokeniser(stage.tokeniser, trimmed(stage.tokeniser, kept), config.data.max_length)(tokens)
        model = build_classifier(spec, len(prepared.labels))
        set_weights(model, weights)
        return Forward(model)(tokens).astype(np.float64)

    whole = logits(None)
    lines = [[f"{len(stage.tokeniser):,} (all)", *_figures(whole, test.targets), "", ""]]
    for rows in options.rows:
        kept = chosen_pieces(stage.tokeniser, [prepared.train.tokens], rows)
        found = logits(kept)
        changed = np.count_nonzero(found.argmax(axis=1) != whole.argmax(axis=1))
        spelt = 1 - np.isin(test.tokens.ids, kept).mean()
        lines.append([f"{len(kept):,}", *_figures(found, test.targets), f"{changed:,}", f"{100 * spelt:.2f}"])
    used = len(np.unique(prepared.train.tokens.ids))
    print(table(["pieces", "accuracy, %", "NLL", "answers that change", "of the test's pieces spelt, %"], lines))
    print(f"{used:,} pieces stand in the training texts; {len(test.texts):,} test rows")
    return 0


def _figures(logits: np.ndarray, targets: np.ndarray) -> list[str]:
    from tfarch.evaluation.calibration import negative_log_likelihood
    from tfarch.runtime.logistic import softmax

    right = (logits.argmax(axis=1) == targets).mean()
    return [f"{100 * right:.2f}", f"{negative_log_likelihood(softmax(logits), targets):.4f}"]


if __name__ == "__main__":
    sys.exit(main())
