"""Deterministic operations: a process of its own, as TensorFlow cannot leave that mode again."""

import json
import subprocess
import sys

import pytest

CHILD = """
import json
from tests.tiny_training import CLASSES, SPEC, fit
import numpy as np
from tensorflow.python.framework import config
from tfarch.models.classifier import build_classifier
def train():
    return fit(lambda: build_classifier(SPEC, CLASSES, dropout=0.3, seed=5), epochs=4, deterministic=True, optimizer="adamw")
first, second = train(), train()
print(json.dumps({
    "mode": config.is_op_determinism_enabled(),
    "equal": all(np.array_equal(value, second.weights[name]) for name, value in first.weights.items()),
    "losses": [epoch["loss"] for epoch in first.figures["history"]],
}))
"""


@pytest.fixture(scope="module")
def result():
    done = subprocess.run([sys.executable, "-c", CHILD], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_setting_turns_tensorflows_mode_on(result):
    assert result["mode"]


def test_two_runs_are_equal_bit_by_bit(result):
    assert result["equal"]


def test_it_learns_all_the_same(result):
    assert result["losses"][-1] < result["losses"][0]
