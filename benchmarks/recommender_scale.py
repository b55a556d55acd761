"""What a catalogue of ten and a hundred times the items costs a recommender, and the index's search at a million vectors.

What it measures: MovieLens with made-up films beside the real ones (titles of words of real titles, genres and years of real films; nobody had them), each size in a process of its own: seconds of learning and
peak memory, seconds and megabytes of the index, milliseconds of a query (ten items for a user of the log) over all items and with the index, at one thread, and how many of the ten are the same. And of
1,000,000 vectors of 64 numbers, in ten thousand clusters, the milliseconds of a search for the nearest thousand and ten, and how many of the ten are the true ones.

What it costs: half an hour on 2 cores of Zen 5, most of it learning and the index at a hundred times. What it last gave: RESULTS.md, "Recommendation".

    .venv/bin/python -m benchmarks.recommender_scale [--factors 1 10 100]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.workers import table, timed
from tfarch.data.behaviour import Catalogue

ONE_CORE = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # of numpy, in which queries are timed
LIKED, QUERIES, WIDTH, VECTORS, CLUSTERS = 4.0, 200, 64, 1_000_000, 10_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 10, 100], help="times the real items (default 1 10 100)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(_search() if options.one == 0 else _learned(options.one)))
        return 0
    rows = []
    for factor in options.factors:
        found = timed([sys.executable, "-m", "benchmarks.recommender_scale", "--one", str(factor)], limit_s=7200, env=ONE_CORE)
        told = json.loads(found["stdout"])
        rows.append([f"{told['items']:,}", f"{told['learn_s']:.0f}", f"{found['peak_mb']:.0f}", f"{told['index_s']:.0f}", f"{told['index_mb']:.1f}", *(f"{told[way]['p50']:.1f} / {told[way]['p99']:.1f}" for way in ("exact", "index")), f"{100 * told['same']:.1f}"])  # fmt: skip
        print(rows[-1], file=sys.stderr)
    print(
        table(
            [
                "items",
                "learning, s",
                "peak, MB",
                "index, s",
                "index, MB",
                "all items, p50 / p99 ms",
                "with the index",
                "of ten the same, %",
            ],
            rows,
        )
    )
    found = timed([sys.executable, "-m", "benchmarks.recommender_scale", "--one", "0"], limit_s=7200, env=ONE_CORE)
    told = json.loads(found["stdout"])
    rows = [[count, f"{each['p50']:.2f} / {each['p99']:.2f}", f"{100 * each['true']:.1f}"] for count, each in told["searches"].items()]
    print(f"\n{VECTORS:,} vectors of {WIDTH}: built in {told['build_s']:.0f} s, {told['mb']:.0f} MB, peak {found['peak_mb']:.0f} MB; exact (numpy) p50 {told['exact']:.1f} ms")  # fmt: skip
    print(table(["nearest", "p50 / p99 ms", "of the true ten, %"], rows))
    return 0


def _learned(factor: int) -> dict:
    """Learns from MovieLens with this many times its items, and asks."""
    from apps.recommender.settings import DataSettings, RecommenderSettings
    from apps.recommender.source import load
    from tfarch.quiet import start_tensorflow
    from tfarch.runtime.nearest import Nearest
    from tfarch.runtime.recommender import Recommender
    from tfarch.training.recommender import history_of

    start_tensorflow()
    from apps.recommender.learner import Learner

    source = load(DataSettings(liked=LIKED))
    catalogue = grown(source.catalogue, factor)
    log = source.log.and_also(source.log, item_ids=catalogue.ids)
    started = time.perf_counter()
    exact = Learner(RecommenderSettings(), catalogue, LIKED).learn(log, float(log.times[-1])).recommender
    learn_s = time.perf_counter() - started
    started = time.perf_counter()
    index = Nearest.of(exact.signals.vectors)
    index_s = time.perf_counter() - started
    quick = Recommender(
        exact.signals, exact.ranker, exact.ids, exact.titles, exact.behaviours, exact.categories, exact.liked, nearest=index
    )
    rows = [own for own in log.of_users() if len(own)]
    histories = [history_of(log, own, LIKED) for own in rows[:: max(1, len(rows) // QUERIES)][:QUERIES]]
    lists, times = {}, {}
    for name, way in (("exact", exact), ("index", quick)):
        lists[name], times[name] = _timed(lambda history, way=way: [each.item for each in way.recommend(history, 10)], histories)
    same = [len(set(one) & set(other)) / 10 for one, other in zip(lists["exact"], lists["index"], strict=True)]
    sizes = {"items": len(catalogue), "learn_s": learn_s, "index_s": index_s, "index_mb": len(index.as_bytes()) / 1e6}
    return {**sizes, **times, "same": float(np.mean(same))}


def grown(catalogue: Catalogue, factor: int, seed: int = 0) -> Catalogue:
    """With made-up items after its own, so that there are `factor` times as many."""
    rng, count = np.random.default_rng(seed), (factor - 1) * len(catalogue)
    words = sorted({word for title in catalogue.titles for word in title.split() if word.isalpha()})
    titles = [" ".join(words[word] for word in each) for each in rng.integers(0, len(words), (count, 3))]
    like = rng.integers(0, len(catalogue), count)
    categories = [catalogue.categories[item] for item in like]
    texts = [". ".join(part for part in (title, ", ".join(kinds)) if part) for title, kinds in zip(titles, categories, strict=True)]
    made = Catalogue(
        tuple(f"made-{number}" for number in range(count)), tuple(titles), tuple(texts), tuple(categories), catalogue.since[like]
    )
    return catalogue if factor == 1 else catalogue.replaced_by(made)


def _search() -> dict:
    from tfarch.runtime.nearest import Nearest

    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CLUSTERS, WIDTH)).astype(np.float32)
    vectors = centres[rng.integers(0, CLUSTERS, VECTORS)] + 0.5 * rng.normal(size=(VECTORS, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    asked = centres[rng.integers(0, CLUSTERS, QUERIES)] + 0.5 * rng.normal(size=(QUERIES, WIDTH)).astype(np.float32)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    started = time.perf_counter()
    index = Nearest.of(vectors)
    build_s = time.perf_counter() - started
    best, exact = _timed(lambda vector: np.argpartition(-(vectors @ vector), 10)[:10], asked)
    searches = {}
    for count in (1000, 10):
        found, times = _timed(lambda vector, count=count: index.to(vector, count), asked)
        true = [len(np.intersect1d(one[:10] if count == 10 else one, other)) / 10 for one, other in zip(found, best, strict=True)]
        searches[str(count)] = {**times, "true": float(np.mean(true))}
    return {"build_s": build_s, "mb": len(index.as_bytes()) / 1e6, "exact": exact["p50"], "searches": searches}


def _timed(run: Callable, asked) -> tuple[list, dict[str, float]]:
    """What each gives, and milliseconds; once more than asked, the first time for warmth."""
    run(asked[0])
    found, times = [], []
    for each in asked:
        started = time.perf_counter()
        found.append(run(each))
        times.append(1e3 * (time.perf_counter() - started))
    return found, {f"p{share}": float(np.percentile(times, share)) for share in (50, 99)}


if __name__ == "__main__":
    sys.exit(main())
