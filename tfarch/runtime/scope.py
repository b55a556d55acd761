"""In scope or not: scores of how much a text looks like what the model was trained on, from its probabilities and its text vector alone.

All scores are higher for what looks more in scope; a text whose score is below the threshold is out of scope. What a score needs beside the
answer of the model is its statistics, arrays fitted on training rows by `tfarch.evaluation.out_of_scope`, which travel in the bundle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tfarch.runtime.logistic import log_sum_exp

Statistics = Mapping[str, np.ndarray]
_ROWS = 1024  # texts whose distances to all neighbours are held at once


def _max_probability(probabilities: np.ndarray, vectors: np.ndarray, statistics: Statistics) -> np.ndarray:
    return probabilities.max(axis=1).astype(np.float64)


def _energy(probabilities: np.ndarray, vectors: np.ndarray, statistics: Statistics) -> np.ndarray:
    return log_sum_exp(vectors.astype(np.float64) @ statistics["kernel"] + statistics["bias"])


def _mahalanobis(probabilities: np.ndarray, vectors: np.ndarray, statistics: Statistics) -> np.ndarray:
    return -_squared_distances(vectors @ statistics["whitening"], statistics["means"]).min(axis=1)


def _nearest_neighbour(probabilities: np.ndarray, vectors: np.ndarray, statistics: Statistics) -> np.ndarray:
    neighbours, nth = statistics["neighbours"].astype(np.float32), int(statistics["nth"])
    result = np.empty(len(vectors), np.float64)
    for start in range(0, len(vectors), _ROWS):
        similarity = unit(vectors[start : start + _ROWS]) @ neighbours.T
        result[start : start + _ROWS] = np.partition(similarity, -nth, axis=1)[:, -nth]
    return result


def _adaptive_boundary(probabilities: np.ndarray, vectors: np.ndarray, statistics: Statistics) -> np.ndarray:
    distances = np.sqrt(_squared_distances(unit(vectors), statistics["centres"]))
    return -(distances / statistics["radii"]).min(axis=1)


def _parts(probabilities: np.ndarray, vectors: np.ndarray, statistics: Statistics) -> np.ndarray:
    """What `combined` adds up, `[n, 3]`: the log odds of the likeliest class, the energy, the cosine to the nearest training row."""
    highest = np.minimum(probabilities.max(axis=1).astype(np.float64), 1 - 1e-9)
    odds = np.log(highest) - np.log1p(-highest)
    return np.stack([odds, _energy(probabilities, vectors, statistics), _nearest_neighbour(probabilities, vectors, statistics)], axis=1)


def _combined(probabilities: np.ndarray, vectors: np.ndarray, statistics: Statistics) -> np.ndarray:
    mean, spread = statistics["typical"]
    return ((_parts(probabilities, vectors, statistics) - mean) / spread).sum(axis=1)


def typical(answers: tuple[np.ndarray, np.ndarray], statistics: Statistics) -> np.ndarray:
    """Mean and spread, float32 `[2, 3]`, of what `combined` adds up, over (probabilities, vectors) in scope that were not trained on."""
    parts = _parts(*answers, statistics)
    return np.stack([parts.mean(axis=0), np.maximum(parts.std(axis=0), 1e-6)]).astype(np.float32)


_SCORES: dict[str, tuple[Callable[[np.ndarray, np.ndarray, Statistics], np.ndarray], tuple[str, ...]]] = {
    "max_probability": (_max_probability, ()),
    "energy": (_energy, ("kernel", "bias")),
    "mahalanobis": (_mahalanobis, ("whitening", "means")),
    "nearest_neighbour": (_nearest_neighbour, ("neighbours", "nth")),
    "adaptive_boundary": (_adaptive_boundary, ("centres", "radii")),
    "combined": (_combined, ("kernel", "bias", "neighbours", "nth", "typical")),
}
METHODS = tuple(_SCORES)


@dataclass(frozen=True)
class Score:
    """A score by name, with its statistics.

    method: one of `METHODS`:

    - `max_probability`: the highest probability (Hendrycks and Gimpel 2017); no statistics.
    - `energy`: log-sum-exp of the head's logits at temperature 1 (Liu et al. 2020); the head's `kernel` `[width, classes]` and `bias` `[classes]`.
    - `mahalanobis`: minus the smallest squared distance to a class's mean, in the metric of the covariance that all classes share (Lee et al. 2018);
      `whitening` `[width, width]`, and `means` `[classes, width]`, whitened.
    - `nearest_neighbour`: the cosine to the `nth` nearest of the training rows' vectors (Sun et al. 2022); `neighbours` `[rows, width]`, of length 1.
    - `adaptive_boundary`: minus the smallest distance to a class's centre, in radii of that class (after Zhang et al. 2021, whose radius is
      where a class ends; here one factor, the threshold, stretches all radii); `centres` `[classes, width]` of unit vectors, `radii` `[classes]`.
    - `combined`: the sum of the log odds of the likeliest class, the energy and the nearest neighbour's cosine, each in standard deviations from what
      is `typical` `[2, 3]` (mean and deviation) in scope; the arrays of the latter two.

    statistics: the arrays by name.

    Raises:
        ValueError: unknown method, an array is missing, or shapes do not fit one another.
    """

    method: str
    statistics: Statistics = field(default_factory=dict)

    def __post_init__(self):
        if self.method not in _SCORES:
            raise ValueError(f"unknown method {self.method!r}; known: {', '.join(METHODS)}")
        missing = [name for name in _SCORES[self.method][1] if name not in self.statistics]
        if missing:
            raise ValueError(f"{self.method} lacks {', '.join(missing)}")

    @property
    def needs_vectors(self) -> bool:
        """Whether the text vectors are looked at; else the probabilities alone."""
        return bool(_SCORES[self.method][1])

    def with_class(self, kernel: np.ndarray, bias: float, vectors: np.ndarray) -> Score:
        """The score where a class was added to the model: its column of the head `[width]`, its bias, and text vectors `[n, width]` of its examples."""
        known, units = self.statistics, unit(vectors)
        added: dict[str, np.ndarray] = {}
        if "kernel" in known:
            added |= {"kernel": np.concatenate([known["kernel"], kernel[:, None]], axis=1), "bias": np.append(known["bias"], bias)}
        if "means" in known:
            added["means"] = np.concatenate([known["means"], vectors.mean(axis=0, keepdims=True) @ known["whitening"]])
        if "neighbours" in known:
            added["neighbours"] = np.concatenate([known["neighbours"], units.astype(known["neighbours"].dtype)])
        if "centres" in known:
            centre = units.mean(axis=0, keepdims=True)
            added |= {"centres": np.concatenate([known["centres"], centre]), "radii": np.append(known["radii"], np.median(known["radii"]))}
        return Score(self.method, {**known, **added})

    def without_classes(self, classes: int, rows: int) -> Score:
        """The score without the last `classes` that were added, of `rows` examples together."""
        added = {"kernel": classes, "bias": classes, "means": classes, "centres": classes, "radii": classes, "neighbours": rows}
        kept = dict(self.statistics)
        for name in added.keys() & kept.keys():
            axis = 1 if name == "kernel" else 0
            kept[name] = np.take(kept[name], range(kept[name].shape[axis] - added[name]), axis=axis)
        return Score(self.method, kept)

    def __call__(self, probabilities: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """The scores, float64 `[n]`, of probabilities `[n, classes]` and text vectors `[n, width]`; higher is more in scope."""
        if not len(probabilities):
            return np.empty(0, np.float64)
        return np.asarray(_SCORES[self.method][0](probabilities, vectors, self.statistics), np.float64)


@dataclass(frozen=True)
class ScopeRule:
    """A text whose score is below `threshold` is out of scope."""

    score: Score
    threshold: float

    def rejects(self, probabilities: np.ndarray, vectors: np.ndarray | None) -> np.ndarray:
        """bool `[n]`: which of the texts with these probabilities `[n, classes]` and text vectors `[n, width]` are out of scope."""
        return self.score(probabilities, vectors) < self.threshold


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors `[n, width]` scaled to length 1, float32; a vector of zeros stays."""
    vectors = np.asarray(vectors, np.float32)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """`[n, c]` from points `[n, d]` and centres `[c, d]`, never below 0."""
    squares = (points.astype(np.float64) ** 2).sum(axis=1)[:, None] + (centres.astype(np.float64) ** 2).sum(axis=1)
    return np.maximum(squares - 2.0 * (points.astype(np.float64) @ centres.T.astype(np.float64)), 0.0)
