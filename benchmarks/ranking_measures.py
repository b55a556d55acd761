"""Are our measures of rankings those that others mean by their names?

What it compares: every measure of `tfarch.evaluation.ranking` that `ranx` has too, query by query, on 500 rankings of 300 entries by chance, with 1 to 40 right ones each. There are no equal scores: `ranx` puts
those in some order, ours shares their ranks.

What it costs: a minute, most of it numba's. What it last gave: RESULTS.md, "Recommendation".

    make bench-env
    .venv/bin/python -m benchmarks.ranking_measures
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.workers import Worker, table
from tfarch.evaluation.ranking import average_precision_at, hit_at, ndcg_at, padded, precision_at, ranks_among, recall_at, reciprocal_rank

MEASURES = {
    "ndcg@10": lambda found: ndcg_at(found, 10),
    "ndcg@100": lambda found: ndcg_at(found, 100),
    "recall@10": lambda found: recall_at(found, 10),
    "recall@20": lambda found: recall_at(found, 20),
    "precision@10": lambda found: precision_at(found, 10),
    "hit_rate@10": lambda found: hit_at(found, 10),
    "mrr": reciprocal_rank,
    "map@10": lambda found: average_precision_at(found, 10),
    "map@100": lambda found: average_precision_at(found, 100),
}
QUERIES, ENTRIES, MOST = 500, 300, 40


def main() -> int:
    rng = np.random.default_rng(0)
    scores = np.stack([rng.permutation(ENTRIES) for _ in range(QUERIES)]).astype(float)
    wanted = [rng.permutation(ENTRIES)[: rng.integers(1, MOST + 1)] for _ in range(QUERIES)]
    every = np.ones(ENTRIES, bool)
    found = padded([ranks_among(own, every, right) for own, right in zip(scores, wanted, strict=True)])
    worker = Worker("ranking_peers", peer=True)
    theirs = worker.ask(wanted=[each.tolist() for each in wanted], scores=scores.tolist(), measures=list(MEASURES))
    worker.close()
    rows, apart = [], 0.0
    for name, measure in MEASURES.items():
        own = measure(found)
        largest = float(np.abs(own - np.array(theirs[name])).max())
        apart = max(apart, largest)
        rows.append([name, f"{own.mean():.6f}", f"{np.mean(theirs[name]):.6f}", f"{largest:.1e}"])
    print(table(["measure", "tfarch, mean", "ranx, mean", "largest difference of a query"], rows))
    return int(apart > 1e-9)


if __name__ == "__main__":
    sys.exit(main())
