"""Where a model errs: which classes it takes for each other, and the errors it was surest of. All for rows in scope."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfarch.evaluation.metrics import checked, wilson_interval

EXAMPLES = 3  # texts shown for each pair, and each direction of it
HARDLY_APART = 0.1  # share of the rows of both classes that is taken for the other, at least, where they are to be merged
ONE_WAY = 4  # times as many errors one way as the other, at least, where only that way counts


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


def confused_pairs(
    probabilities: np.ndarray, targets: np.ndarray, labels: Sequence[str], texts: Sequence[str], most: int = 20
) -> list[dict[str, Any]]:
    """The pairs of classes that are taken for each other, whichever way, with what could be done.

    Args:
        As `confusions`.

    Returns:
        `labels` (of the pair, the more frequent error's own first), `count`, `share` (of the rows of both), `directions` (one for each label of the
        pair: `label`, `predicted`, `rows` of the label, `count` and `examples`) and `suggestion`; by falling count, then in the labels' order.
    """
    directed = {
        (each["label"], each["predicted"]): each for each in confusions(probabilities, targets, labels, texts, most=len(labels) ** 2)
    }
    rows = dict(zip(labels, np.bincount(np.asarray(targets)[np.asarray(targets) >= 0], minlength=len(labels)).tolist(), strict=True))
    pairs = []
    for (label, predicted), each in directed.items():
        back = directed.get((predicted, label), {"label": predicted, "predicted": label, "count": 0, "examples": []})
        if back["count"] > each["count"] or (back["count"] == each["count"] and labels.index(predicted) < labels.index(label)):
            continue  # told from the other side
        directions = [{**way, "rows": rows[way["label"]]} for way in (each, back)]
        count, of = (sum(way[key] for way in directions) for key in ("count", "rows"))
        pairs.append(
            {
                "labels": [label, predicted],
                "count": count,
                "share": count / of,
                "directions": directions,
                "suggestion": _suggestion(directions),
            }
        )
    return sorted(pairs, key=lambda pair: -pair["count"])[:most]


def _suggestion(directions: Sequence[dict[str, Any]]) -> str:
    """What could be done about a pair, by how often each of its classes is taken for the other; the more frequent way comes first."""
    first, back = directions
    low, _ = wilson_interval(first["count"] + back["count"], first["rows"] + back["rows"])
    if back["count"] and low >= HARDLY_APART:
        return (
            "They are hardly told apart: if one answer serves both, merge them; if not, add examples of each that could not be the other's."
        )
    if first["count"] >= max(2, ONE_WAY * back["count"]):
        return f"Mostly one way: add examples of {first['label']}, above all such as use the words of {first['predicted']}."
    return "Add examples of both that show where they differ, beginning with questions like these."


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
