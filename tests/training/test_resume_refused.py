"""Checkpoints that a run may not go on from, though they lie in its folder: of another structure, or without their best weights."""

import dataclasses
import os

import numpy as np
import pytest

from tests.tiny_training import CLASSES, SPEC, UPDATES, Watch, classifier, fit
from tfarch.errors import NonFiniteLossError
from tfarch.models.classifier import build_classifier
from tfarch.training.callbacks import Callback

EPOCHS = 3
SETTINGS = {"epochs": EPOCHS, "monitor": "valid_accuracy", "checkpoint_every": 2}
OTHER = {**SETTINGS, "learning_rate": 0.02}


class BreaksOffAtEpochEnd(Callback):
    """Ends the run when its best weights are written and its checkpoint is not yet."""

    def end_epoch(self, epoch, step, metrics):
        raise KeyboardInterrupt


def train(folder, callbacks=(), settings=SETTINGS, build=classifier):
    """What training gives whose first epoch is the best, and how many updates it took."""
    scores, watch = iter([0.9, 0.1, 0.2]), Watch(lambda model: None)
    trained = fit(build, [watch, *callbacks], folder=folder, evaluate=lambda model: {"valid_accuracy": next(scores)}, **settings)
    return trained, len(watch.seen)


def same(one, other):
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_another_structure_with_the_same_names_starts_anew(tmp_path):
    train(tmp_path)
    narrow = dataclasses.replace(SPEC, feed_forward=(48,))
    assert train(tmp_path, build=lambda: build_classifier(narrow, CLASSES))[1] == EPOCHS * UPDATES


def test_best_weights_that_another_run_wrote_are_never_taken(tmp_path):
    first, _ = train(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, [BreaksOffAtEpochEnd()], {**OTHER, "checkpoint_every": 0})
    again, updates = train(tmp_path)
    assert updates == EPOCHS * UPDATES
    assert same(again, first)


@pytest.mark.parametrize("lost", ["deleted", "cut short"])
def test_a_run_whose_best_weights_are_lost_starts_anew(tmp_path, lost):
    first, _ = train(tmp_path)
    best = tmp_path / "best.safetensors"
    if lost == "deleted":
        best.unlink()
    else:
        os.truncate(best, best.stat().st_size // 2)
    again, updates = train(tmp_path)
    assert updates == EPOCHS * UPDATES
    assert same(again, first)


def test_a_finished_run_gives_its_best_weights_again_without_an_update(tmp_path):
    first, _ = train(tmp_path)
    again, updates = train(tmp_path)
    assert updates == 0
    assert same(again, first)
    assert again.figures == first.figures


class Spoils(Callback):
    """Makes the model's answers NaN before the update after `step`, once."""

    def __init__(self, step):
        self.step = step

    def begin(self, model, optimizer, steps, step):
        self.bias = model.get_layer("head").bias

    def before_update(self, step):
        if step == self.step:
            self.bias.assign([np.nan] * CLASSES)


def test_after_a_loss_that_was_not_finite_the_checkpoint_before_it_is_sound(tmp_path):
    whole, _ = train(tmp_path / "whole")
    with pytest.raises(NonFiniteLossError, match="at step 6 of 9"):
        train(tmp_path / "spoilt", [Spoils(5)])
    scores = iter([0.1, 0.2])  # the first epoch was done
    watch = Watch(lambda model: None)
    later = fit(classifier, [watch], folder=tmp_path / "spoilt", evaluate=lambda model: {"valid_accuracy": next(scores)}, **SETTINGS)
    assert len(watch.seen) == EPOCHS * UPDATES - 4, "it went on from the checkpoint of step 4"
    assert same(later, whole)
