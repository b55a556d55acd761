"""The honest "I don't know": the statistics of every score of `tfarch.runtime.scope`, and the method and threshold that serve best on validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfarch.runtime.scope import METHODS, Score, typical, unit

AUTO = "auto"
DEFAULT = "energy"  # the method where no out-of-scope row tells more
NEIGHBOUR = 1  # which of the neighbours' distance counts
SHRINKAGE = 0.9  # of the covariance towards a multiple of the identity


@dataclass(frozen=True)
class Answers:
    """What a model gave for n texts: probabilities `[n, classes]` and text vectors `[n, width]`."""

    probabilities: np.ndarray
    vectors: np.ndarray

    def __len__(self) -> int:
        return len(self.probabilities)


@dataclass(frozen=True)
class Choice:
    """A text whose score by `method` is below `threshold` is out of scope.

    chosen_on: a sentence: on which rows, by which rule.
    in_scope_accuracy, oos_recall: what the threshold reaches there: share of the in-scope rows that are accepted and right, share of the
        out-of-scope rows that are rejected (None without any).
    """

    method: str
    threshold: float
    chosen_on: str
    in_scope_accuracy: float
    oos_recall: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it stands in bundle.json and report.json."""
        return {"method": self.method, "threshold": self.threshold, "chosen_on": self.chosen_on}

    def reached(self) -> dict[str, Any]:
        """Method, threshold and what they reach on validation, as report.json lists them."""
        valid = {"in_scope_accuracy": self.in_scope_accuracy, "oos_recall": self.oos_recall}
        return {"method": self.method, "threshold": self.threshold, "valid": valid}


def fit_scores(vectors: np.ndarray, targets: np.ndarray, kernel: np.ndarray, bias: np.ndarray, inside: Answers) -> dict[str, Score]:
    """Every score of `METHODS` with its statistics, float32 (neighbours float16).

    Args:
        vectors: text vectors `[n, width]` of training rows in scope.
        targets: their class numbers `[n]`; the distances are to the classes that occur.
        kernel, bias: the head's, `[width, classes]` and `[classes]`.
        inside: of rows in scope that were not trained on: what is typical there.
    """
    vectors = np.asarray(vectors, np.float64)
    targets = np.unique(targets, return_inverse=True)[1]
    means = _means(vectors, targets)
    within = vectors - means[targets]
    covariance = within.T @ within / max(1, len(vectors) - len(means))
    width = len(covariance)
    spread = float(np.trace(covariance)) / width or 1.0  # a class of one row each has no spread: the Euclidean distance is left
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * spread * np.eye(width)
    whitening = np.linalg.cholesky(np.linalg.inv(shrunk))
    units = unit(vectors)
    centres = _means(units, targets)
    energy = {"kernel": kernel, "bias": bias}
    nearest = {"neighbours": units.astype(np.float16), "nth": np.array(min(NEIGHBOUR, len(units)), np.int32)}
    statistics = {
        "max_probability": {},
        "energy": energy,
        "mahalanobis": {"whitening": whitening, "means": means @ whitening},
        "nearest_neighbour": nearest,
        "adaptive_boundary": {"centres": centres, "radii": _radii(units, targets, centres)},
        "combined": {**energy, **nearest, "typical": typical((inside.probabilities, inside.vectors), {**energy, **nearest})},
    }
    return {method: Score(method, {name: _stored(array) for name, array in statistics[method].items()}) for method in METHODS}


def _stored(array: np.ndarray) -> np.ndarray:
    return np.asarray(array if array.dtype in (np.float16, np.int32) else array.astype(np.float32), order="C")


def _means(vectors: np.ndarray, targets: np.ndarray) -> np.ndarray:
    counts = np.bincount(targets)
    sums = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(sums, targets, vectors)
    return sums / counts[:, None]


def _radii(units: np.ndarray, targets: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """How far a class reaches: the 90th percentile of its rows' distances to its centre, drawn half-way to the median of all classes, as few rows tell
    little of one."""
    distances = np.linalg.norm(units - centres[targets], axis=1)
    own = np.array([np.quantile(distances[targets == number], 0.9) for number in range(len(centres))])
    return np.maximum((own + np.median(own)) / 2, 1e-6)


def choose(
    scores: Mapping[str, Score],
    inside: Answers,
    targets: np.ndarray,
    outside: Answers | None = None,
    *,
    keep: float,
    share: float,
    method: str = AUTO,
) -> tuple[Choice, list[Choice]]:
    """The method and threshold that serve best on validation rows, and what each method reaches there at its best threshold.

    With out-of-scope rows: the highest (1 - share) * in-scope accuracy + share * out-of-scope recall, that is the share of questions which are
    treated rightly where `share` of them are out of scope (a rejected row in scope counts as wrong). Of equally good thresholds the
    lowest, midway between the two scores that it parts; of equally good methods the first. At least one row is always accepted.
    Without: the highest threshold that keeps the share `keep` of the in-scope rows which the model gets right, by the method `DEFAULT`.

    Args:
        scores: the fitted scores by method.
        inside: of validation rows in scope, n at least 1.
        targets: `[n]` class indices, from 0.
        outside: of validation rows out of scope; None or empty: there are none.
        method: one of `scores`, or "auto": of them the one that serves best.
        keep, share: from 0 to 1.

    Raises:
        ValueError: no row in scope, a target below 0, or shapes that do not fit.
    """
    targets = np.asarray(targets)
    if len(inside) == 0 or targets.shape != (len(inside),) or targets.min() < 0:
        raise ValueError(f"expected answers of n rows in scope and [n] targets from 0, n > 0, not {len(inside)} and {targets.shape}")
    right = inside.probabilities.argmax(axis=1) == targets
    tried = []
    for name, score in scores.items():
        accepted = score(inside.probabilities, inside.vectors)
        if outside is None or not len(outside):
            tried.append(_keeping(name, accepted, right, keep))
        else:
            tried.append(_parting(name, accepted, right, score(outside.probabilities, outside.vectors), share))
    if method != AUTO:
        return next(each for each in tried if each.method == method), tried
    if outside is None or not len(outside):
        return next(each for each in tried if each.method == DEFAULT), tried
    return max(tried, key=lambda each: (1 - share) * each.in_scope_accuracy + share * each.oos_recall), tried


def _keeping(method: str, scores: np.ndarray, right: np.ndarray, keep: float) -> Choice:
    """The highest threshold that accepts the share `keep` of the rows that are right; one that accepts every row where none is."""
    kept = int(np.ceil(round(keep * right.sum(), 9)))  # rounded: 0.95 * 20 is 19, not the float above it
    threshold = float(np.sort(scores[right])[::-1][kept - 1]) if kept else float(scores.min())
    sentence = f"{len(scores):,} validation rows in scope: keeps {keep * 100:g} % of those the model gets right"
    return Choice(method, threshold, sentence, float((right & (scores >= threshold)).mean()))


def _parting(method: str, inside: np.ndarray, right: np.ndarray, outside: np.ndarray, share: float) -> Choice:
    """The threshold between the scores of rows in scope and out of scope that treats most rightly."""
    scores = np.unique(np.concatenate([inside, outside]))
    candidates = np.concatenate([scores[:1], (scores[:-1] + scores[1:]) / 2])
    accepted_right = np.sort(inside[right])
    accuracy = (len(accepted_right) - np.searchsorted(accepted_right, candidates, side="left")) / len(inside)
    recall = np.searchsorted(np.sort(outside), candidates, side="left") / len(outside)
    best = int(((1 - share) * accuracy + share * recall).argmax())
    sentence = (
        f"{len(inside):,} validation rows in scope and {len(outside):,} out of scope: most are treated rightly where {share * 100:g} % of the "
        "questions are out of scope"
    )
    return Choice(method, float(candidates[best]), sentence, float(accuracy[best]), float(recall[best]))
