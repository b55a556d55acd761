"""Confident learning (Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels"): from probabilities that a
model gives rows which it has not seen to the joint distribution of given and true labels, and so to the share of the labels that are wrong.

Throughout: probabilities `[n, classes]`, and `given`, the labels as they stand, `[n]` class numbers from 0.
"""

from __future__ import annotations

import numpy as np

NOBODY = -1  # the confident label of a row of which the model is not sure


def thresholds(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """How probable a class must be to be counted, `[classes]`: the mean probability of the class over the rows that are labelled so (equation 2).

    A class without a row is never counted: its threshold is infinite.
    """
    classes = probabilities.shape[1]
    own = np.bincount(given, weights=probabilities[np.arange(len(given)), given], minlength=classes)
    counts = np.bincount(given, minlength=classes)
    return np.where(counts > 0, own / np.maximum(counts, 1), np.inf)


def confident_labels(probabilities: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """The most probable of the classes that reach their threshold `[n]`; `NOBODY` where none does."""
    reached = np.where(probabilities >= bounds, probabilities, -1.0)
    return np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), NOBODY)


def confident_joint(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The counts `[classes, classes]` of rows by given label and confident label (equation 1).

    >>> confident_joint(np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.9, 0.1]]), np.array([0, 0, 1, 1])).tolist()
    [[1, 0], [1, 1]]
    """
    return _counts(given, confident_labels(probabilities, thresholds(probabilities, given)), probabilities.shape[1])


def noise_rate(counts: np.ndarray, given: np.ndarray) -> float:
    """The share of the rows whose label is wrong: what stands off the diagonal of the joint distribution (equation 3).

    Each row of the `confident_joint` is scaled to the rows that have its label; one without a count is taken to be right.
    """
    rows = counts.sum(axis=1)
    wrong = (rows - np.diag(counts)) / np.maximum(rows, 1)
    shares = np.bincount(given, minlength=len(counts)) / len(given)
    return float(shares @ wrong)


def noise_interval(probabilities: np.ndarray, given: np.ndarray, *, seed: int, draws: int = 200) -> tuple[float, float]:
    """Where the noise rate would lie, in 95 of 100 cases, had other rows been collected: percentiles over bootstrap draws of the rows (Efron 1979), the
    thresholds held. That the model itself may be wrong is not in it.
    """
    confident, random = confident_labels(probabilities, thresholds(probabilities, given)), np.random.default_rng(seed)
    rates = []
    for _ in range(draws):
        drawn = random.integers(0, len(given), len(given))
        rates.append(noise_rate(_counts(given[drawn], confident[drawn], probabilities.shape[1]), given[drawn]))
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)


def _counts(given: np.ndarray, confident: np.ndarray, classes: int) -> np.ndarray:
    sure = confident != NOBODY
    return np.bincount(given[sure] * classes + confident[sure], minlength=classes * classes).reshape(classes, classes)
