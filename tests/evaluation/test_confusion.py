"""Confusion pairs and the surest errors."""

import numpy as np
import pytest

from tfarch.evaluation.confusion import confused_pairs, confusion_matrix, confusions, worst

LABELS = ["a", "b", "c"]
#                right        a as b           a as b           b as c           a as b, surest     out of scope
PROBABILITIES = np.array([[0.9, 0.1, 0], [0.4, 0.6, 0], [0.3, 0.7, 0], [0, 0.05, 0.95], [0.1, 0.9, 0], [0.0, 1.0, 0.0]])
TARGETS = np.array([0, 0, 0, 1, 0, -1])
TEXTS = ["right", "first", "second", "third", "fourth", "elsewhere"]


def test_pairs_come_by_count_with_the_surest_errors_as_examples():
    assert confusions(PROBABILITIES, TARGETS, LABELS, TEXTS) == [
        {"label": "a", "predicted": "b", "count": 3, "examples": ["fourth", "second", "first"]},
        {"label": "b", "predicted": "c", "count": 1, "examples": ["third"]},
    ]


def test_the_worst_errors_come_by_probability():
    found = worst(PROBABILITIES, TARGETS, LABELS, TEXTS, most=2)
    assert [each["text"] for each in found] == ["third", "fourth"]
    assert found[0] == {"text": "third", "label": "b", "predicted": "c", "probability": pytest.approx(0.95)}


def test_no_more_pairs_and_examples_than_asked():
    probabilities, targets = np.tile([0.0, 1.0, 0.0], (9, 1)), np.array([0] * 5 + [2] * 4)
    found = confusions(probabilities, targets, LABELS, [str(i) for i in range(9)], most=1)
    assert [(each["label"], each["count"], len(each["examples"])) for each in found] == [("a", 5, 3)]


def test_the_matrix_counts_every_row_in_scope():
    assert confusion_matrix(PROBABILITIES, TARGETS, 3).tolist() == [[1, 3, 0], [0, 0, 1], [0, 0, 0]]


def test_a_model_without_errors_has_none():
    assert confusions(np.eye(3), np.arange(3), LABELS, ["x"] * 3) == []
    assert worst(np.eye(3), np.arange(3), LABELS, ["x"] * 3) == []


def test_texts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 texts for 3 rows"):
        worst(np.eye(3), np.arange(3), LABELS, ["x"] * 2)


def test_a_pair_is_told_once_with_both_its_directions():
    probabilities = np.concatenate([PROBABILITIES, [[0.8, 0.2, 0]]])
    first, second = confused_pairs(probabilities, np.append(TARGETS, 1), LABELS, [*TEXTS, "back"])
    assert first["labels"] == ["a", "b"]
    assert (first["count"], first["share"]) == (4, pytest.approx(4 / 6))
    assert first["directions"] == [
        {"label": "a", "predicted": "b", "count": 3, "rows": 4, "examples": ["fourth", "second", "first"]},
        {"label": "b", "predicted": "a", "count": 1, "rows": 2, "examples": ["back"]},
    ]
    assert (second["labels"], second["directions"][1]["count"]) == (["b", "c"], 0)


@pytest.mark.parametrize(
    ("there", "back", "begins"),
    [
        (8, 6, "They are hardly told apart"),
        (8, 0, "Mostly one way: add examples of a, above all such as use the words of b."),
        (1, 1, "Add examples of both"),
    ],
)
def test_a_suggestion_follows_from_how_often_each_is_taken_for_the_other(there, back, begins):
    targets = np.repeat([0, 1], 40)
    said = targets.copy()
    said[:there], said[40 : 40 + back] = 1, 0
    (pair,) = confused_pairs(np.eye(2)[said], targets, ["a", "b"], ["x"] * 80)
    assert pair["suggestion"].startswith(begins)
