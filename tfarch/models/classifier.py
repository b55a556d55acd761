"""The classification model: a body and one `Dense` head. It gives logits to train on; `with_probabilities` and
`with_outputs` close it for export."""

from __future__ import annotations

import tensorflow as tf

from tfarch.models import layers
from tfarch.models.encoder import body, text_inputs
from tfarch.models.spec import Spec

HEAD = "head"


def build_classifier(spec: Spec, classes: int, *, dropout: float = 0.0, attention_dropout: float = 0.0, seed: int = 0) -> tf.keras.Model:
    """A functional model: int32 ids, mask, segment_ids `[batch, length]` -> float32 logits `[batch, classes]`, one label for each text."""
    inputs = text_inputs()
    vector = body(spec, inputs, dropout=dropout, attention_dropout=attention_dropout, seed=seed)
    if dropout:
        vector = layers.Dropout(dropout, seed=seed * 131 + 7, name="head_dropout")(vector)
    head = tf.keras.layers.Dense(
        classes,
        dtype=tf.float32,  # logits stay float32 under mixed precision
        kernel_initializer=tf.keras.initializers.TruncatedNormal(stddev=0.02, seed=seed),
        name=HEAD,
    )
    return tf.keras.Model(inputs, head(vector), name="classifier")


def text_vector(model: tf.keras.Model) -> tf.Tensor:
    """The symbolic text vector `[batch, width]` of a classifier: what its head reads."""
    return model.get_layer(HEAD).input


def with_probabilities(model: tf.keras.Model, temperature: float) -> tf.keras.Model:
    """The same weights with `probabilities = softmax(logits / temperature)` `[batch, classes]` as the output."""
    output = layers.CalibratedSoftmax(temperature, dtype=tf.float32, name="probabilities")(model.output)
    return tf.keras.Model(model.input, output, name="classifier_with_probabilities")


def with_outputs(model: tf.keras.Model, temperature: float) -> tf.keras.Model:
    """The same weights with what an exported file gives: `{"probabilities": [batch, classes], "text_vector": [batch, width]}`, float32."""
    closed = with_probabilities(model, temperature)
    vector = tf.keras.layers.Activation("linear", dtype=tf.float32, name="text_vector")(text_vector(model))
    return tf.keras.Model(model.input, {"probabilities": closed.output, "text_vector": vector}, name="classifier_with_outputs")
