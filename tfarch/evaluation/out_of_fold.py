"""What is said of a row by those who have not seen its label: heads fitted on the other folds, and its nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfarch.runtime.logistic import softmax
from tfarch.runtime.scope import unit

# Features `[n, width]`, class numbers `[n]` and the count of classes to a kernel `[width, classes]` and bias `[classes]`.
Fit = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]
_ROWS = 1024  # rows whose distances to all others are held at once


def stratified_folds(targets: np.ndarray, groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each row, int `[n]`: each class is dealt out evenly, and the rows of one group are never parted.

    Args:
        targets: class numbers `[n]`.
        groups: `[n]`, a number that rows have in common which say the same; a group counts to the class of its first row.
        folds: at least 2.
        seed: of the dealing.
    """
    random = np.random.default_rng(seed)
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    fold_of_group = np.empty(len(first), np.int64)
    dealt = 0
    for number in np.unique(targets[first]):
        own = random.permutation(np.flatnonzero(targets[first] == number))
        fold_of_group[own] = (dealt + np.arange(len(own))) % folds
        dealt += len(own)
    return fold_of_group[place]


def out_of_fold(vectors: np.ndarray, targets: np.ndarray, classes: int, folds: np.ndarray, fit: Fit) -> np.ndarray:
    """Probabilities `[n, classes]`, float64, each row's by the head that `fit` makes of the other folds."""
    result = np.empty((len(vectors), classes))
    for fold in np.unique(folds):
        out = folds == fold
        kernel, bias = fit(vectors[~out], targets[~out], classes)
        result[out] = softmax(vectors[out] @ kernel + bias)
    return result


def out_of_fold_loss(vectors: np.ndarray, targets: np.ndarray, classes: int, folds: np.ndarray, fit: Fit) -> float:
    """Mean negative log-likelihood of the rows by heads that have not seen them, see `out_of_fold`."""
    probabilities = out_of_fold(vectors, targets, classes, folds, fit)
    return float(-np.log(np.maximum(probabilities[np.arange(len(targets)), targets], 1e-12)).mean())


def neighbour_shares(vectors: np.ndarray, targets: np.ndarray, classes: int, groups: np.ndarray, neighbours: int) -> np.ndarray:
    """The labels of the `neighbours` nearest rows (by cosine, those of its own group left out) as shares `[n, classes]`."""
    units = unit(vectors)
    result = np.zeros((len(units), classes))
    for start in range(0, len(units), _ROWS):
        similarity = units[start : start + _ROWS] @ units.T
        similarity[groups[start : start + _ROWS, None] == groups] = -np.inf
        nearest = np.argpartition(-similarity, neighbours - 1, axis=1)[:, :neighbours]
        rows = np.repeat(np.arange(start, start + len(similarity)), neighbours)
        np.add.at(result, (rows, targets[nearest].ravel()), 1.0 / neighbours)
    return result
