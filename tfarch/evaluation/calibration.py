"""Honest probabilities: temperature scaling, the reliability diagram, and the calibration error (Guo et al. 2017, "On Calibration of Modern
Neural Networks"). The temperature is fitted on validation rows and then lies inside the exported files.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tfarch.errors import TfarchError

LEAST, MOST = 0.05, 20.0  # bounds of the temperature
FLOOR = 1e-12  # least probability inside a logarithm


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature: calibrated probabilities are softmax(logits / value)."""

    value: float
    nll_before: float  # mean negative log-likelihood at temperature 1
    nll_after: float  # and at `value`; never higher

    def as_dict(self) -> dict[str, float]:
        """The figures under report.json's names: `temperature`, `nll_before`, `nll_after`."""
        figures = asdict(self)
        return {"temperature": figures.pop("value"), **figures}


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> Temperature:
    """The temperature in 0.05 to 20 that minimises the negative log-likelihood of the targets.

    The likelihood is convex in 1 / T, so its slope changes sign once at most: bisection over log T finds that place without a step size.
    Where every row is right, the likelihood grows without end as T falls to 0 and says nothing about confidence: the temperature stays 1.

    Args:
        logits: `[n, c]`.
        targets: `[n]` class indices; rows of -1 (out of scope) are left out.

    Raises:
        TfarchError: a logit is not finite.
        ValueError: no row is in scope, or shapes do not fit.
    """
    logits, targets = np.asarray(logits, np.float64), np.asarray(targets)
    if logits.ndim != 2 or targets.shape != logits.shape[:1] or not (targets >= 0).any():
        raise ValueError(f"expected [n, c] logits and [n] targets with a row in scope, not {logits.shape} and {targets.shape}")
    if not np.isfinite(logits).all():
        raise TfarchError("the model gave logits that are not finite: there is nothing to calibrate")
    logits, targets = logits[targets >= 0], targets[targets >= 0]
    above_truth = logits - logits[np.arange(len(targets)), targets][:, None]  # [n, c]; 0 at the target
    before = _nll(above_truth, 1.0)
    if (above_truth <= 0).all():
        return Temperature(1.0, before, before)
    low, high = math.log(LEAST), math.log(MOST)
    for _ in range(60):  # the bracket of width 6 shrinks below the spacing of floats
        middle = (low + high) / 2
        if _falls_as_temperature_rises(above_truth, math.exp(middle)):
            low = middle
        else:
            high = middle
    value = min(max(math.exp((low + high) / 2), LEAST), MOST)
    after = _nll(above_truth, value)
    return Temperature(value, before, after) if after < before else Temperature(1.0, before, before)


def _nll(above_truth: np.ndarray, temperature: float) -> float:
    scaled = above_truth / temperature
    top = scaled.max(axis=1)
    return float((top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))).mean())


def _falls_as_temperature_rises(above_truth: np.ndarray, temperature: float) -> bool:
    """The sign of the slope: the likelihood improves with T while the expected logit is, on average, above the target's."""
    scaled = above_truth / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    expected = (weights * above_truth).sum(axis=1) / weights.sum(axis=1)
    return bool(expected.sum() > 0)


def negative_log_likelihood(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The mean of -ln p(target) over `[n, c]` probabilities and `[n]` targets, in nats; p below 1e-12 counts as that."""
    chosen = np.asarray(probabilities, np.float64)[np.arange(len(targets)), targets]
    return float(-np.log(np.clip(chosen, FLOOR, 1.0)).mean())


def reliability(probabilities: np.ndarray, targets: np.ndarray, bins: int = 15) -> dict[str, list[Any]]:
    """The reliability diagram: rows in scope, grouped by the probability of their predicted class into bins of equal width.

    Args:
        probabilities: `[n, c]`.
        targets: `[n]` class indices; rows of -1 (out of scope) are left out.
        bins: number of bins; each holds its upper edge, not its lower one.

    Returns:
        `edges` (bins + 1), and for each bin `confidence` (mean probability), `accuracy` (None in an empty bin, both) and `counts`.
    """
    probabilities, targets = np.asarray(probabilities, np.float64), np.asarray(targets)
    probabilities, targets = probabilities[targets >= 0], targets[targets >= 0]
    confidence = np.clip(probabilities.max(axis=1), 0.0, 1.0)  # float32 softmax may exceed 1 by a rounding
    right = probabilities.argmax(axis=1) == targets
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = np.bincount(place, weights=confidence, minlength=bins), np.bincount(place, weights=right, minlength=bins)
    mean_confidence, accuracy = ([float(s / n) if n else None for s, n in zip(each, counts, strict=True)] for each in sums)
    return {"edges": edges.tolist(), "confidence": mean_confidence, "accuracy": accuracy, "counts": counts.tolist()}


def expected_calibration_error(diagram: dict[str, list[Any]]) -> float:
    """ECE (Guo et al. 2017, eq. 3): the gap between accuracy and confidence of each bin of `reliability`, weighted by the bin's rows."""
    total = sum(diagram["counts"])
    bins = zip(diagram["counts"], diagram["accuracy"], diagram["confidence"], strict=True)
    return sum(n / total * abs(accuracy - confidence) for n, accuracy, confidence in bins if n)
