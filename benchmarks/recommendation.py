"""Recommendation on the default MovieLens: does the scorer give the figures that are known of simple ways, and how good are ours beside them?

What it compares: NDCG@10 of simple ways with given settings, and of ours, under the protocol of `tfarch.data.behaviour.cuts.rolling_cuts` (moments at .5 to .9 of the events, users folded in),
targets rated 4 or more, by view, with 95 % intervals over users. The check values were found by another program; there equal scores were put in the order of the films' numbers, and so
they are here.

Ours is settled by the events up to each moment alone, but for a few constants that were settled with these figures in view (RESULTS.md says which).

What it costs: two minutes. What it last gave: RESULTS.md, "Recommendation".

    .venv/bin/python -m benchmarks.recommendation
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from apps.recommender.settings import DataSettings
from apps.recommender.source import load
from benchmarks.recommenders import ways
from benchmarks.workers import table
from tfarch.data.behaviour import Catalogue, Interactions
from tfarch.data.behaviour.cuts import QUANTILES, rolling_cuts
from tfarch.evaluation.recommendation import VIEWS, Rankings, paired_difference
from tfarch.training.recommender import history_of

LIKED = 4.0  # stars from which on a film was what its viewer wanted
_TIE = 1e-9  # by which the film of the next number scores less


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=Path, help="another log, columns user,item,timestamp,rating (default: MovieLens)")
    parser.add_argument("--items", type=Path, help="its items, columns item,title,tags,category,since")
    options = parser.parse_args()
    data = DataSettings(interactions=options.events and str(options.events), items=options.items and str(options.items), liked=LIKED)
    source = load(data)
    found = rankings(source.log, source.catalogue, in_order=options.events is None)
    rows = [[way, *(_cell(each.summary().get(view)) for view in VIEWS)] for way, each in found.items()]
    counts = next(iter(found.values())).summary()
    for view, other in (("cold", "BM25 text kNN"), ("all", "EASE, l2 300"), ("warm", "EASE, l2 300")):
        difference, (low, high) = paired_difference(found["tfarch"], found[other], view)
        print(f"{view}: tfarch less {other}: {difference:+.4f} ({low:+.4f} to {high:+.4f})")
    print(table(["NDCG@10", *(f"{view} ({counts[view]['queries']})" for view in VIEWS)], rows))
    print(json.dumps({way: each.summary() for way, each in found.items()}))
    return 0


def rankings(log: Interactions, catalogue: Catalogue, *, in_order: bool = False) -> dict[str, Rankings]:
    """Where each way put what users took next.

    Args:
        in_order: of equal scores the item of the lower number comes first. Where items have their numbers from the log, that is a look into the future.
    """
    later = _TIE * np.arange(len(log.item_ids)) * in_order
    found: dict[str, Rankings] = {}
    for fold, quantile in zip(rolling_cuts(log, QUANTILES), QUANTILES, strict=True):
        train = log.select(fold.train)
        warm, learned = train.counts() > 0, np.bincount(train.users, minlength=len(log.user_ids)) > 0
        for way, score in ways(train, catalogue, float(np.quantile(log.times, quantile)), LIKED).items():
            for query in fold.queries:
                history, wanted = history_of(log, query.known, LIKED), log.items[query.wanted[log.values[query.wanted] >= LIKED]]
                asked = {"seen": history.items, "wanted": np.unique(wanted), "warm": warm, "new": not learned[query.user]}
                found.setdefault(way, Rankings()).add(query.user, score(history) - later, **asked)
        print(f"  {fold.name}: {len(fold.queries)} users", file=sys.stderr)
    return found


def _cell(figures: dict | None) -> str:
    if figures is None:
        return ""
    low, high = figures["ndcg_at_10_interval"]
    return f"{figures['ndcg_at_10']:.4f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
