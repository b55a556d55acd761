"""The honest "I don't know": a score of how much a text looks in scope, and the threshold below which it is rejected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KEPT = 95  # per cent of the right in-scope rows that are kept where no out-of-scope row tells more


@dataclass(frozen=True)
class Threshold:
    """A text whose in-scope score is below `value` is out of scope."""

    method: str  # how the score is made: "max_probability", the highest probability (Hendrycks and Gimpel 2017)
    value: float
    chosen_on: str  # a sentence: on which rows, by which rule

    def as_dict(self) -> dict[str, str | float]:
        """As it stands in bundle.json and report.json."""
        return {"method": self.method, "threshold": self.value, "chosen_on": self.chosen_on}


def in_scope_score(probabilities: np.ndarray) -> np.ndarray:
    """The score of each row of `[n, c]` probabilities, float64 `[n]`: its highest probability."""
    return np.asarray(probabilities, np.float64).max(axis=1)


def choose_threshold(probabilities_in_scope: np.ndarray, targets: np.ndarray, probabilities_oos: np.ndarray | None = None) -> Threshold:
    """The threshold that serves best on validation rows.

    With out-of-scope rows: the one with the highest mean of in-scope accuracy (a rejected row is wrong) and out-of-scope recall; of equally
    good ones the lowest, midway between the two scores it parts. At least one row is always accepted.
    Without: the highest one that keeps 95 % of the in-scope rows which the model gets right (0 where it gets none right).

    Args:
        probabilities_in_scope: `[n, c]` calibrated probabilities of validation rows in scope, n at least 1.
        targets: `[n]` class indices, from 0.
        probabilities_oos: `[m, c]` of validation rows out of scope; None or empty: there are none.

    Raises:
        ValueError: no row in scope, a target below 0, or shapes that do not fit.
    """
    probabilities, targets = np.asarray(probabilities_in_scope, np.float64), np.asarray(targets)
    if probabilities.ndim != 2 or targets.shape != probabilities.shape[:1] or not len(targets) or targets.min() < 0:
        raise ValueError(f"expected [n, c] probabilities and [n] targets from 0, n > 0, not {probabilities.shape} and {targets.shape}")
    right = probabilities.argmax(axis=1) == targets
    inside = in_scope_score(probabilities)
    if probabilities_oos is None or not len(probabilities_oos):
        rows = f"{len(inside):,} validation rows in scope"
        return Threshold("max_probability", _keeping(inside[right]), f"{rows}: keeps {KEPT} % of those the model gets right")
    outside = in_scope_score(probabilities_oos)
    value, mean = _parting(inside, right, outside)
    rows = f"{len(inside):,} validation rows in scope and {len(outside):,} out of scope"
    return Threshold("max_probability", value, f"{rows}: highest mean of in-scope accuracy and out-of-scope recall ({mean:.3f})")


def _keeping(scores: np.ndarray) -> float:
    """The highest threshold that accepts `KEPT` per cent of the scores."""
    keep = -(-KEPT * len(scores) // 100)  # ceil without the rounding of 0.95 * n
    return float(np.sort(scores)[::-1][keep - 1]) if keep else 0.0


def _parting(inside: np.ndarray, right: np.ndarray, outside: np.ndarray) -> tuple[float, float]:
    """The best threshold and the mean of in-scope accuracy and out-of-scope recall that it reaches."""
    scores = np.unique(np.concatenate([inside, outside]))
    candidates = np.concatenate([[0.0], (scores[:-1] + scores[1:]) / 2])
    accepted_right = np.sort(inside[right])
    accuracy = (len(accepted_right) - np.searchsorted(accepted_right, candidates, side="left")) / len(inside)
    recall = np.searchsorted(np.sort(outside), candidates, side="left") / len(outside)
    mean = (accuracy + recall) / 2
    best = int(mean.argmax())
    return float(candidates[best]), float(mean[best])
