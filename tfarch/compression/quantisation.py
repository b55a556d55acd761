"""Quantisation-aware training whose grid is the converter's: int8, symmetric, one scale per output channel, zero point 0.

TF-MOT's own rule for `Dense` is per tensor and also rounds activations. The dynamic-range file keeps float activations and has per-channel weights,
so only kernels are rounded here, by their range of the moment: no range is stored, none has to be learnt before the first inference is right,
and none lags behind the last update. The converter refuses the per-channel fake-quantised graph (its transpose finds mismatched axes): the trained
kernels are copied into the plain model, which the converter rounds to the very same grid.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot

from tfarch.compression.pruning import chosen_layers
from tfarch.compression.recipe import QuantisationAware
from tfarch.models.layers import gelu_tanh

_quantisation = tfmot.quantization.keras
_Transformer = _quantisation.graph_transformations.model_transformer.ModelTransformer


@tf.custom_gradient
def rounded(kernel: tf.Tensor):
    """A float32 kernel `[in, out]` rounded to -127 ... 127 times the scale max|w| / 127 of each output.

    Gradients pass straight through (Bengio et al. 2013), also for the largest weights, which TensorFlow's own gradient may hold to be clipped.
    """
    most = tf.reduce_max(tf.abs(kernel), axis=0)
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -most, most, num_bits=8, narrow_range=True
    ), lambda upstream: upstream


class PerChannel(_quantisation.quantizers.Quantizer):
    """`rounded` as TF-MOT calls it."""

    def build(self, tensor_shape, name, layer):
        return {}  # nothing is stored

    def __call__(self, inputs, training, weights, **kwargs):
        return rounded(tf.convert_to_tensor(inputs))

    def get_config(self):
        return {}


class KernelPerChannel(_quantisation.QuantizeConfig):
    """TF-MOT's rule for a `Dense` layer here: its kernel on an int8 grid per output channel, nothing else."""

    def get_weights_and_quantizers(self, layer):
        return [(layer.kernel, PerChannel())]

    def get_activations_and_quantizers(self, layer):
        return []

    def set_quantize_weights(self, layer, quantize_weights):
        layer.kernel = quantize_weights[0]

    def set_quantize_activations(self, layer, quantize_activations):
        pass  # there are none

    def get_output_quantizers(self, layer):
        return []

    def get_config(self):
        return {}


class _AsItIs(_quantisation.default_8bit.Default8BitQuantizeScheme):
    """TF-MOT's scheme without its changes of the graph: by itself it would round a model's float inputs too."""

    def get_layout_transformer(self):
        return self

    def apply(self, model, layer_quantize_map):
        # Without transforms too it builds the layers anew, by which weights have their plain names.
        return _Transformer(model, [], set(layer_quantize_map), layer_quantize_map).transform()


def with_quantisation(model: tf.keras.Model, stage: QuantisationAware) -> tf.keras.Model:
    """A copy of `model` whose chosen `Dense` kernels are rounded in the forward pass, see `rounded`."""
    chosen = set(chosen_layers(model, stage.layers))

    def annotate(layer):
        if layer.name not in chosen:
            return layer
        return _quantisation.quantize_annotate_layer(layer, KernelPerChannel())

    known = {type(layer).__name__: type(layer) for layer in model.layers}
    with _quantisation.quantize_scope({**known, "gelu_tanh": gelu_tanh, "KernelPerChannel": KernelPerChannel}):
        annotated = tf.keras.models.clone_model(model, clone_function=annotate)
        return _quantisation.quantize_apply(annotated, scheme=_AsItIs())


def weights_of_quantised(model: tf.keras.Model) -> dict[str, np.ndarray]:
    """The float weights of a model from `with_quantisation`, by the names of the plain one; TF-MOT's counters are left out."""
    weights = {}
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)  # the wrapper keeps the Dense layer it wraps
        for variable in inner.weights:
            if variable.dtype.is_floating:
                weights[f"{inner.name}/{variable.name.rsplit('/', 1)[-1].split(':')[0]}"] = variable.numpy()
        for variable in layer.trainable_weights:  # the wrapped kernel is the wrapper's own variable
            weights[f"{inner.name}/{variable.name.rsplit('/', 1)[-1].split(':')[0]}"] = variable.numpy()
    return weights
