"""Answering only where the model is sure: the risk-coverage curve (El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np


def risk_coverage(scores: np.ndarray, right: np.ndarray, points: int = 101) -> dict[str, Any]:
    """What share of the answers is wrong where only the texts with the highest scores are answered.

    Args:
        scores: `[n]`, higher for what is answered first; texts of the same score are answered together.
        right: bool `[n]`, whether an answer is right; a text that is out of scope has no right answer.
        points: points of the curve at most, evenly spread over the coverage.

    Returns:
        `coverage` (share of the texts that are answered, rising to 1), `risk` (share of these answers that are wrong) and `area`, the mean risk
        over all coverages (AURC; lower is better).

    >>> risk_coverage(np.array([0.9, 0.8, 0.1]), np.array([True, True, False]))["risk"]
    [0.0, 0.0, 0.3333333333333333]
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    ranked, wrong = np.asarray(scores, np.float64)[order], ~np.asarray(right, bool)[order]
    answered = np.arange(1, len(ranked) + 1)
    risk = np.cumsum(wrong) / answered
    last = np.append(ranked[1:] != ranked[:-1], True)  # the curve has a point where a group of equal scores ends
    ends = np.flatnonzero(last)
    risk = risk[ends[np.searchsorted(ends, np.arange(len(ranked)))]]  # inside a group: the risk at its end
    shown = ends[np.unique(np.linspace(0, len(ends) - 1, min(points, len(ends))).round().astype(int))]
    return {
        "coverage": ((shown + 1) / len(ranked)).tolist(),
        "risk": risk[shown].tolist(),
        "area": float(risk.mean()),
    }
