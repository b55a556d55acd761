"""How well the search for label errors finds labels that are known to be wrong, and who judges best.

What it compares, on the embedded sample's rows in scope (1,315, carefully labelled): with 5 % of the labels exchanged, at random or for the class that theirs
is taken for most often, `--draws` times each,

- the list that `run` writes: how many rows it has, which share of it is wrong labels, and which share of the wrong labels is on it; also with none exchanged;
- the average precision with which wrong labels come first when rows are ranked by the probability of their label: by heads that have not seen the row, by ten
  neighbours, and by the mean of both, which the list uses; over vectors of the untrained encoder, and over word pieces, which serve where there is none.

What it costs: two minutes on 2 cores. What it last gave: RESULTS.md, "Label errors".

    .venv/bin/python -m benchmarks.label_errors
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.workers import table

SHARE = 0.05
KINDS = ("at random", "most confused")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=2)
    options = parser.parse_args()
    vectors, targets, groups, classes = _rows()
    lists, ranked = [], []
    for source, features in vectors.items():
        taken_for = _taken_for(features, targets, groups, classes)
        if source == "encoder":
            found = _search(features, targets, groups, classes)
            lists.append({"labels": "as they are", "listed": len(found)})
        for kind in KINDS:
            for draw in range(options.draws):
                given, wrong = _exchanged(targets, classes, taken_for if kind == "most confused" else None, draw)
                if source == "encoder":
                    lists.append({"labels": kind, **_list_figures(_search(features, given, groups, classes), wrong)})
                for judge, said in _judges(features, given, groups, classes).items():
                    ranked.append({"labels": kind, "vectors": source, "judge": judge, "ap": _average_precision(said, given, wrong)})
    _print_lists(lists)
    _print_ranked(ranked)
    print(json.dumps({"lists": lists, "ranked": ranked}))
    return 0


def _rows() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, int]:
    """Vectors by what they are of, `[n, width]`; class numbers `[n]`; a number that equal texts share `[n]`; and the number of classes."""
    from tfarch.quiet import start_tensorflow

    start_tensorflow()
    from apps.customer_service.app import APP
    from tfarch.config import Config
    from tfarch.data.normal_form import same_question
    from tfarch.evaluation.latent import latent_vectors
    from tfarch.pipeline.prepare import prepare
    from tfarch.pipeline.untrained import untrained_vectors

    prepared = prepare(Config().with_values({"data": {"path": str(APP.sample)}}))[""]
    parts = [part.in_scope for part in (prepared.train, prepared.valid, prepared.test)]
    with tempfile.TemporaryDirectory() as cache:
        encoder = np.concatenate([untrained_vectors(prepared.start, part.tokens, Path(cache)) for part in parts])
    ids, lengths = (np.concatenate([getattr(part.tokens, name) for part in parts]) for name in ("ids", "lengths"))
    pieces = latent_vectors(ids, np.concatenate([[0], np.cumsum(lengths)]), seed=0)
    groups = np.array(same_question(text for part in parts for text in part.texts))
    return {"encoder": encoder, "word pieces": pieces}, np.concatenate([part.targets for part in parts]), groups, len(prepared.labels)


def _fit(features: np.ndarray, given: np.ndarray, classes: int):
    from tfarch.pipeline.label_errors_job import STEPS
    from tfarch.training.probe import fit_probe

    return fit_probe(features, given, classes, steps=STEPS)


def _judges(features: np.ndarray, given: np.ndarray, groups: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """What each way says of the classes of each row, `[n, classes]`."""
    from tfarch.evaluation.label_errors import NEIGHBOURS
    from tfarch.evaluation.out_of_fold import neighbour_shares, out_of_fold, stratified_folds

    heads = out_of_fold(features, given, classes, stratified_folds(given, groups, 5, 0), _fit)
    neighbours = neighbour_shares(features, given, classes, groups, NEIGHBOURS)
    return {"heads": heads, "neighbours": neighbours, "mean of both": (heads + neighbours) / 2}


def _taken_for(features: np.ndarray, targets: np.ndarray, groups: np.ndarray, classes: int) -> np.ndarray:
    """The class that each class is taken for most often, by the heads, `[classes]`."""
    said = _judges(features, targets, groups, classes)["heads"]
    sums = np.zeros((classes, classes))
    np.add.at(sums, targets, said)
    np.fill_diagonal(sums, 0)
    return sums.argmax(axis=1)


def _exchanged(targets: np.ndarray, classes: int, taken_for: np.ndarray | None, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """The labels with a share of them exchanged, and which: bool `[n]`."""
    random = np.random.default_rng(draw)
    rows = random.permutation(len(targets))[: round(SHARE * len(targets))]
    given, wrong = targets.copy(), np.zeros(len(targets), bool)
    given[rows] = (targets[rows] + random.integers(1, classes, len(rows))) % classes if taken_for is None else taken_for[targets[rows]]
    wrong[rows] = True
    return given, wrong


def _search(features: np.ndarray, given: np.ndarray, groups: np.ndarray, classes: int) -> list[int]:
    """The rows on the list."""
    from tfarch.evaluation.label_errors import find_label_errors

    found = find_label_errors(features, given, groups, classes, fit=_fit, folds=5, seed=0)
    return [suspect.row for suspect in found.suspects]


def _list_figures(listed: list[int], wrong: np.ndarray) -> dict[str, float]:
    hits = int(wrong[listed].sum())
    return {"listed": len(listed), "precision": hits / max(1, len(listed)), "recall": hits / int(wrong.sum())}


def _average_precision(said: np.ndarray, given: np.ndarray, wrong: np.ndarray) -> float:
    """Of the wrong labels, the rows of the least probable label first."""
    ordered = wrong[np.argsort(said[np.arange(len(given)), given], kind="stable")]
    return float((np.cumsum(ordered) / np.arange(1, len(ordered) + 1))[ordered].mean())


def _print_lists(lists: list[dict]) -> None:
    rows = []
    for kind in ("as they are", *KINDS):
        own = [each for each in lists if each["labels"] == kind]
        shares = [
            f"{100 * statistics.mean(each[name] for each in own):.0f} %" if name in own[0] else "" for name in ("precision", "recall")
        ]
        rows.append([kind, f"{statistics.mean(each['listed'] for each in own):.0f}", *shares])
    print(table(["5 % of the labels exchanged", "rows listed", "of these wrong", "of the wrong ones listed"], rows))


def _print_ranked(ranked: list[dict]) -> None:
    rows = []
    for source, judge in dict.fromkeys((each["vectors"], each["judge"]) for each in ranked):
        own = [each for each in ranked if (each["vectors"], each["judge"]) == (source, judge)]
        rows.append([source, judge, *(f"{statistics.mean(each['ap'] for each in own if each['labels'] == kind):.2f}" for kind in KINDS)])
    print(table(["vectors", "judged by", *(f"average precision, {kind}" for kind in KINDS)], rows))


if __name__ == "__main__":
    sys.exit(main())
