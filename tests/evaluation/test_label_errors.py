"""Wrong labels that were planted among points of known classes come first."""

import numpy as np
import pytest

from tfarch.evaluation.label_errors import FEWEST, find_label_errors
from tfarch.training.probe import fit_probe

CLASSES, ROWS, WIDTH, WRONG = 6, 600, 16, 30


def clouds(*, spread=1.0, seed=0):
    random = np.random.default_rng(seed)
    truth = np.arange(ROWS) % CLASSES
    centres = random.normal(size=(CLASSES, WIDTH)) * 3
    return (centres[truth] + random.normal(size=(ROWS, WIDTH)) * spread).astype(np.float32), truth


def planted(truth, seed=1):
    random = np.random.default_rng(seed)
    rows = random.permutation(len(truth))[:WRONG]
    given = truth.copy()
    given[rows] = (truth[rows] + random.integers(1, CLASSES, WRONG)) % CLASSES
    return given, set(rows.tolist())


def found(vectors, given, groups=None, classes=CLASSES):
    groups = np.arange(len(given)) if groups is None else groups
    return find_label_errors(vectors, given, groups, classes, fit=fit_probe, folds=5, seed=0)


def test_planted_errors_are_found_with_the_label_they_had_and_nothing_comes_before_them():
    vectors, truth = clouds()
    given, wrong = planted(truth)
    first = found(vectors, given).suspects[:WRONG]
    assert {each.row for each in first} <= wrong
    assert len(first) >= WRONG - 2  # two wrong ones side by side vouch for each other
    assert all(each.suggested == truth[each.row] and each.label == given[each.row] for each in first)


def test_the_share_is_estimated():
    vectors, truth = clouds()
    result = found(vectors, planted(truth)[0])
    assert result.rate == pytest.approx(WRONG / ROWS, abs=0.02)
    assert result.scattered_rate == pytest.approx(WRONG / ROWS, abs=0.02)
    assert result.interval[0] < WRONG / ROWS < result.interval[1]


def test_most_of_what_is_planted_in_the_rehearsal_is_suspected_where_classes_lie_apart():
    vectors, truth = clouds()
    many, caught = found(vectors, truth).rehearsal
    assert 0.9 * many <= caught <= many == 30


def test_right_labels_of_classes_that_lie_apart_are_not_suspected():
    vectors, truth = clouds(spread=0.3)
    result = found(vectors, truth)
    assert (result.suspects, result.rate, result.scattered_rate) == ((), 0.0, 0.0)


def test_the_most_suspicious_comes_first():
    vectors, truth = clouds(spread=3.0)
    scores = [each.score for each in found(vectors, planted(truth)[0]).suspects]
    assert scores == sorted(scores, reverse=True)
    assert 20 / 21 <= scores[-1] < scores[0] <= 1


def test_a_wrong_row_is_not_vouched_for_by_its_copies():
    vectors, truth = clouds()
    given, groups = truth.copy(), np.arange(ROWS)
    copies = np.flatnonzero(truth == 0)[:12]
    vectors[copies], given[copies], groups[copies] = vectors[copies[0]], 1, copies[0]
    assert {each.row for each in found(vectors, given, groups).suspects} >= set(copies.tolist())


def test_a_class_with_few_different_texts_is_not_judged():
    vectors, truth = clouds()
    given, groups = truth.copy(), np.arange(ROWS)
    few = np.flatnonzero(truth == 2)[: FEWEST + 3]
    given[few], groups[few[:5]] = CLASSES, few[0]  # eight rows, four texts
    result = found(vectors, given, groups, CLASSES + 1)
    assert not result.judged[few].any()
    assert result.judged.sum() == ROWS - len(few)
    assert not {each.row for each in result.suspects} & set(few.tolist())


def test_nothing_is_said_where_nearly_every_class_is_small():
    assert found(np.eye(7, 4, dtype=np.float32), np.array([0] * 5 + [1, 1]), classes=2) is None
