"""Curves of precision and recall against a plain count at every threshold."""

import numpy as np
import pytest

from tfarch.evaluation.board.curves import MOST, THRESHOLDS, hardest, precision_recall


@pytest.fixture(params=["spread", "on the thresholds", "sure"])
def scores(request):
    random = np.random.default_rng(1)
    drawn = {"spread": random.random(300), "on the thresholds": random.integers(0, THRESHOLDS, 300) / (THRESHOLDS - 1)}
    return drawn.get(request.param, random.integers(0, 2, 300)).astype(np.float64)


def test_every_threshold_is_counted(scores):
    positive = np.random.default_rng(2).random(len(scores)) < 0.3
    curve = precision_recall(positive, scores)
    assert curve.shape == (6, THRESHOLDS)
    for threshold, counted in zip(np.linspace(0, 1, THRESHOLDS), curve.T, strict=True):
        found = [score >= threshold for score in scores]
        tp = sum(f and p for f, p in zip(found, positive, strict=True))
        fp = sum(f and not p for f, p in zip(found, positive, strict=True))
        tn = sum(not f and not p for f, p in zip(found, positive, strict=True))
        fn = sum(not f and p for f, p in zip(found, positive, strict=True))
        precision = tp / (tp + fp) if tp + fp else 0
        assert counted.tolist() == pytest.approx([tp, fp, tn, fn, precision, tp / (tp + fn)])


def test_a_class_without_rows_has_no_recall():
    curve = precision_recall(np.zeros(3, bool), np.array([0.1, 0.5, 1.0]))
    assert curve[5].max() == 0
    assert np.isfinite(curve).all()


def test_the_classes_of_lowest_f1_are_chosen_among_those_with_test_rows():
    labels = [f"class {number}" for number in range(MOST + 3)]
    f1 = np.linspace(1, 0.5, len(labels))  # falls
    per_class = {label: {"f1": value, "support": 5} for label, value in zip(labels, f1, strict=True)}
    per_class[labels[-1]] = {"f1": 0.0, "support": 0}
    assert hardest(per_class, labels) == list(range(MOST + 1, 1, -1))
