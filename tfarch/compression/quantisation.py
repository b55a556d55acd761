"""Quantisation-aware training whose grid is the converter's: int8, symmetric, one scale per output channel, zero point 0.

TF-MOT's own rule for `Dense` is per tensor and also rounds activations. The dynamic-range file keeps float activations and has per-channel weights,
so only kernels are rounded here. The converter refuses the per-channel fake-quantised graph (its transpose finds mismatched axes): the trained
kernels are copied into the plain model, which the converter rounds to the very same grid.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot

from tfarch.compression.pruning import chosen_layers
from tfarch.compression.recipe import QuantisationAware
from tfarch.models import layers as own_layers

_quantisation = tfmot.quantization.keras
_OWN = {
    layer.__name__: layer
    for layer in (own_layers.SelfAttention, own_layers.PositionEmbedding, own_layers.MeanPooling, own_layers.FirstToken, own_layers.Dropout)
} | {"gelu_tanh": own_layers.gelu_tanh}


class KernelPerChannel(_quantisation.QuantizeConfig):
    """TF-MOT's rule for a `Dense` layer here: its kernel on an int8 grid per output channel, nothing else."""

    def __init__(self, bits: int = 8):
        self.bits = bits
        self._quantizer = _quantisation.quantizers.LastValueQuantizer(num_bits=bits, per_axis=True, symmetric=True, narrow_range=True)

    def get_weights_and_quantizers(self, layer):
        return [(layer.kernel, self._quantizer)]

    def get_activations_and_quantizers(self, layer):
        return []

    def set_quantize_weights(self, layer, quantize_weights):
        layer.kernel = quantize_weights[0]

    def set_quantize_activations(self, layer, quantize_activations):
        pass  # there are none

    def get_output_quantizers(self, layer):
        return []

    def get_config(self):
        return {"bits": self.bits}


def with_quantisation(model: tf.keras.Model, stage: QuantisationAware) -> tf.keras.Model:
    """A copy of `model` whose chosen `Dense` kernels are rounded in the forward pass; gradients pass straight through (Bengio et al. 2013)."""
    chosen = set(chosen_layers(model, stage.layers))

    def annotate(layer):
        if layer.name not in chosen:
            return layer
        return _quantisation.quantize_annotate_layer(layer, KernelPerChannel(stage.bits))

    with _quantisation.quantize_scope({**_OWN, "KernelPerChannel": KernelPerChannel}):
        annotated = tf.keras.models.clone_model(model, clone_function=annotate)
        return _quantisation.quantize_apply(annotated)


def weights_of_quantised(model: tf.keras.Model) -> dict[str, np.ndarray]:
    """The float weights of a model from `with_quantisation`, by the names of the plain one; ranges and steps are left out."""
    weights = {}
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)  # the wrapper keeps the Dense layer it wraps
        for variable in inner.weights:
            if variable.dtype.is_floating:
                weights[f"{inner.name}/{variable.name.rsplit('/', 1)[-1].split(':')[0]}"] = variable.numpy()
        for variable in layer.trainable_weights:  # the wrapped kernel is the wrapper's own variable
            weights[f"{inner.name}/{variable.name.rsplit('/', 1)[-1].split(':')[0]}"] = variable.numpy()
    return weights


def rounded(kernel: np.ndarray, bits: int = 8) -> np.ndarray:
    """The float values of `kernel` `[in, out]` on its per-channel grid: scale = max|w| / (2^(bits-1) - 1) for each output."""
    most = 2 ** (bits - 1) - 1
    scale = np.abs(kernel).max(axis=0, keepdims=True) / most
    return np.round(kernel / np.where(scale == 0, 1, scale)).clip(-most, most) * scale
