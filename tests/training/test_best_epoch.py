"""The best epoch's weights are the ones taken, with or without a folder, whatever the other epochs were."""

import math

import numpy as np
import pytest

from tests.tiny_training import UPDATES, Watch, classifier, fit


def copy(model):
    return [variable.numpy() for variable in model.variables]


def train(scores, *, monitor="valid_accuracy", folder=None, **settings):
    """What training gives where the epochs' metrics are `scores`, and the weights after each epoch."""
    scores, watch = iter(scores), Watch(copy)
    trained = fit(classifier, [watch], folder=folder, monitor=monitor, evaluate=lambda model: {monitor: next(scores)}, **settings)
    return trained, watch.seen[UPDATES - 1 :: UPDATES]


@pytest.mark.parametrize("kept", ["in memory", "in a folder"])
@pytest.mark.parametrize(("monitor", "scores"), [("valid_accuracy", [0.1, 0.9, 0.3]), ("valid_loss", [0.9, 0.1, 0.3])])
def test_the_best_weights_are_restored(tmp_path, monitor, scores, kept):
    trained, epochs = train(scores, monitor=monitor, folder=tmp_path if kept == "in a folder" else None, epochs=3)
    assert trained.figures["best_epoch"] == 2
    assert all(map(np.array_equal, copy(trained.model), epochs[1]))
    assert not all(map(np.array_equal, epochs[1], epochs[2]))


def test_of_equal_epochs_the_first_is_taken():
    trained, epochs = train([0.5, 0.5], epochs=2)
    assert trained.figures["best_epoch"] == 1
    assert all(map(np.array_equal, copy(trained.model), epochs[0]))


def test_any_metric_is_better_than_nan():
    trained, _ = train([math.nan, 0.3, math.nan], monitor="valid_loss", epochs=3)
    assert trained.figures["best_epoch"] == 2


def test_with_the_monitor_last_the_last_weights_are_taken_and_patience_never_ends():
    scores, watch = iter([0.9, 0.5, 0.1]), Watch(copy)
    trained = fit(classifier, [watch], epochs=3, patience=1, monitor="last", evaluate=lambda model: {"valid_accuracy": next(scores)})
    assert trained.figures["best_epoch"] == trained.figures["epochs"] == 3
    assert all(map(np.array_equal, copy(trained.model), watch.seen[-1]))


def test_a_resumed_run_remembers_the_best_epoch_before_the_interruption(tmp_path):
    scores = [0.9, 0.2, 0.3]
    with pytest.raises(KeyboardInterrupt):
        fit(
            classifier,
            [Watch(copy, stop=UPDATES + 2)],
            folder=tmp_path,
            epochs=3,
            monitor="valid_accuracy",
            evaluate=lambda model: {"valid_accuracy": scores[0]},
        )
    resumed, _ = train(scores[1:], folder=tmp_path, epochs=3)
    whole, epochs = train(scores, epochs=3)
    assert resumed.figures["best_epoch"] == whole.figures["best_epoch"] == 1
    assert all(map(np.array_equal, copy(resumed.model), epochs[0]))
