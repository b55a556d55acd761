"""Recommendation on the default MovieLens and on ML-100K: does the scorer give the figures that are known of simple ways, and how good are ours beside well-kept ones?

What it compares: NDCG@10 under the protocol of `tfarch.data.behaviour.cuts.rolling_cuts` (moments at .5 to .9 of the events, users folded in), targets rated 4 or more, by view, with 95 %
intervals over users. Every way has twenty settings, of which the first is its library's default or the usual one; that of the highest NDCG@10 over all items (over new ones, of ways that know texts alone) is taken in the window
from .4 to .5 of the events, which no figure of the table comes from. `implicit`, `fastslim` and `RecTools` are peers' packages (`benchmarks.recommender_peers`), the others are
written out in `benchmarks.recommenders`.

First come simple ways with given settings, whose figures another program had found: there equal scores were put in the order of the films' numbers, and so they are in this check. In the
comparison equal scores share their ranks.

What it costs: half an hour for each set on 2 cores of Zen 5, most of it ours and SASRec. What is done is kept in `--out`; without the files `test_*.npy` there, the fits with the best settings are made and timed again. What it last gave: RESULTS.md,
"Recommendation".

    make bench-env
    .venv/bin/python -m benchmarks.recommendation --out saved_models/recommendation
    .venv-bench/bin/python -m benchmarks.ml_100k --out saved_models/ml_100k
    .venv/bin/python -m benchmarks.recommendation --out saved_models/recommendation_100k --events saved_models/ml_100k/events.csv --items saved_models/ml_100k/items.csv
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.recommender.settings import DataSettings
from apps.recommender.source import load
from benchmarks.recommenders import known_ways
from benchmarks.workers import Worker, table
from tfarch.data.behaviour import Interactions
from tfarch.data.behaviour.cuts import QUANTILES, Fold, rolling_cuts
from tfarch.evaluation.recommendation import VIEWS, Rankings, paired_difference
from tfarch.training.recommender import ask

LIKED = 4.0  # stars from which on a film was what its viewer wanted
VALIDATION = (0.4, 0.5)  # of the events, the window that settings are chosen in
TRIALS = 20
_TIE = 1e-9  # by which the film of the next number scores less
_EITHER = [False, True]
_NEIGHBOURS = [50, 20, 100, 200, 500, 1000, 2000, 5000]
_FADING = [None, 5.0, 10.0, 20.0, 50.0, 100.0]


@dataclass(frozen=True)
class Way:
    """A way and its settings.

    module: of the worker. name: what that calls it.
    space: values of each setting, the first ones being the defaults.
    view: whose NDCG@10 the settings are chosen by: new items for ways that know texts alone, which have nothing else to win.
    """

    module: str
    name: str
    space: dict[str, list]
    view: str = "all"

    def trials(self) -> list[dict[str, Any]]:
        """The defaults, and others by chance, `TRIALS` in all or as many as there are."""
        every = [dict(zip(self.space, values, strict=True)) for values in itertools.product(*self.space.values())]
        return [every[0], *random.Random(0).sample(every[1:], min(TRIALS, len(every)) - 1)]


PEERS, OWN = "recommender_peers", "recommenders"
WAYS = {
    "popular": Way(OWN, "popular", {"days": [None, 7.0, 14.0, 30.0, 45.0, 60.0, 90.0, 120.0, 150.0, 180.0, 240.0, 300.0, 365.0, 450.0, 540.0, 730.0, 1095.0, 1460.0, 2190.0, 2920.0]}),
    "item-kNN, cosine (implicit)": Way(PEERS, "neighbours", {"kind": ["CosineRecommender"], "K": _NEIGHBOURS, "only_liked": _EITHER}),
    "item-kNN, TF-IDF (implicit)": Way(PEERS, "neighbours", {"kind": ["TFIDFRecommender"], "K": _NEIGHBOURS, "only_liked": _EITHER}),
    "item-kNN, BM25 (implicit)": Way(PEERS, "neighbours", {"kind": ["BM25Recommender"], "K": _NEIGHBOURS, "only_liked": _EITHER, "K1": [1.2, 0.5, 2.0, 4.0], "B": [0.75, 0.2, 0.5]}),
    "iALS (implicit)": Way(PEERS, "als", {"factors": [64, 16, 32, 128], "regularization": [0.01, 0.1, 1.0, 10.0, 50.0], "alpha": [1.0, 2.0, 5.0, 10.0, 40.0], "iterations": [15, 5, 30], "only_liked": _EITHER}),
    "SLIM (fastslim)": Way(PEERS, "slim", {"lambd": [2.0, 1.0, 4.0, 8.0], "beta": [2.0, 0.5, 5.0, 10.0, 50.0, 200.0], "max_iter": [50], "only_liked": _EITHER}),
    "EASE": Way(OWN, "ease", {"l2": [300.0, 20.0, 50.0, 100.0, 150.0, 200.0, 400.0, 500.0, 700.0, 1000.0], "only_liked": _EITHER}),
    "SASRec (RecTools)": Way(PEERS, "sasrec", {"epochs": [10, 5, 20], "lr": [1e-3, 3e-3], "n_factors": [64, 128], "n_blocks": [1, 2], "n_heads": [2], "session_max_len": [50, 100], "dropout_rate": [0.2, 0.4], "loss": ["softmax", "gBCE"], "n_negatives": [128], "gbce_t": [0.5], "batch_size": [64], "only_liked": _EITHER}),
    "BM25 text kNN": Way(OWN, "text", {"k1": [1.2, 0.5, 2.0], "b": [0.75, 0.0, 0.4, 1.0], "fading": _FADING, "only_liked": [True, False]}, "cold"),
    "text and behaviour kNN": Way(OWN, "text_and_behaviour", {"weight": [0.3, 0.05, 0.1, 0.2, 0.5], "shrinkage": [50.0, 10.0, 100.0, 200.0], "fading": [None, 10.0, 20.0]}),
    "frozen encoder": Way(OWN, "encoder", {"fading": _FADING, "only_liked": [True, False], "centred": [False, True]}, "cold"),
    "tfarch": Way(OWN, "ours", {"factors": [{}, {"rank": 32}, {"rank": 128}, {"l2": 50.0}, {"l2": 300.0}], "interest": [{}, {"width": 32}, {"width": 128}, {"epochs": 2}, {"epochs": 8}, {"learning_rate": 2e-3}, {"learning_rate": 1e-2}, {"user_tower": "mean"}, {"ids": False}, {"structure": "none"}, {"structure": "pretrained"}, {"hard_negatives": 10}]}),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of what is done")
    parser.add_argument("--events", type=Path, help="another log, columns user,item,timestamp,rating (default: MovieLens)")
    parser.add_argument("--items", type=Path, help="its items, columns item,title,tags,category,since")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="NAME", help=f"of {', '.join(WAYS)}")
    options = parser.parse_args()
    source = load(
        DataSettings(interactions=options.events and str(options.events), items=options.items and str(options.items), liked=LIKED)
    )
    if options.events is None:
        print(_table(_known(source.log)), end="\n\n")
    options.out.mkdir(parents=True, exist_ok=True)
    folds = {"valid": next(rolling_cuts(source.log, VALIDATION[:1], until=VALIDATION[1]))}
    folds |= {f"test_{quantile:g}": fold for fold, quantile in zip(rolling_cuts(source.log, QUANTILES), QUANTILES, strict=True)}
    files = {name: _written(source.log, fold, options.out / f"{name}.npz") for name, fold in folds.items()}
    data = [str(options.events or ""), str(options.items or ""), str(LIKED)]
    found, figures = {}, {}
    for way in options.ways:
        figures[way] = _measured(way, source.log, folds, files, options.out / way.split(" (")[0].replace(" ", "_").replace(",", ""), data)
        found[way] = figures[way].pop("rankings")
        print(f"  {way}: {figures[way]}", file=sys.stderr)
    print(_table(found, figures), end="\n\n")
    if "tfarch" in found:
        print(_differences(found))
    print(json.dumps({way: {**figures[way], "views": each.summary()} for way, each in found.items()}))
    return 0


def _known(log: Interactions) -> dict[str, Rankings]:
    """Of the ways whose figures are known, equal scores in the order of the items' numbers."""
    later, found = _TIE * np.arange(len(log.item_ids)), {}
    for fold, quantile in zip(rolling_cuts(log, QUANTILES), QUANTILES, strict=True):
        for way, score in known_ways(log.select(fold.train), float(np.quantile(log.times, quantile))).items():
            ask(log, fold, LIKED, lambda history, score=score: score(history) - later, found.setdefault(way, Rankings()))
    return found


def _written(log: Interactions, fold: Fold, file: Path) -> Path:
    """What a way may know of a fold: see `benchmarks.recommender_peers.Fold`; and the moment, and the rows that are known of each query."""
    train, known = log.select(fold.train), [query.known for query in fold.queries]
    rows = np.concatenate(known)
    columns = {name: getattr(train, name) for name in ("users", "items", "values", "times")}
    sizes = {"user_count": len(log.user_ids), "item_count": len(log.item_ids), "liked": LIKED, "moment": train.times[-1]}
    starts = np.concatenate([[0], np.cumsum([len(each) for each in known])])
    np.savez(file, **columns, **sizes, starts=starts, known_rows=rows, known_items=log.items[rows], known_values=log.values[rows])
    return file


def _measured(way: str, log: Interactions, folds: dict[str, Fold], files: dict[str, Path], folder: Path, data: list[str]) -> dict:
    """The best settings of a way, its rankings with them, and what it costs; from `folder` where that was found before."""
    folder.mkdir(exist_ok=True)
    kept, scores = folder / "figures.json", folder / "scores.npy"
    figures = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {"trials": []}
    worker = None

    def answered(fold: str, settings: dict, out: Path) -> dict[str, float]:
        nonlocal worker
        peer = WAYS[way].module == PEERS
        worker = worker or Worker(WAYS[way].module, *([] if peer else data), peer=peer)
        return worker.ask(way=WAYS[way].name, fold=str(files[fold]), out=str(out), settings=settings)

    for settings in WAYS[way].trials()[len(figures["trials"]) :]:
        answered("valid", settings, scores)
        ndcg = _read(log, folds["valid"], scores, Rankings()).summary()[WAYS[way].view]["ndcg_at_10"]
        figures["trials"].append([ndcg, settings])
        kept.write_text(json.dumps(figures), encoding="utf-8")
        print(f"  {way}: {ndcg:.4f} {settings}", file=sys.stderr)
    best, settings = max(figures["trials"], key=lambda trial: trial[0])
    rankings, costs = Rankings(), []
    for name in files:
        if name != "valid":
            out = folder / f"{name}.npy"
            if not out.is_file():
                costs.append(answered(name, settings, scores))
                scores.replace(out)
            _read(log, folds[name], out, rankings)
    if costs:
        figures["seconds"] = statistics.median(each["seconds"] for each in costs)
        figures["peak_mb"] = max(each["peak_mb"] for each in costs)
        kept.write_text(json.dumps(figures), encoding="utf-8")
    if worker:
        worker.close()
    told = {name: figures.get(name, math.nan) for name in ("seconds", "peak_mb")}
    return {"settings": settings, "valid": best, **told, "rankings": rankings}


def _read(log: Interactions, fold: Fold, file: Path, found: Rankings) -> Rankings:
    """Takes the scores that a worker wrote, in the order of the queries."""
    rows = iter(np.load(file))
    return ask(log, fold, LIKED, lambda history: next(rows), found)


def _table(found: dict[str, Rankings], figures: dict[str, dict] | None = None) -> str:
    counts = next(iter(found.values())).summary()
    views = [view for view in VIEWS if view in counts]
    rows = []
    for way, each in found.items():
        row = [way, *(_cell(each.summary().get(view)) for view in views)]
        rows.append(row if figures is None else [*row, f"{figures[way]['seconds']:.1f}", f"{figures[way]['peak_mb']:.0f}"])
    heads = ["NDCG@10", *(f"{view} ({counts[view]['queries']})" for view in views)]
    return table(heads if figures is None else [*heads, "fit, s", "peak, MB"], rows)


def _differences(found: dict[str, Rankings]) -> str:
    """Ours less every other, on the same queries."""
    views = [view for view in VIEWS if found["tfarch"].found[view]]
    rows = []
    for way, each in found.items():
        if way != "tfarch":
            parts = [paired_difference(found["tfarch"], each, view) for view in views]
            rows.append([way, *(f"{mean:+.4f} ({low:+.4f} to {high:+.4f})" for mean, (low, high) in parts)])
    return table(["tfarch less", *views], rows)


def _cell(figures: dict | None) -> str:
    if figures is None:
        return ""
    low, high = figures["ndcg_at_10_interval"]
    return f"{figures['ndcg_at_10']:.4f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
