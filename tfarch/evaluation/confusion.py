"""Where a model errs: which classes it takes for each other, and the errors it was surest of. All for rows in scope."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfarch.evaluation.metrics import checked

EXAMPLES = 3  # texts shown for each pair


def confusions(
    probabilities: np.ndarray, targets: np.ndarray, labels: Sequence[str], texts: Sequence[str], most: int = 20
) -> list[dict[str, Any]]:
    """The most frequent confusions, as report.json holds them.

    Args:
        probabilities: `[n, c]`.
        targets: `[n]` class indices; rows of -1 (out of scope) are left out.
        labels: the `c` class names.
        texts: the `n` texts.
        most: pairs to return at most.

    Returns:
        `label`, `predicted`, `count` and `examples` (up to 3 texts, the surest error first), by falling count, then in the labels' order.
    """
    probabilities, errors, targets = _errors(probabilities, targets, labels, texts)
    predicted = probabilities.argmax(axis=1)
    pairs: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in errors:
        pairs[int(targets[row]), int(predicted[row])].append(row)
    ordered = sorted(pairs.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:most]
    return [
        {"label": labels[truth], "predicted": labels[guess], "count": len(rows), "examples": [texts[row] for row in rows[:EXAMPLES]]}
        for (truth, guess), rows in ordered
    ]


def worst(
    probabilities: np.ndarray, targets: np.ndarray, labels: Sequence[str], texts: Sequence[str], most: int = 20
) -> list[dict[str, Any]]:
    """The errors that the model was surest of: `text`, `label`, `predicted` and `probability` (of the predicted class), highest first."""
    probabilities, errors, targets = _errors(probabilities, targets, labels, texts)
    return [
        {
            "text": texts[row],
            "label": labels[targets[row]],
            "predicted": labels[int(probabilities[row].argmax())],
            "probability": float(probabilities[row].max()),
        }
        for row in errors[:most]
    ]


def confusion_matrix(probabilities: np.ndarray, targets: np.ndarray, classes: int) -> np.ndarray:
    """How many rows of each class were taken for each: int64 `[c, c]`, rows are the true classes; arguments as those of `confusions`."""
    probabilities, targets = checked(probabilities, targets, classes)
    scope = targets >= 0
    pairs = targets[scope] * classes + probabilities[scope].argmax(axis=1)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def _errors(probabilities, targets, labels, texts) -> tuple[np.ndarray, list[int], np.ndarray]:
    """The checked arrays, and between them the rows in scope whose prediction is wrong, the surest first."""
    probabilities, targets = checked(probabilities, targets, len(labels))
    if len(texts) != len(targets):
        raise ValueError(f"{len(texts)} texts for {len(targets)} rows")
    rows = np.flatnonzero((targets >= 0) & (probabilities.argmax(axis=1) != targets))
    order = np.argsort(-probabilities[rows].max(axis=1), kind="stable") if len(rows) else rows
    return probabilities, rows[order].tolist(), targets
