"""Classifiers in which one planted word decides: every other word has the same embedding, so nothing else can. For tests of explanations."""

import functools

import numpy as np

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tests.tiny_classifier import MAX_LENGTH, VOCABULARY
from tfarch.export.tflite import Converter
from tfarch.models.classifier import build_classifier, text_vector, with_outputs
from tfarch.models.spec import AveragedSpec, EncoderSpec

LABELS = ("card", "refund", "other")
PLANTED = "refund"
TEMPERATURE = 1.5
DESCRIPTION = {  # of a bundle of one of them, for `write_bundle`
    "task": "text_classification",
    "labels": list(LABELS),
    "max_length": MAX_LENGTH,
    "tokeniser": {"kind": "wordpiece", "lowercase": True, "strip_accents": True, "file": "vocab.txt"},
    "model": {"file": "model.tflite"},
}
SPECS = {
    "averaged": AveragedSpec(len(VOCABULARY), width=8),
    "encoder": EncoderSpec(len(VOCABULARY), width=8, heads=(2, 2), head_width=4, feed_forward=(16, 16), positions=MAX_LENGTH),
}


@functools.cache
def planted_model(structure: str) -> tf.keras.Model:
    """The float32 model of a structure; small random weights, and a head that reads what the planted word does to the text vector."""
    model = build_classifier(SPECS[structure], len(LABELS))
    random = np.random.default_rng(5)
    for variable in model.weights:
        variable.assign(random.normal(1.0 if "gamma" in variable.name else 0.0, 0.2, variable.shape))
    common, planted = random.normal(size=(2, 8)).astype(np.float32)
    table = np.tile(common, (len(VOCABULARY), 1))
    table[VOCABULARY.index(PLANTED)] = 2 * planted
    model.get_layer("token_embedding").set_weights([table])
    without = np.array([[2, 5, 6, 7, 8, 3]], np.int32)
    with_it = np.where(without == 7, VOCABULARY.index(PLANTED), without)
    vectors = tf.keras.Model(model.input, text_vector(model))
    ends = [vectors({"ids": ids, "mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}).numpy()[0] for ids in (without, with_it)]
    way = ends[1] - ends[0]
    kernel = np.zeros((8, len(LABELS)), np.float32)
    kernel[:, LABELS.index(PLANTED)] = 6 * way / (way @ way)  # the logit rises by 6 from the one text to the other
    middle = (ends[0] + ends[1]) / 2
    model.get_layer("head").set_weights([kernel, np.array([0.5, -middle @ kernel[:, LABELS.index(PLANTED)], 0.0], np.float32)])
    return model


@functools.cache
def planted_tflite(structure: str) -> bytes:
    """The same as a float32 TFLite file with text vectors."""
    with Converter.of_texts(with_outputs(planted_model(structure), {"": TEMPERATURE})) as converter:
        return converter.convert("float32")
