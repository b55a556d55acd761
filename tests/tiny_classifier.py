"""A classifier of a few hundred weights as a real TFLite file, for tests of runtime and export: averaged embeddings, random weights."""

import functools
import tempfile
from collections.abc import Callable, Sequence

VOCABULARY = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "where",
    "is",
    "my",
    "card",
    "the",
    "lost",
    "i",
    "##s",
    "refund",
    "please",
    "?",
    ".",
    "e",
)
LABELS = ("card_arrival", "card_lost", "refund_status", "greeting")
MAX_LENGTH = 16


@functools.cache
def tiny_tflite(variant: str = "float32", length: int | None = None) -> bytes:
    """The file: int32 ids, mask, segment_ids `[batch, length]` -> float32 probabilities `[batch, 4]` and text_vector `[batch, 32]`; dynamic shapes without `length`.

    The converter chooses the order of its tensors: not ids, mask, segment_ids.
    """
    import tensorflow as tf

    model = tiny_model()
    outputs = tf.keras.Model(model.input, [model.output, model.get_layer("hidden").output])
    settings = {} if variant == "float32" else {"optimizations": [tf.lite.Optimize.DEFAULT]}
    if variant == "float16":
        settings["target_spec"] = tf.lite.TargetSpec(supported_types=[tf.float16])
    shape = (None, None) if length is None else (1, length)
    return converted(
        lambda ids, mask, segment_ids: dict(zip(("probabilities", "text_vector"), outputs([ids, mask, segment_ids]), strict=True)),
        [(name, tf.int32, shape) for name in ("ids", "mask", "segment_ids")],
        **settings,
    )


def converted(function: Callable, inputs: Sequence[tuple], **settings) -> bytes:
    """The TFLite file of a function from named inputs (name, dtype, shape) to a dictionary, with settings of the converter."""
    import tensorflow as tf

    module = tf.Module()
    module.weights = tiny_model().variables  # what `function` may use must hang on what is saved
    module.serve = tf.function(function, input_signature=[tf.TensorSpec(shape, dtype, name) for name, dtype, shape in inputs])
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": module.serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        for name, value in settings.items():
            setattr(converter, name, value)
        return converter.convert()


@functools.cache
def tiny_model():
    import numpy as np
    import tensorflow as tf

    keras = tf.keras
    ids, mask, segment_ids = (keras.Input((None,), dtype="int32", name=name) for name in ("ids", "mask", "segment_ids"))
    tokens = keras.layers.Embedding(len(VOCABULARY), 16, name="tokens")(ids) + keras.layers.Embedding(2, 16, name="segments")(segment_ids)
    kept = tf.expand_dims(tf.cast(mask, tf.float32), -1)
    mean = tf.reduce_sum(tokens * kept, axis=1) / tf.maximum(tf.reduce_sum(kept, axis=1), 1.0)
    hidden = keras.layers.Dense(32, activation="relu", name="hidden")(mean)
    model = keras.Model([ids, mask, segment_ids], keras.layers.Dense(len(LABELS), activation="softmax", name="probabilities")(hidden))
    random = np.random.default_rng(3)
    model.set_weights([random.normal(size=weight.shape).astype(np.float32) for weight in model.get_weights()])
    hidden = model.get_layer("hidden")
    kernel, bias = hidden.get_weights()
    kernel[:, ::2] = 0.0  # half of the kernel is pruned, for the linter to count
    hidden.set_weights([kernel, bias])
    return model
