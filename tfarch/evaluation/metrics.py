"""Classification metrics of an exported file, from its probabilities: quality in scope, and how well it knows what is out of scope.

All averages are written out here (no scikit-learn); the tests hold them against the definitions on random inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfarch.errors import InputError, TfarchError
from tfarch.evaluation.calibration import expected_calibration_error, negative_log_likelihood, reliability


def classification_metrics(
    probabilities: np.ndarray,
    targets: np.ndarray,
    labels: Sequence[str],
    *,
    scores: np.ndarray | None = None,
    threshold: float | None = None,
    bins: int = 15,
) -> dict[str, Any]:
    """The metrics of one variant, as DESIGN 4.3 names them; plain numbers, ready for JSON. Shares are from 0 to 1.

    Args:
        probabilities: `[n, c]`, rows sum to 1.
        targets: `[n]` class indices; -1 marks a row that is out of scope.
        labels: the `c` class names.
        scores: `[n]`, how much each row looks in scope, higher is more; None: its highest probability.
        threshold: a row whose score is below it is rejected as out of scope; None: nothing is ever rejected.
        bins: bins of the calibration error.

    Returns:
        Over the rows in scope, by the highest probability and without rejecting any: `accuracy`, `accuracy_interval` (Wilson, 95 %),
        `macro_f1` (mean over the classes that have support or predictions, a class without a hit counts 0: scikit-learn's
        `f1_score(average="macro", zero_division=0)`), `ece`, `nll` and `per_class` (`precision`, `recall`, `f1`, `support`; 0 where
        undefined).
        Where rows are out of scope: `oos_auroc` and `fpr95`; with a threshold also `in_scope_accuracy` (a rejected row is wrong) and
        `oos_recall` (share of the out-of-scope rows that are rejected).

    Raises:
        InputError: no row is in scope.
        TfarchError: a probability is not finite (the model is broken, not the call).
        ValueError: shapes do not fit each other.
    """
    probabilities, targets = checked(probabilities, targets, len(labels))
    scope = targets >= 0
    if not scope.any():
        raise InputError("no row is in scope: there is nothing to score", mend="give test rows whose label is one of the classes")
    inside, truth = probabilities[scope], targets[scope]
    predicted = inside.argmax(axis=1)
    right = predicted == truth
    per_class, macro_f1 = _per_class(predicted, truth, labels)
    metrics: dict[str, Any] = {
        "accuracy": float(right.mean()),
        "accuracy_interval": list(wilson_interval(int(right.sum()), len(truth))),
        "macro_f1": macro_f1,
        "ece": expected_calibration_error(reliability(inside, truth, bins)),
        "nll": negative_log_likelihood(inside, truth),
        "per_class": per_class,
    }
    if not scope.all():
        scores = probabilities.max(axis=1) if scores is None else np.asarray(scores, np.float64)
        score_in, score_out = scores[scope], scores[~scope]
        metrics["oos_auroc"] = auroc(-score_out, -score_in)
        metrics["fpr95"] = false_positive_rate_at_95(score_in, score_out)
        if threshold is not None:
            metrics["in_scope_accuracy"] = float((right & (score_in >= threshold)).mean())
            metrics["oos_recall"] = float((score_out < threshold).mean())
    return metrics


def checked(probabilities: np.ndarray, targets: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays as float64 `[n, c]` and int64 `[n]`, once their shapes, the range of the targets and the finiteness of the values hold.

    Raises:
        TfarchError: a value is not finite.
        ValueError: shapes or targets do not fit.
    """
    probabilities, targets = np.asarray(probabilities, np.float64), np.asarray(targets)
    if probabilities.ndim != 2 or probabilities.shape[1] != classes or targets.shape != probabilities.shape[:1]:
        raise ValueError(f"expected [n, {classes}] values and [n] targets, not {probabilities.shape} and {targets.shape}")
    if targets.size and not (np.issubdtype(targets.dtype, np.integer) and targets.min() >= -1 and targets.max() < classes):
        raise ValueError(f"expected integer targets from -1 to {classes - 1}")
    broken = int((~np.isfinite(probabilities)).any(axis=1).sum())
    if broken:
        raise TfarchError(f"the model gave values that are not finite for {broken} of {len(targets)} texts")
    return probabilities, targets.astype(np.int64)


def wilson_interval(successes: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """The Wilson score interval of a share (Wilson 1927), by default at 95 %: unlike the normal one it stays inside 0 to 1.

    >>> [round(each, 3) for each in wilson_interval(9, 10)]
    [0.596, 0.982]
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} of {n} is no share")
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def paired_test(right: np.ndarray, reference_right: np.ndarray) -> dict[str, float]:
    """Whether two classifiers differ on the same rows: McNemar's exact test (1947), two-sided, on the rows that only one of them gets right.

    Args:
        right, reference_right: bool `[n]`.

    Returns:
        `won` and `lost`, the rows that only the one or only the reference gets right, and `p_value`: how likely a split at least as uneven is where
        each of these rows goes either way by chance.

    >>> paired_test(np.array([True, False, True]), np.array([True, True, True]))
    {'won': 0, 'lost': 1, 'p_value': 1.0}
    """
    right, reference_right = np.asarray(right, bool), np.asarray(reference_right, bool)
    won, lost = int((right & ~reference_right).sum()), int((~right & reference_right).sum())
    rows, ways, tail = won + lost, 1, 0
    for smaller in range(min(won, lost) + 1):
        tail += ways
        ways = ways * (rows - smaller) // (smaller + 1)
    return {"won": won, "lost": lost, "p_value": min(1.0, 2 * tail / 2**rows)}


def auroc(positives: np.ndarray, negatives: np.ndarray) -> float:
    """The share of (positive, negative) pairs in which the positive scores higher, ties counting half (Mann-Whitney U).

    Args:
        positives, negatives: `[p]` and `[q]` scores, both non-empty.
    """
    _, inverse, counts = np.unique(np.concatenate([positives, negatives]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]  # from 1, tied scores share their mean rank
    p, q = len(positives), len(negatives)
    return float((ranks[:p].sum() - p * (p + 1) / 2) / (p * q))


def false_positive_rate_at_95(in_scope: np.ndarray, out_of_scope: np.ndarray) -> float:
    """FPR95 (Liang et al. 2018, ODIN), in-scope rows being the positives: the share of out-of-scope rows that are accepted at the highest
    threshold which accepts at least 95 % of the in-scope rows. A row is accepted when its score is at least the threshold.

    Args:
        in_scope, out_of_scope: `[p]` and `[q]` scores, higher for what looks in scope.
    """
    keep = -(-95 * len(in_scope) // 100)  # ceil without the rounding of 0.95 * n
    threshold = np.sort(in_scope)[::-1][keep - 1]
    return float((out_of_scope >= threshold).mean())


def _per_class(predicted: np.ndarray, truth: np.ndarray, labels: Sequence[str]) -> tuple[dict[str, dict[str, float]], float]:
    """Precision, recall, F1 and support by label, and the mean F1 over the classes that occur in `predicted` or `truth`."""
    classes = len(labels)
    hits = np.bincount(truth[predicted == truth], minlength=classes)
    guesses = np.bincount(predicted, minlength=classes)
    support = np.bincount(truth, minlength=classes)
    precision = hits / np.maximum(guesses, 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(guesses + support, 1)
    table = {
        label: {"precision": float(precision[i]), "recall": float(recall[i]), "f1": float(f1[i]), "support": int(support[i])}
        for i, label in enumerate(labels)
    }
    return table, float(f1[(guesses + support) > 0].mean())
