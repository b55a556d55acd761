"""Keras models as TFLite files: float32, float16 or dynamic-range int8, of dynamic or fixed length, with no Flex and no custom op."""

from __future__ import annotations

import re
import tempfile

import tensorflow as tf

from tfarch.errors import TfarchError, unknown
from tfarch.quiet import quiet

# What the converter is told for each variant: DEFAULT alone is dynamic range, int8 weights per channel and float activations.
VARIANTS: dict[str, dict] = {
    "float32": {},
    "float16": {"optimizations": [tf.lite.Optimize.DEFAULT], "supported_types": [tf.float16]},
    "dynamic_int8": {"optimizations": [tf.lite.Optimize.DEFAULT]},
}


class Converter:
    """Makes TFLite files of one model with inputs ids, mask, segment_ids (int32 `[batch, length]`).

    The outputs are named as the keys of a model that gives a dictionary, or as the one output layer.

    >>> with Converter(model) as converter:
    ...     files = {variant: converter.convert(variant) for variant in VARIANTS}

    Args:
        model: a functional model.
        length: a fixed number of tokens for a batch of one; None: both dimensions stay dynamic.
    """

    def __init__(self, model: tf.keras.Model, *, length: int | None = None):
        self._model, self._shape = model, (None, None) if length is None else (1, length)
        self._folder = tempfile.TemporaryDirectory()

    def __enter__(self) -> Converter:
        model = self._model

        @tf.function(input_signature=[tf.TensorSpec(self._shape, tf.int32, name=name) for name in ("ids", "mask", "segment_ids")])
        def run(ids, mask, segment_ids):
            outputs = model({"ids": ids, "mask": mask, "segment_ids": segment_ids}, training=False)
            return outputs if isinstance(outputs, dict) else {model.output_names[0]: outputs}

        module = tf.Module()
        module.run = run
        module.weights = model.variables  # not the model: Keras would trace every layer once more, which takes longer than the conversion
        try:
            with quiet():
                tf.saved_model.save(module, self._folder.name, signatures={"serving_default": run})
        except (tf.errors.OpError, OSError) as error:
            raise TfarchError(f"{self._folder.name}: the model could not be written: {str(error).splitlines()[0]}") from error
        return self

    def __exit__(self, *_) -> None:
        self._folder.cleanup()

    def convert(self, variant: str) -> bytes:
        """The file of one of `VARIANTS`.

        Raises:
            InputError: unknown variant.
            TfarchError: the model holds an operation that TFLite's own set lacks; names it.
        """
        if variant not in VARIANTS:
            raise unknown("variant", variant, VARIANTS)
        settings = VARIANTS[variant]
        with quiet():
            converter = tf.lite.TFLiteConverter.from_saved_model(self._folder.name)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            converter.optimizations = settings.get("optimizations", [])
            if "supported_types" in settings:
                converter.target_spec.supported_types = settings["supported_types"]
            try:
                return converter.convert()
            except Exception as error:  # the converter's own error class carries pages of MLIR; its reader needs the operations
                operations = sorted(set(re.findall(r"tf\.[A-Z]\w+", str(error))))
                raise TfarchError(
                    f"TFLite cannot hold this model as {variant}: {', '.join(operations) or str(error).splitlines()[0]}"
                ) from error
