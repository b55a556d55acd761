"""Two replicas together with what else a training may be: half precision, dropout, a resume in mid-epoch, XLA."""

import json
import subprocess
import sys

import pytest

# One process, as logical devices must be asked for before TensorFlow starts.
CHILD = """
import json, tempfile
from pathlib import Path
import numpy as np
from tests.tiny_training import CLASSES, SPEC, Watch, classifier, fit
from tfarch.errors import InputError
from tfarch.models.classifier import build_classifier
from tfarch.training.devices import strategy_for
strategy_for("cpu:2")
def losses(devices, precision):
    return [epoch["loss"] for epoch in fit(classifier, epochs=3, devices=devices, precision=precision).figures["history"]]
result = {precision: [losses("cpu:1", precision), losses("cpu:2", precision)] for precision in ("float16", "bfloat16")}

def with_dropout(stop, folder):
    build = lambda: build_classifier(SPEC, CLASSES, dropout=0.3, seed=5)
    watch = Watch(lambda model: None, stop)
    return fit(build, [watch], epochs=3, devices="cpu:2", checkpoint_every=2, folder=folder), len(watch.seen)
with tempfile.TemporaryDirectory() as folder:
    whole, _ = with_dropout(None, Path(folder) / "whole")
    try:
        with_dropout(6, Path(folder) / "cut")
    except KeyboardInterrupt:
        resumed, updates = with_dropout(None, Path(folder) / "cut")
result["resumed"] = {"updates": updates, "equal": all(np.array_equal(each, resumed.weights[name]) for name, each in whole.weights.items())}

try:
    fit(classifier, epochs=1, devices="cpu:2", xla=True)
except InputError as error:
    result["xla"] = str(error)
print(json.dumps(result))
"""


@pytest.fixture(scope="module")
def result():
    done = subprocess.run([sys.executable, "-c", CHILD], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


# Rounding is that of the activations: 11 and 8 bits.
@pytest.mark.parametrize(("precision", "rounding"), [("float16", 0.005), ("bfloat16", 0.03)])
def test_half_precision_gives_the_losses_of_one_device(result, precision, rounding):
    one, two = result[precision]
    assert two == pytest.approx(one, rel=rounding)


def test_with_dropout_a_resumed_run_is_equal_bit_by_bit(result):
    # Broken off at step 6 before the epoch was closed: five updates are left after the checkpoint of step 4.
    assert result["resumed"] == {"updates": 5, "equal": True}


def test_xla_on_several_cpu_devices_is_refused(result):
    assert result["xla"] == "train.xla=true cannot hold on train.devices='cpu:2' (with XLA, train on one CPU device)"
