"""Rows whose label is likely wrong, ranked: confident learning over probabilities from heads and neighbours that have not seen the row's label.

The fitted model itself is no judge of the rows that it was trained on: it has learned their wrong labels too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfarch.evaluation.confident import NOBODY, confident_joint, confident_labels, noise_interval, noise_rate, thresholds
from tfarch.evaluation.out_of_fold import Fit, neighbour_shares, out_of_fold, stratified_folds

NEIGHBOURS = 10
FEWEST = 5  # different texts of a class under which nobody can say what is no part of it


@dataclass(frozen=True)
class Suspect:
    """A row whose label is likely wrong.

    row: its number.
    label, suggested: class numbers, as given and as it should be.
    label_probability, suggested_probability: of both, by those who have not seen the label.
    """

    row: int
    label: int
    suggested: int
    label_probability: float
    suggested_probability: float

    @property
    def score(self) -> float:
        """From -1 to 1, higher is more suspicious: how far the suggestion is ahead (minus the normalised margin)."""
        return self.suggested_probability - self.label_probability


@dataclass(frozen=True)
class LabelErrors:
    """What was found among n rows.

    suspects: the most suspicious first.
    rate, interval: the estimated share of wrong labels, and where it lies by the draw of the rows (see `noise_interval`).
    judged: bool `[n]`; the others are of classes with fewer than `FEWEST` different texts.
    probabilities: `[n, classes]`, by those who have not seen the label; zeros where not judged.
    """

    suspects: tuple[Suspect, ...]
    rate: float
    interval: tuple[float, float]
    judged: np.ndarray
    probabilities: np.ndarray


def find_label_errors(
    vectors: np.ndarray, targets: np.ndarray, groups: np.ndarray, classes: int, *, fit: Fit, folds: int, seed: int
) -> LabelErrors | None:
    """Looks for them; None where no two classes have `FEWEST` different texts.

    Args:
        vectors: text vectors `[n, width]` that were not fitted to `targets`.
        targets: the labels as given, class numbers `[n]`.
        groups: `[n]`, a number that rows have in common which say the same: they do not judge one another.
        classes: how many classes there are.
        fit: makes a head of vectors and labels.
        folds: heads that are fitted, each on the rows of the other folds.
        seed: of folds and bootstrap.
    """
    different = np.bincount(targets[np.unique(groups, return_index=True)[1]], minlength=classes)
    known = np.flatnonzero(different >= FEWEST)
    if len(known) < 2:
        return None
    judged = np.isin(targets, known)
    given = np.searchsorted(known, targets[judged])
    found = _probabilities(vectors[judged], given, groups[judged], len(known), fit, folds, seed)
    sure = confident_labels(found, thresholds(found, given))
    rows = np.arange(len(given))
    suspicious = np.flatnonzero((sure != NOBODY) & (sure != given) & (found[rows, sure] > found[rows, given]))
    places = np.flatnonzero(judged)
    suspects = [
        Suspect(int(places[row]), int(known[given[row]]), int(known[sure[row]]), float(found[row, given[row]]), float(found[row, sure[row]]))
        for row in suspicious
    ]
    probabilities = np.zeros((len(targets), classes))
    probabilities[np.ix_(judged, known)] = found
    return LabelErrors(
        tuple(sorted(suspects, key=lambda each: (-each.score, each.row))),
        noise_rate(confident_joint(found, given), given),
        noise_interval(found, given, seed=seed),
        judged,
        probabilities,
    )


def _probabilities(
    vectors: np.ndarray, given: np.ndarray, groups: np.ndarray, classes: int, fit: Fit, folds: int, seed: int
) -> np.ndarray:
    """The mean of what the heads and the neighbours say, `[n, classes]`."""
    heads = out_of_fold(vectors, given, classes, stratified_folds(given, groups, folds, seed), fit)
    return (heads + neighbour_shares(vectors, given, classes, groups, NEIGHBOURS)) / 2
