"""A training that is killed ends as if it had not been: the same weights, the same history."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from tests.tiny_training import CLASSES, SPEC, UPDATES, Watch, fit
from tfarch.models.classifier import build_classifier

EPOCHS = 3
STEPS = EPOCHS * UPDATES
SETTINGS = {"epochs": EPOCHS, "checkpoint_every": 2}


def with_dropout():
    return build_classifier(SPEC, CLASSES, dropout=0.3, seed=5)


def losses(trained):
    return [epoch["loss"] for epoch in trained.figures["history"]]


def same(one, other):
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return fit(with_dropout, folder=tmp_path_factory.mktemp("whole"), **SETTINGS)


# Trains in the folder argv[1], and kills itself at step argv[2] as a power cut would.
CHILD = """
import os, signal, sys
from pathlib import Path
from tests.training import test_resume_after_kill as test
from tests.tiny_training import Watch, fit
def look(model):
    watch.steps = getattr(watch, "steps", 0) + 1
    if watch.steps == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
watch = Watch(look)
fit(test.with_dropout, [watch], folder=Path(sys.argv[1]), **test.SETTINGS)
"""


def test_after_sigkill_in_the_middle_of_an_epoch(uninterrupted, tmp_path):
    killed = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), str(UPDATES + 2)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-500:]
    watch = Watch(lambda model: None)
    resumed = fit(with_dropout, [watch], folder=tmp_path, **SETTINGS)
    assert 0 < len(watch.seen) < STEPS, "it went on from the checkpoint in mid-epoch"
    assert same(resumed, uninterrupted)
    assert losses(resumed) == losses(uninterrupted)


@pytest.mark.parametrize("stop", [1, UPDATES, UPDATES + 1, STEPS - 1])
def test_after_an_interruption_wherever_it_comes(uninterrupted, tmp_path, stop):
    with pytest.raises(KeyboardInterrupt):
        fit(with_dropout, [Watch(lambda model: None, stop=stop)], folder=tmp_path, **SETTINGS)
    resumed = fit(with_dropout, folder=tmp_path, **SETTINGS)
    assert same(resumed, uninterrupted)
    assert losses(resumed) == losses(uninterrupted)


def test_what_is_finished_is_not_trained_again(tmp_path, capsys):
    first = fit(with_dropout, folder=tmp_path, **SETTINGS)
    watch = Watch(lambda model: None)
    again = fit(with_dropout, [watch], folder=tmp_path, **SETTINGS)
    assert watch.seen == []
    assert same(again, first)
    assert "already trained" in capsys.readouterr().err


def test_other_settings_start_anew(tmp_path):
    fit(with_dropout, folder=tmp_path, **SETTINGS)
    watch = Watch(lambda model: None)
    fit(with_dropout, [watch], folder=tmp_path, **{**SETTINGS, "learning_rate": 0.02})
    assert len(watch.seen) == STEPS


def test_a_checkpoint_cut_short_starts_anew(tmp_path, uninterrupted):
    with pytest.raises(KeyboardInterrupt):
        fit(with_dropout, [Watch(lambda model: None, stop=UPDATES + 1)], folder=tmp_path, **SETTINGS)
    file = tmp_path / "resume.safetensors"
    os.truncate(file, file.stat().st_size // 2)
    watch = Watch(lambda model: None)
    resumed = fit(with_dropout, [watch], folder=tmp_path, **SETTINGS)
    assert len(watch.seen) == STEPS
    assert same(resumed, uninterrupted)
