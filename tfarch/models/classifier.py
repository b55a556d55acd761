"""The classification model: a body and a `Dense` head for each task. It gives logits to train on; `with_probabilities` and
`with_outputs` close it for export.

A model of one task calls its head `head` and its output `probabilities`; of several tasks each has a head `<task>_head` and an output
`<task>_probabilities`. The weights of either are named so that the body's are the same (`of_task`, `of_all_tasks`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tfarch.models import layers
from tfarch.models.encoder import body, text_inputs
from tfarch.models.spec import Spec
from tfarch.runtime.signature import OUTPUT, SINGLE, VECTOR, output_of

HEAD, HEAD_DROPOUT = "head", "head_dropout"
Weights = Mapping[str, np.ndarray]


def head_of(task: str) -> str:
    """The name of a task's head."""
    return f"{task}_{HEAD}" if task else HEAD


def build_classifier(
    spec: Spec, classes: int | Mapping[str, int], *, dropout: float = 0.0, attention_dropout: float = 0.0, seed: int = 0
) -> tf.keras.Model:
    """A functional model: int32 ids, mask, segment_ids `[batch, length]` -> float32 logits `[batch, classes]`.

    Args:
        classes: of the one task; or of each task, whose logits then stand beside each other in this order.
    """
    inputs = text_inputs()
    vector = body(spec, inputs, dropout=dropout, attention_dropout=attention_dropout, seed=seed)
    if dropout:
        vector = layers.Dropout(dropout, seed=seed * 131 + 7, name=HEAD_DROPOUT)(vector)
    logits = []
    for number, (task, count) in enumerate(({SINGLE: classes} if isinstance(classes, int) else classes).items()):
        head = tf.keras.layers.Dense(
            count,
            dtype=tf.float32,  # logits stay float32 under mixed precision
            kernel_initializer=tf.keras.initializers.TruncatedNormal(stddev=0.02, seed=seed + number),
            name=head_of(task),
        )
        logits.append(head(vector))
    output = logits[0] if len(logits) == 1 else tf.keras.layers.Concatenate(dtype=tf.float32, name="logits")(logits)
    return tf.keras.Model(inputs, output, name="classifier")


def columns_of(classes: Mapping[str, int], task: str) -> slice:
    """Where a task's logits stand in the output of `build_classifier`."""
    begin = 0
    for name, count in classes.items():
        if name == task:
            return slice(begin, begin + count)
        begin += count
    raise KeyError(task)


def of_task(weights: Weights, task: str) -> dict[str, np.ndarray]:
    """The weights of the model of this task alone, of a model of several."""
    own = f"{head_of(task)}/"
    shared = {name: value for name, value in weights.items() if not name.partition("/")[0].endswith(HEAD)}
    return {**shared, **{f"{HEAD}/{name.removeprefix(own)}": value for name, value in weights.items() if name.startswith(own)}}


def of_all_tasks(weights: Mapping[str, Weights]) -> dict[str, np.ndarray]:
    """The weights of the model of all tasks, of those of each; the body's are the first one's."""
    joined = dict(next(iter(weights.values())))
    heads = {name: joined.pop(name) for name in list(joined) if name.startswith(f"{HEAD}/")}
    for task, own in weights.items():
        joined |= {name.replace(HEAD, head_of(task), 1): own[name] for name in heads}
    return joined


def text_vector(model: tf.keras.Model) -> tf.Tensor:
    """The symbolic text vector `[batch, width]` of a classifier: what its heads read, before dropout."""
    read = next(layer for layer in model.layers if layer.name.endswith(HEAD)).input
    dropped = next((layer for layer in model.layers if layer.name == HEAD_DROPOUT), None)
    return read if dropped is None else dropped.input


def with_probabilities(model: tf.keras.Model, temperature: float) -> tf.keras.Model:
    """The same weights of a model of one task with `probabilities = softmax(logits / temperature)` `[batch, classes]` as the output."""
    output = layers.CalibratedSoftmax(temperature, dtype=tf.float32, name=OUTPUT)(model.output)
    return tf.keras.Model(model.input, output, name="classifier_with_probabilities")


def with_outputs(model: tf.keras.Model, temperatures: Mapping[str, float]) -> tf.keras.Model:
    """The same weights with what an exported file gives: of each task `probabilities` `[batch, classes]`, see `output_of`, and "text_vector"
    `[batch, width]`, float32.

    Args:
        temperatures: of each task, in any order.
    """
    outputs = {
        output_of(task): layers.CalibratedSoftmax(temperature, dtype=tf.float32, name=output_of(task))(
            model.get_layer(head_of(task)).output
        )
        for task, temperature in temperatures.items()
    }
    vector = tf.keras.layers.Activation("linear", dtype=tf.float32, name=VECTOR)(text_vector(model))
    return tf.keras.Model(model.input, {**outputs, VECTOR: vector}, name="classifier_with_outputs")
