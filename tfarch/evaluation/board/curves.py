"""Precision and recall over all thresholds, for TensorBoard's tab PR CURVES, which TensorFlow 2 has no summary for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.pr_curve.metadata import create_summary_metadata

from tfarch.evaluation.board.events import with_tensor

THRESHOLDS = 201  # evenly from 0 to 1, as TensorBoard labels them
MOST = 20  # classes that get a curve of their own


def precision_recall(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The curve of one class against all others: a row counts as found where its score is at least the threshold.

    Args:
        positive: bool `[n]`, whether the row is of the class.
        scores: `[n]`, its probability of the class.

    Returns:
        `[6, THRESHOLDS]` in the plugin's order: true positives, false positives, true negatives, false negatives, precision, recall (both 0 where
        undefined).

    >>> precision_recall(np.array([True, False]), np.array([0.9, 0.2]))[:, [0, 100, 200]].tolist()
    [[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.5, 1.0, 0.0], [1.0, 1.0, 0.0]]
    """
    thresholds = np.linspace(0.0, 1.0, THRESHOLDS)
    inside, outside = (np.sort(scores[rows].astype(np.float64)) for rows in (positive, ~positive))
    true_positives, false_positives = (len(each) - np.searchsorted(each, thresholds, side="left") for each in (inside, outside))
    return np.stack(
        [
            true_positives,
            false_positives,
            len(outside) - false_positives,
            len(inside) - true_positives,
            true_positives / np.maximum(true_positives + false_positives, 1),
            true_positives / max(len(inside), 1),
        ]
    )


def hardest(per_class: Mapping[str, Any], labels: Sequence[str]) -> list[int]:
    """The classes that a curve tells most of: the `MOST` of lowest F1 among those that have test rows, lowest first."""
    tested = [number for number, label in enumerate(labels) if per_class[label]["support"]]
    return sorted(tested, key=lambda number: per_class[labels[number]]["f1"])[:MOST]


def curve_summary(tag: str, curve: np.ndarray, description: str) -> Summary:
    """A curve of `precision_recall` for the event file; counts up to 16,777,216 stay exact in its float32."""
    return with_tensor(tag, curve.astype(np.float32), create_summary_metadata(tag, description, THRESHOLDS))
