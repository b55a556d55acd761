"""Models as TFLite files: float32, float16, dynamic-range, weight-only or static int8, of dynamic or fixed length, with no Flex and no custom op."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfarch.errors import InputError, TfarchError, unknown
from tfarch.export.fewer_operators import with_fewer_operators
from tfarch.export.row_tables import with_steps_of_rows
from tfarch.export.selective import with_float_weights
from tfarch.export.static_int8 import Calibration, static_int8
from tfarch.export.weight_only import with_weights_alone_rounded
from tfarch.quiet import quiet

DYNAMIC, WEIGHT_ONLY, STATIC = "dynamic_int8", "weight_only_int8", "static_int8"
# What the converter is told for each variant: DEFAULT alone is dynamic range, int8 weights per channel and float activations. Weight-only int8 is made of that file, static int8 of
# the float32 one.
VARIANTS: dict[str, dict] = {
    "float32": {},
    "float16": {"optimizations": [tf.lite.Optimize.DEFAULT], "supported_types": [tf.float16]},
    DYNAMIC: {"optimizations": [tf.lite.Optimize.DEFAULT]},
    WEIGHT_ONLY: {},
    STATIC: {},
}


class Converter:
    """Makes TFLite files of one function of TensorFlow operations, whose signature becomes the files' `serving_default`.

    >>> with Converter.of_texts(model) as converter:
    ...     files = {variant: converter.convert(variant) for variant in ("float32", "dynamic_int8")}

    Args:
        run: has an input signature and gives a dictionary of tensors.
        variables: what it reads.
    """

    def __init__(self, run: tf.types.experimental.PolymorphicFunction, variables: Sequence[tf.Variable] = ()):
        self._run, self._variables = run, list(variables)
        self._folder = tempfile.TemporaryDirectory()

    @classmethod
    def of_texts(cls, model: tf.keras.Model, *, length: int | None = None) -> Converter:
        """Of a functional model with inputs ids, mask, segment_ids (int32 `[batch, length]`). The outputs are named as the keys of a model that gives a
        dictionary, or as the one output layer.

        Args:
            length: a fixed number of tokens for a batch of one; None: both dimensions stay dynamic.
        """
        shape = (None, None) if length is None else (1, length)

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.int32, name=name) for name in ("ids", "mask", "segment_ids")])
        def run(ids, mask, segment_ids):
            outputs = model({"ids": ids, "mask": mask, "segment_ids": segment_ids}, training=False)
            return outputs if isinstance(outputs, dict) else {model.output_names[0]: outputs}

        return cls(run, model.variables)

    def __enter__(self) -> Converter:
        module = tf.Module()
        module.run = self._run
        module.weights = self._variables  # not the model: Keras would trace every layer once more, which takes longer than the conversion
        try:
            with quiet():
                tf.saved_model.save(module, self._folder.name, signatures={"serving_default": self._run})
        except (tf.errors.OpError, OSError) as error:
            raise TfarchError(f"{self._folder.name}: the model could not be written: {str(error).splitlines()[0]}") from error
        return self

    def __exit__(self, *_) -> None:
        self._folder.cleanup()

    def convert(
        self,
        variant: str,
        texts: Sequence[Mapping[str, np.ndarray]] = (),
        calibration: Calibration = "min_max",
        keep_float: Sequence[str] = (),
    ) -> bytes:
        """The file of one of `VARIANTS`.

        Args:
            texts, calibration: what `static_int8` fixes the ranges of activations by.
            keep_float: patterns of the layers whose weights stay float in a `dynamic_int8` or `weight_only_int8` file.

        Raises:
            InputError: unknown variant, or none of the texts that it needs.
            TfarchError: the model holds an operation that TFLite's own set lacks; names it.
        """
        if variant not in VARIANTS:
            raise unknown("variant", variant, VARIANTS)
        if variant == STATIC:
            if not texts:
                raise InputError("static_int8 needs texts that fix the ranges of activations", mend="train again: this run kept none")
            return static_int8(self.plain("float32"), texts, calibration)
        if variant in (DYNAMIC, WEIGHT_ONLY):
            whole = self.plain("float32")
            body = with_steps_of_rows(self.plain(DYNAMIC), whole)
            if keep_float:
                body = with_float_weights(body, whole, keep_float)
            body = with_fewer_operators(body)
            return body if variant == DYNAMIC else with_weights_alone_rounded(body)
        return with_fewer_operators(self.plain(variant))

    def plain(self, variant: str) -> bytes:
        """The file as TensorFlow's converter makes it, see `convert`."""
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
