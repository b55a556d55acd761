"""Replicas, accumulation and padding change the losses by rounding alone: 1, 2 and 8 logical devices train the same model."""

import json
import subprocess
import sys

import numpy as np
import pytest

# A process for each count: a group of devices that reduce together cannot change its size. 27 rows: the last batch divides neither by 2 nor by 8.
CHILD = """
import json, sys
import tests.tiny_training as tiny
import numpy as np
from tfarch.data.tokens import Tokens
from tfarch.data.batches import Examples
ids = np.random.default_rng(2).integers(5, 20, (27, tiny.LENGTH)).astype(np.int32)
tokens = Tokens(ids.ravel(), np.arange(0, ids.size + 1, tiny.LENGTH, dtype=np.int64))
tiny.examples = lambda: Examples(tokens, ids[:, 1] % tiny.CLASSES, np.linspace(0.5, 1.5, 27, dtype=np.float32))
result = {}
for accumulate in map(int, sys.argv[2:]):
    seen = []
    class Losses(tiny.Callback):
        def after_update(self, step, values):
            seen.append(values["loss"])
    l2 = 0.01 * (accumulate - 1)  # the penalty makes an embedding's gradient dense: once without, as its norm must not depend on that
    trained = tiny.fit(tiny.classifier, [Losses()], epochs=2, l2=l2, clip_norm=1.0, accumulate=accumulate, devices=f"cpu:{sys.argv[1]}")
    result[accumulate] = {"losses": seen, "replicas": trained.figures["replicas"], "head": trained.weights["head/kernel"].tolist()}
print(json.dumps(result))
"""


def trained_on(devices, *accumulate):
    command = [sys.executable, "-c", CHILD, str(devices), *map(str, accumulate)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def alone():
    return trained_on(1, 1, 2)


def assert_same(run, alone, replicas):
    assert run["replicas"] == replicas
    assert run["losses"] == pytest.approx(alone["losses"], rel=1e-4)
    assert np.allclose(run["head"], alone["head"], atol=1e-3)


def test_two_replicas_give_the_losses_of_one_with_accumulation_too(alone):
    two = trained_on(2, 1, 2)
    assert (len(alone["1"]["losses"]), len(alone["2"]["losses"])) == (8, 4), "two batches are one update"
    assert_same(two["1"], alone["1"], 2)
    assert_same(two["2"], alone["2"], 2)


def test_eight_replicas_give_the_losses_of_one(alone):
    assert_same(trained_on(8, 1)["1"], alone["1"], 8)
