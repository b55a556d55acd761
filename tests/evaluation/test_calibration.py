"""Temperature scaling and the reliability diagram."""

import math

import numpy as np
import pytest

from tfarch.errors import TfarchError
from tfarch.evaluation.calibration import expected_calibration_error, fit_temperature, negative_log_likelihood, reliability


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def drawn(rng, n=400, classes=5, spread=2.0):
    """Logits, and targets drawn from their own softmax: calibrated at temperature 1 by construction."""
    logits = rng.normal(0, spread, (n, classes))
    targets = np.array([rng.choice(classes, p=row) for row in softmax(logits)])
    return logits, targets


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_the_temperature_undoes_a_known_over_confidence(scale):
    logits, targets = drawn(np.random.default_rng(0), n=4000)
    assert fit_temperature(logits * scale, targets).value == pytest.approx(scale, rel=0.1)


@pytest.mark.parametrize("seed", range(10))
def test_no_temperature_of_a_fine_grid_is_better(seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, rng.uniform(0.1, 20), (30, 4))
    targets = rng.integers(0, 4, 30)
    found = fit_temperature(logits, targets)
    grid = np.geomspace(0.05, 20, 2000)
    assert found.nll_after <= min(negative_log_likelihood(softmax(logits / t), targets) for t in grid) + 1e-9
    assert found.nll_after <= found.nll_before
    assert found.nll_after == pytest.approx(negative_log_likelihood(softmax(logits / found.value), targets))


def test_two_logits_give_the_temperature_of_the_closed_form():
    # All rows have logits (2, 0), three of four are class 0: softmax must be 3/4, so 2 / T = ln 3.
    found = fit_temperature(np.tile([2.0, 0.0], (4, 1)), np.array([0, 0, 0, 1]))
    assert found.value == pytest.approx(2 / math.log(3), rel=1e-9)


def test_rows_that_are_all_right_leave_the_temperature_at_one():
    found = fit_temperature(np.array([[5.0, 0.0], [0.0, 5.0]]), np.array([0, 1]))
    assert (found.value, found.nll_after) == (1.0, found.nll_before)


def test_rows_that_are_all_wrong_stop_at_the_upper_bound():
    assert fit_temperature(np.array([[5.0, 0.0], [0.0, 5.0]]), np.array([1, 0])).value == pytest.approx(20.0)


def test_the_lower_bound_holds_where_the_logits_are_tiny():
    logits = np.array([[1e-6, 0.0]] * 9 + [[0.0, 1e-6]])
    assert fit_temperature(logits, np.zeros(10, int)).value == pytest.approx(0.05)


def test_huge_logits_do_not_overflow():
    found = fit_temperature(np.array([[1e5, 0.0], [0.0, 1e5], [1e5, 0.0]]), np.array([0, 1, 1]))
    assert math.isfinite(found.nll_after)
    assert found.value == pytest.approx(20.0)


def test_rows_out_of_scope_do_not_move_the_temperature():
    logits, targets = drawn(np.random.default_rng(1))
    more = fit_temperature(np.vstack([logits, [[9.0, 0, 0, 0, 0]]]), np.append(targets, -1))
    assert more == fit_temperature(logits, targets)


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(TfarchError, match="not finite"):
        fit_temperature(np.array([[np.inf, 0.0]]), np.array([0]))


def test_no_row_in_scope_is_refused():
    with pytest.raises(ValueError, match="in scope"):
        fit_temperature(np.zeros((1, 2)), np.array([-1]))


def test_the_figures_carry_the_names_of_the_report():
    assert set(fit_temperature(np.eye(2), np.array([0, 0])).as_dict()) == {"temperature", "nll_before", "nll_after"}


def test_the_diagram_of_a_worked_example():
    probabilities = np.array([[0.6, 0.4], [0.5, 0.5], [0.1, 0.9], [0.2, 0.8], [0.9, 0.1]])
    found = reliability(probabilities, np.array([0, 1, 1, 0, -1]), bins=4)
    assert found["edges"] == [0, 0.25, 0.5, 0.75, 1]
    assert found["counts"] == [0, 1, 1, 2]  # 0.5 lies on an edge and belongs to the bin below it; the last row is out of scope
    assert found["accuracy"] == [None, 0.0, 1.0, 0.5]
    assert found["confidence"][2:] == pytest.approx([0.6, 0.85])
    assert expected_calibration_error(found) == pytest.approx(1 / 4 * 0.5 + 1 / 4 * 0.4 + 2 / 4 * 0.35)


def test_a_probability_just_above_one_falls_into_the_last_bin():
    assert reliability(np.array([[1.0000001, 0.0]]), np.array([0]), bins=3)["counts"] == [0, 0, 1]
