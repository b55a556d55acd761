"""Rows whose label is likely wrong, ranked by what heads and neighbours that have not seen the label say of it.

The fitted model itself is no judge of the rows that it was trained on: it has learned their wrong labels too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfarch.evaluation import rehearsal
from tfarch.evaluation.confident import confident_joint, noise_interval, noise_rate
from tfarch.evaluation.out_of_fold import Fit, neighbour_shares, out_of_fold, stratified_folds

NEIGHBOURS = 10
FEWEST = 5  # different texts of a class under which nobody can say what is no part of it
# Measured on 1,315 carefully labelled rows of 44 classes, on 70 % of which the judges are right: 25 are suspected, where off the diagonal of the confident
# joint lie 154. Of 5 % labels that were exchanged at random 82 % are found, two thirds of the list being wrong; of 5 % exchanged for the class that theirs is
# taken for most often, 25 and 37 % (RESULTS.md, "Label errors").
TIMES = 20.0


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
        """From 0 to 1, higher is more suspicious: the suggestion's probability as a share of both."""
        return self.suggested_probability / (self.suggested_probability + self.label_probability)


@dataclass(frozen=True)
class LabelErrors:
    """What was found among n rows.

    suspects: the most suspicious first.
    rate, interval: the share of wrong labels by the confident joint, in which what the judges get wrong counts as wrongly labelled.
    scattered_rate: what it would be were wrong labels spread over all classes alike, by the rehearsal.
    rehearsal: how many wrong labels were planted, and how many of them would have been suspected.
    judged: bool `[n]`; the others are of classes with fewer than `FEWEST` different texts.
    probabilities: `[n, classes]`, by those who have not seen the label; zeros where not judged.
    """

    suspects: tuple[Suspect, ...]
    rate: float
    interval: tuple[float, float]
    scattered_rate: float
    rehearsal: tuple[int, int]
    judged: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True)
class Judges:
    """Heads fitted on the other folds, and the nearest neighbours.

    vectors, groups, fit, folds, seed: see `find_label_errors`.
    """

    vectors: np.ndarray
    groups: np.ndarray
    classes: int
    fit: Fit
    folds: int
    seed: int

    def __call__(self, given: np.ndarray) -> np.ndarray:
        """The mean of what both say of the classes of each row, `[n, classes]`, where the others have the labels `given` `[n]`."""
        folds = stratified_folds(given, self.groups, self.folds, self.seed)
        heads = out_of_fold(self.vectors, given, self.classes, folds, self.fit)
        return (heads + neighbour_shares(self.vectors, given, self.classes, self.groups, NEIGHBOURS)) / 2


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
        seed: of folds, planted errors and bootstrap.
    """
    different = np.bincount(targets[np.unique(groups, return_index=True)[1]], minlength=classes)
    known = np.flatnonzero(different >= FEWEST)
    if len(known) < 2:
        return None
    judged = np.isin(targets, known)
    places, given = np.flatnonzero(judged), np.searchsorted(known, targets[judged])
    judge = Judges(vectors[judged], groups[judged], len(known), fit, folds, seed)
    said = judge(given)
    planted, rows = rehearsal.plant(given, len(known), seed)
    said_of_planted = judge(planted)
    own, own_of_planted = said[np.arange(len(given)), given], said_of_planted[rows, planted[rows]]
    suspects = [
        Suspect(int(places[row]), int(known[given[row]]), int(known[suggested]), float(own[row]), float(said[row, suggested]))
        for row, suggested in suspicious(said, given)
    ]
    caught = {row for row, _ in suspicious(said_of_planted, planted)} & set(rows.tolist())
    probabilities = np.zeros((len(targets), classes))
    probabilities[np.ix_(judged, known)] = said
    return LabelErrors(
        tuple(sorted(suspects, key=lambda each: (-each.score, each.row))),
        noise_rate(confident_joint(said, given), given),
        noise_interval(said, given, seed=seed),
        rehearsal.scattered_rate(own, own_of_planted),
        (len(rows), len(caught)),
        judged,
        probabilities,
    )


def suspicious(probabilities: np.ndarray, given: np.ndarray) -> list[tuple[int, int]]:
    """Rows whose most probable class is at least `TIMES` as probable as the given one: (row, that class)."""
    rows, best = np.arange(len(given)), probabilities.argmax(axis=1)
    found = (best != given) & (probabilities[rows, best] >= TIMES * probabilities[rows, given])
    return [(int(row), int(best[row])) for row in np.flatnonzero(found)]
