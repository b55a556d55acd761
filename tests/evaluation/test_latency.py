"""Latency on callables that really take time."""

import time

import pytest

from tfarch.evaluation.latency import measure, measure_in_turn


def test_a_sleep_of_two_milliseconds_takes_about_two():
    found = measure(lambda text: time.sleep(0.002), ["a", "b", "c"], repeats=3)
    assert 2.0 <= found["p50"] <= found["p95"] < 50
    assert found["mean"] >= 2.0
    assert found["n"] == 9


def test_warm_up_passes_are_run_and_not_timed():
    asked = []

    def slow_at_first(text):
        asked.append(text)
        if len(asked) <= 2:
            time.sleep(0.05)

    found = measure(slow_at_first, ["a", "b"], repeats=1, warmup=1)
    assert asked == ["a", "b", "a", "b"]
    assert found["p95"] < 25


def test_candidates_are_measured_pass_by_pass_in_turn():
    calls = []
    found = measure_in_turn(
        {"A": lambda text: calls.append("A" + text), "B": lambda text: calls.append("B" + text)}, ["1", "2"], 2, warmup=1
    )
    assert "".join(calls) == "A1A2B1B2" * 3
    assert {name: each["n"] for name, each in found.items()} == {"A": 4, "B": 4}


@pytest.mark.parametrize(("texts", "repeats"), [([], 1), (["a"], 0)])
def test_nothing_to_measure_is_refused(texts, repeats):
    with pytest.raises(ValueError, match="at least one"):
        measure(len, texts, repeats)
