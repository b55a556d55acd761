"""What else a resumed run needs: its fingerprint, its seed, the scale of a float16 loss, its place in accumulated updates; and a state of its version."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from tests.tiny_training import BATCH, CLASSES, SPEC, Watch, examples
from tfarch.config import TrainConfig
from tfarch.errors import InputError
from tfarch.models.classifier import build_classifier
from tfarch.training import Trainer, cross_entropy

COMMON = {
    "epochs": 2,
    "batch_size": BATCH,
    "learning_rate": 0.01,
    "freeze": [],
    "precision": "float32",
    "devices": "cpu",
    "monitor": "last",
    "checkpoint_every": 2,
}
plain = cross_entropy()


def steep(output, targets):
    """A loss whose gradient overflows float16 at first, so that updates are skipped until its scale is found."""
    return 30_000.0 * plain(output, targets)


def train(folder, *, stop=None, seed=3, fingerprint="", objective=plain, **settings):
    """What training gives, and how many updates it took."""
    watch = Watch(lambda model: None, stop)
    trainer = Trainer(TrainConfig(**{**COMMON, **settings}), seed=seed, folder=folder, callbacks=[watch])
    model = lambda: build_classifier(SPEC, CLASSES, dropout=0.3, seed=5)  # noqa: E731 - one start for all seeds
    try:
        trained = trainer.fit(model, objective, examples(), lambda model: {}, fingerprint=fingerprint)
    except KeyboardInterrupt:
        trained = None
    return trained, len(watch.seen)


def same(one, other):
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


@pytest.mark.parametrize("other", [{"fingerprint": "of other data"}, {"seed": 4}])
def test_a_run_of_another_fingerprint_or_seed_starts_anew(tmp_path, other):
    _, updates = train(tmp_path)
    assert train(tmp_path, **other)[1] == updates
    assert train(tmp_path, **other)[1] == 0, "that one is resumed"


def test_the_scale_of_a_float16_loss_is_resumed(tmp_path):
    settings = {"precision": "float16", "objective": steep, "epochs": 8}
    whole, updates = train(tmp_path / "whole", **settings)
    train(tmp_path / "cut", stop=updates - 2, **settings)
    resumed, later = train(tmp_path / "cut", **settings)
    assert 0 < later < updates
    assert same(resumed, whole)


def test_accumulated_updates_are_resumed(tmp_path):
    settings = {"accumulate": 2, "batch_size": 4, "checkpoint_every": 1}
    whole, updates = train(tmp_path / "whole", **settings)
    train(tmp_path / "cut", stop=updates - 2, **settings)
    resumed, later = train(tmp_path / "cut", **settings)
    assert 0 < later < updates
    assert same(resumed, whole)


def test_a_state_that_lacks_a_field_is_of_another_version_and_starts_anew(tmp_path):
    _, updates = train(tmp_path)
    file = tmp_path / "resume.safetensors"
    with safe_open(file, "np") as stored:
        state = json.loads(stored.metadata()["state"])
    del state["update_seconds"]
    save_file(load_file(file), file, {"state": json.dumps(state)})
    assert train(tmp_path)[1] == updates


@pytest.mark.parametrize("name", ["epochs", "learning_rate"])
def test_a_setting_that_is_still_open_is_told(name):
    with pytest.raises(InputError, match=f"train.{name}=0 is still open"):
        train(None, **{name: 0})
