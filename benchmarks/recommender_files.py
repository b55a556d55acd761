"""The recommender's exported files: how good, how large and how fast each is.

What it compares: the TFLite files of a recommender (float32, dynamic int8, an index at a byte a number) and the numpy runtime, all of the same five trainings: NDCG@10 over all
items under the protocol of `benchmarks.recommendation`, with the paired difference to float32; the file's megabytes (of the last training); and milliseconds of single queries, ten items
each, at one thread.

What it costs: five trainings, about ten minutes on 2 cores. What it last gave: RESULTS.md, "Recommendation".

    .venv/bin/python -m benchmarks.recommender_files [--events FILE --items FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from apps.recommender.settings import DataSettings, RecommenderSettings
from apps.recommender.source import load
from benchmarks.workers import table
from tfarch.data.behaviour.cuts import QUANTILES, rolling_cuts
from tfarch.evaluation.recommendation import Rankings, paired_difference
from tfarch.quiet import quiet, start_tensorflow
from tfarch.runtime.recommender import Recommender
from tfarch.runtime.signals import History
from tfarch.training.recommender import ask

LIKED, SHOWN, VIEW = 4.0, 10, "all"
RUNTIME = "numpy runtime"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=Path, help="another log, columns user,item,timestamp,rating (default: MovieLens)")
    parser.add_argument("--items", type=Path, help="its items")
    options = parser.parse_args()
    source = load(
        DataSettings(interactions=options.events and str(options.events), items=options.items and str(options.items), liked=LIKED)
    )
    start_tensorflow()
    from apps.recommender.learner import Learner
    from tfarch.export.recommender import VARIANTS, recommender_file

    log, learner = source.log, Learner(RecommenderSettings(), source.catalogue, LIKED)
    found: dict[str, Rankings] = {name: Rankings() for name in (*VARIANTS, RUNTIME)}
    times: dict[str, list[float]] = {name: [] for name in found}
    sizes: dict[str, float] = {}
    for fold, quantile in zip(rolling_cuts(log, QUANTILES), QUANTILES, strict=True):
        recommender = learner.learn(log, float(np.quantile(log.times, quantile))).recommender
        files = {variant: recommender_file(recommender, variant) for variant in VARIANTS}
        sizes |= {variant: len(content) / 1e6 for variant, content in files.items()}
        sizes[RUNTIME] = _arrays_mb(recommender)
        with quiet():
            ask_each = {variant: _asked(content, len(source.catalogue)) for variant, content in files.items()}
        ask_each[RUNTIME] = lambda history, k, own=recommender: own.scores(history) if k > SHOWN else own.recommend(history, k)
        for name, run in ask_each.items():

            def timed(history: History, run=run, own=times[name]) -> np.ndarray:
                started = time.perf_counter()
                run(history, SHOWN)
                own.append(1e3 * (time.perf_counter() - started))
                return run(history, len(source.catalogue))

            ask(log, fold, LIKED, timed, found[name])
        print(f"  {quantile:g} of the events: {len(fold.queries)} users", file=sys.stderr)
    rows = []
    for name, each in found.items():
        figures = each.summary()[VIEW]
        low, high = figures["ndcg_at_10_interval"]
        mean, (least, most) = paired_difference(each, found["float32"], VIEW)
        speed = [f"{np.percentile(times[name], share):.2f}" for share in (50, 99)]
        rows.append([name, f"{figures['ndcg_at_10']:.4f} ({low:.3f} to {high:.3f})", f"{mean:+.4f} ({least:+.4f} to {most:+.4f})", f"{sizes[name]:.2f}", *speed])  # fmt: skip
    print(table(["file", f"NDCG@10, {VIEW}", "less float32", "MB", "p50, ms", "p99, ms"], rows))
    print(json.dumps({name: {"views": each.summary(), "mb": sizes[name]} for name, each in found.items()}))
    return 0


def _asked(content: bytes, items: int) -> Callable[[History, int], np.ndarray]:
    """Scores of all items, float `[items]`, where k is their number; else the best k are asked for alone."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_content=content, num_threads=1).get_signature_runner("serving_default")

    def best(history: History, k: int) -> np.ndarray:
        inputs = {
            "items": history.items.astype(np.int32),
            "wanted": history.wanted.astype(np.float32),
            "behaviours": history.behaviours.astype(np.int32),
        }
        told = run(**inputs, k=np.int32(k))
        scores = np.empty(items)
        scores[told["items"]] = told["scores"]
        return scores

    return best


def _arrays_mb(recommender: Recommender) -> float:
    content = io.BytesIO()
    np.savez(content, **recommender.as_files()[1])
    return content.tell() / 1e6


if __name__ == "__main__":
    sys.exit(main())
