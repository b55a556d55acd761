"""Classifiers in which one planted word decides: every other word has the same embedding, so nothing else can. For tests of explanations."""

import functools

import numpy as np

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tests.tiny_classifier import MAX_LENGTH, VOCABULARY
from tfarch.export.tflite import Converter
from tfarch.models.classifier import build_classifier, with_outputs
from tfarch.models.spec import AveragedSpec, EncoderSpec

LABELS = ("card", "refund", "other")
PLANTED = "refund"
TEMPERATURE = 1.5
SPECS = {
    "averaged": AveragedSpec(len(VOCABULARY), width=8),
    "encoder": EncoderSpec(len(VOCABULARY), width=8, heads=(2, 2), head_width=4, feed_forward=(16, 16), positions=MAX_LENGTH),
}


@functools.cache
def planted_model(structure: str) -> tf.keras.Model:
    """The float32 model of a structure; small random weights, and a head that reads what the planted word brings."""
    model = build_classifier(SPECS[structure], len(LABELS))
    random = np.random.default_rng(5)
    for variable in model.weights:
        variable.assign(random.normal(1.0 if "gamma" in variable.name else 0.0, 0.2, variable.shape))
    common, planted = random.normal(size=(2, 8)).astype(np.float32)
    table = np.tile(common, (len(VOCABULARY), 1))
    table[VOCABULARY.index(PLANTED)] = 2 * planted
    model.get_layer("token_embedding").set_weights([table])
    kernel = np.zeros((8, len(LABELS)), np.float32)
    kernel[:, LABELS.index(PLANTED)] = planted
    model.get_layer("head").set_weights([kernel, np.array([0.5, -0.5, 0.0], np.float32)])
    return model


@functools.cache
def planted_tflite(structure: str) -> bytes:
    """The same as a float32 TFLite file with text vectors."""
    with Converter(with_outputs(planted_model(structure), TEMPERATURE)) as converter:
        return converter.convert("float32")
