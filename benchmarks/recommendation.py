"""Recommendation on the default MovieLens: does the scorer give the figures that are known of simple ways?

What it compares: NDCG@10 of simple ways with given settings under the protocol of `tfarch.data.behaviour.cuts.rolling_cuts` (moments at .5 to .9 of the events, users folded in),
targets rated 4 or more, by view, with 95 % intervals over users. The check values were found by another program; there equal scores were put in the order of the films' numbers, and so
they are here.

What it costs: half a minute. What it last gave: RESULTS.md, "Recommendation".

    .venv/bin/python -m benchmarks.recommendation
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from apps.recommender.movielens import movielens
from benchmarks.recommenders import Scorer, simple_ways
from benchmarks.workers import table
from tfarch.data.behaviour import Interactions
from tfarch.data.behaviour.cuts import QUANTILES, rolling_cuts
from tfarch.data.behaviour.reading import read_events
from tfarch.evaluation.recommendation import VIEWS, Rankings

LIKED = 4.0  # stars from which on a film was what its viewer wanted
_TIE = 1e-9  # by which the film of the next number scores less


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=Path, help="another log, columns user,item,timestamp,rating (default: MovieLens)")
    options = parser.parse_args()
    log = read_events(options.events).log if options.events else movielens()[0]
    found = rankings(log, simple_ways, in_order=options.events is None)
    rows = [[way, *(_cell(each.summary().get(view)) for view in VIEWS)] for way, each in found.items()]
    counts = next(iter(found.values())).summary()
    print(table(["NDCG@10", *(f"{view} ({counts[view]['queries']})" for view in VIEWS)], rows))
    print(json.dumps({way: each.summary() for way, each in found.items()}))
    return 0


def rankings(log: Interactions, ways: Callable[[Interactions, float], dict[str, Scorer]], *, in_order: bool = False) -> dict[str, Rankings]:
    """Where each way put what users took next.

    Args:
        in_order: of equal scores the item of the lower number comes first. Where items have their numbers from the log, that is a look into the future.
    """
    later = _TIE * np.arange(len(log.item_ids)) * in_order
    found: dict[str, Rankings] = {}
    for fold, quantile in zip(rolling_cuts(log, QUANTILES), QUANTILES, strict=True):
        train = log.select(fold.train)
        warm, learned = train.counts() > 0, np.bincount(train.users, minlength=len(log.user_ids)) > 0
        for way, score in ways(train, float(np.quantile(log.times, quantile))).items():
            for query in fold.queries:
                known, wanted = log.items[query.known], log.items[query.wanted[log.values[query.wanted] >= LIKED]]
                found.setdefault(way, Rankings()).add(
                    query.user, score(known) - later, seen=known, wanted=np.unique(wanted), warm=warm, new=not learned[query.user]
                )
        print(f"  {fold.name}: {len(fold.queries)} users", file=sys.stderr)
    return found


def _cell(figures: dict | None) -> str:
    if figures is None:
        return ""
    low, high = figures["ndcg_at_10_interval"]
    return f"{figures['ndcg_at_10']:.4f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
