"""Every setting of the Trainer does what it says."""

import numpy as np
import pytest

from tests.tiny_training import BATCH, CLASSES, ROWS, SPEC, UPDATES, Watch, classifier, examples, fit
from tfarch.config import TrainConfig
from tfarch.data.batches import Examples
from tfarch.data.tokens import Tokens
from tfarch.errors import InputError, NonFiniteLossError
from tfarch.models.classifier import build_classifier
from tfarch.training import Trainer, classification_objective, cross_entropy
from tfarch.training.callbacks import Callback
from tfarch.training.devices import precision_for, strategy_for


def same(one, other):
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


def with_dropout(seed=5):
    return lambda: build_classifier(SPEC, CLASSES, dropout=0.3, seed=seed)


def train(build=classifier, *, seed=3, **settings):
    values = {
        "epochs": 1,
        "batch_size": BATCH,
        "learning_rate": 0.01,
        "freeze": [],
        "precision": "float32",
        "monitor": "last",
        "devices": "cpu",
    }
    settings = TrainConfig(**values | settings)
    return Trainer(settings, seed=seed).fit(build, classification_objective(settings), examples(), lambda model: {}, layers=SPEC.layers)


def test_one_seed_gives_one_model_and_another_seed_another():
    first = train(with_dropout())
    assert same(train(with_dropout()), first)
    assert not same(train(with_dropout(), seed=4), first)


def test_it_learns():
    assert fit(classifier, epochs=12).figures["history"][-1]["loss"] < 0.3 * fit(classifier, epochs=1).figures["history"][0]["loss"]


def test_texts_of_many_lengths_are_traced_once(monkeypatch):
    class Traced(Callback):
        times = 0

        def in_update(self):
            self.times += 1

    monkeypatch.setattr("tfarch.data.batches.BUCKETS", (4, 6, 8))
    lengths, counter = np.resize([3, 5, 8, 7], ROWS - 3), Traced()  # 21 rows: the last batch of an epoch is a smaller one
    tokens = Tokens(np.resize(np.arange(5, SPEC.vocabulary, dtype=np.int32), lengths.sum()), np.concatenate([[0], lengths.cumsum()]))
    rows = Examples(tokens, np.resize(np.arange(CLASSES, dtype=np.int32), ROWS - 3), np.ones(ROWS - 3, np.float32))
    settings = TrainConfig(epochs=2, batch_size=4, learning_rate=0.01, freeze=[], precision="float32", monitor="last", devices="cpu")
    trained = Trainer(settings, callbacks=[counter]).fit(classifier, classification_objective(settings), rows, lambda model: {})
    assert trained.figures["steps"] == 12
    assert counter.times == 1


def test_a_loss_that_is_not_finite_stops_with_its_step_and_keeps_the_last_checkpoint(tmp_path):
    def broken(model):
        if len(watch.seen) == 3:
            model.get_layer("head").bias.assign([np.nan] * CLASSES)

    watch = Watch(broken)
    with pytest.raises(NonFiniteLossError, match=r"step 5 of 12 \(epoch 2\)"):
        fit(classifier, [watch], folder=tmp_path, checkpoint_every=1)
    assert (tmp_path / "resume.safetensors").is_file()


def test_frozen_weights_stay_bit_by_bit():
    trained, start = train(freeze=["token_embedding/*", "layer_0_*"]), {}
    for variable in classifier().variables:
        start[variable.name.split(":")[0]] = variable.numpy()
    moved = {name for name, value in trained.weights.items() if not np.array_equal(value, start[name])}
    assert "head/kernel" in moved
    assert not [name for name in moved if name.startswith(("token_embedding", "layer_0"))]


def test_freezing_everything_is_refused():
    with pytest.raises(InputError, match="leaves nothing to train"):
        train(freeze=["*"])


def test_accumulating_two_batches_is_one_batch_twice_as_large():
    large = train(batch_size=ROWS, optimizer="sgd", clip_norm=0.0)
    small = train(batch_size=ROWS // 2, accumulate=2, optimizer="sgd", clip_norm=0.0)
    for name, value in large.weights.items():
        assert np.allclose(value, small.weights[name], atol=1e-5), name


def test_l2_pulls_kernels_towards_zero():
    start = {variable.name.split(":")[0]: variable.numpy() for variable in classifier().trainable_variables}
    common = {"batch_size": ROWS, "optimizer": "sgd", "learning_rate": 0.1, "warmup": 0.0, "clip_norm": 0.0}
    plain, pulled = train(**common), train(**common, l2=0.5)
    for name in ("layer_0_query/kernel", "head/kernel"):
        assert np.allclose(pulled.weights[name], plain.weights[name] - 0.1 * 2 * 0.5 * start[name], atol=1e-5)
    assert np.allclose(pulled.weights["head/bias"], plain.weights["head/bias"], atol=1e-6)


@pytest.mark.parametrize(
    ("monitor", "values", "stopped", "best"),
    [("valid_accuracy", [0.5, 0.6, 0.6, 0.55, 0.9], 4, 2), ("valid_loss", [0.5, 0.4, 0.45, 0.41, 0.1], 4, 2)],
)
def test_patience_counts_epochs_that_are_no_better(monitor, values, stopped, best):
    scores = iter(values)
    trained = fit(classifier, epochs=5, monitor=monitor, patience=2, evaluate=lambda model: {monitor: next(scores)})
    assert (trained.figures["epochs"], trained.figures["best_epoch"]) == (stopped, best)


def test_an_unknown_monitor_lists_the_metrics():
    with pytest.raises(InputError, match=r"valid_bleu.*loss, valid_accuracy, last"):
        fit(classifier, epochs=1, monitor="valid_bleu", evaluate=lambda model: {"valid_accuracy": 1.0})


def test_xla_gives_the_same_model_to_rounding():
    plain, compiled = train(epochs=2), train(epochs=2, xla=True)
    assert compiled.figures["history"][-1]["loss"] == pytest.approx(plain.figures["history"][-1]["loss"], rel=1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_learns_and_keeps_float32_weights(precision):
    trained = fit(classifier, epochs=8, precision=precision)
    assert trained.figures["precision"] == precision
    assert {variable.dtype.name for variable in trained.model.trainable_variables} == {"float32"}
    assert trained.figures["history"][-1]["loss"] < 0.5 * trained.figures["history"][0]["loss"]


def test_auto_precision_is_one_that_the_machine_has():
    assert precision_for("auto") in ("float32", "bfloat16")
    assert precision_for("float16") == "float16"


@pytest.mark.parametrize("devices", ["tpu", "cpu:x", "cpu:0", "gpu:99"])
def test_devices_that_are_not_there_are_refused(devices):
    with pytest.raises(InputError, match=r"train\.devices"):
        strategy_for(devices)


def test_a_batch_that_does_not_divide_among_the_replicas_is_refused(monkeypatch):
    class Two:
        num_replicas_in_sync = 2

    monkeypatch.setattr("tfarch.training.trainer.strategy_for", lambda devices: Two())
    with pytest.raises(InputError, match=r"train\.batch_size=7 does not divide among 2 replicas"):
        Trainer(TrainConfig(batch_size=7)).fit(classifier, cross_entropy(), examples(), lambda model: {})


def test_figures_tell_what_was_done():
    figures = fit(classifier, epochs=2).figures
    assert (figures["steps"], figures["epochs"], figures["replicas"]) == (2 * UPDATES, 2, 1)
    assert figures["learning_rate"] == 0.01
    assert figures["tokens_per_second"] == pytest.approx(8 * figures["examples_per_second"])
    assert figures["examples_per_second"] >= 2 * ROWS / figures["seconds"], "what is not an update is left out"
    assert [epoch["epoch"] for epoch in figures["history"]] == [1, 2]
