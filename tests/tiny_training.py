"""A one-layer encoder and two dozen texts of eight tokens, trained by the real Trainer within seconds.

Width 32: its kernels have the 1,024 elements from which on the converter quantises a weight; the head's 128 stay float.
"""

import numpy as np

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tfarch.config import TrainConfig
from tfarch.data.batches import Examples
from tfarch.data.tokens import Tokens
from tfarch.models.classifier import build_classifier
from tfarch.models.spec import EncoderSpec
from tfarch.training import Trainer, cross_entropy
from tfarch.training.callbacks import Callback

SPEC = EncoderSpec(vocabulary=20, width=32, heads=(2,), head_width=16, feed_forward=(64,), positions=16, unit_vectors=True)
CLASSES, ROWS, LENGTH, BATCH = 4, 24, 8, 8
UPDATES = ROWS // BATCH  # of an epoch
ENCODER_KERNELS = tuple(
    f"layer_0_{each}/kernel" for each in ("query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_out")
)


def classifier(*, scale: float = 0.3, seed: int = 1) -> tf.keras.Model:
    """The float32 model with random weights of standard deviation `scale`, biases and norms too: its answers differ from text to text."""
    model = build_classifier(SPEC, CLASSES)
    random = np.random.default_rng(seed)
    for variable in model.weights:
        variable.assign(random.normal(1.0 if "gamma" in variable.name else 0.0, scale, variable.shape))
    return model


def examples(seed: int = 0) -> Examples:
    """Random texts, all of one length, whose class is that of their second token."""
    random = np.random.default_rng(seed)
    ids = random.integers(5, SPEC.vocabulary, (ROWS, LENGTH)).astype(np.int32)
    tokens = Tokens(ids.ravel(), np.arange(0, ids.size + 1, LENGTH, dtype=np.int64))
    return Examples(tokens, ids[:, 1] % CLASSES, np.ones(ROWS, np.float32))


def fit(build, callbacks=(), *, epochs: int = 4, folder=None, evaluate=lambda model: {}, **settings):
    """What the Trainer gives (see `tfarch.training.Trained`): the last epoch's model, trained in float32 at a high rate."""
    values = {"learning_rate": 0.01, "freeze": [], "precision": "float32", "monitor": "last", "devices": "cpu", **settings}
    trainer = Trainer(TrainConfig(epochs=epochs, batch_size=BATCH, **values), seed=3, folder=folder, callbacks=callbacks)
    return trainer.fit(build, cross_entropy(), examples(), evaluate, layers=SPEC.layers)


class Watch(Callback):
    """Calls `look(model)` after each update and keeps what it gives; raises `KeyboardInterrupt` after update `stop`."""

    def __init__(self, look, stop: int | None = None):
        self.look, self.stop, self.seen = look, stop, []

    def begin(self, model, optimizer, steps, step):
        self.model = model

    def after_update(self, step, values):
        self.seen.append(self.look(self.model))
        if step == self.stop:
            raise KeyboardInterrupt


class Told(Callback):
    """Keeps what each update tells, by its step."""

    def __init__(self):
        self.seen = {}

    def after_update(self, step, values):
        self.seen[step] = values
