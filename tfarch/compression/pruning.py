"""Magnitude pruning through TF-MOT: wrapping, the step that its schedule needs, and the zeros that later stages must keep."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot

from tfarch.compression.recipe import Prune
from tfarch.compression.sparsity import ramp_of, share_out
from tfarch.errors import InputError
from tfarch.models.weights import named_variables
from tfarch.training.callbacks import Callback

_sparsity = tfmot.sparsity.keras


def chosen_layers(model: tf.keras.Model, patterns: list[str]) -> list[str]:
    """Names of the `Dense` layers that match one of the patterns.

    Raises:
        InputError: none does.
    """
    dense = [layer.name for layer in model.layers if isinstance(layer, tf.keras.layers.Dense)]
    chosen = [name for name in dense if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
    if not chosen:
        raise InputError(f"no layer matches {', '.join(patterns)}; the model's Dense layers: {', '.join(dense)}")
    return chosen


def with_pruning(model: tf.keras.Model, stage: Prune, steps: int) -> tf.keras.Model:
    """A copy of `model` whose chosen `Dense` layers are wrapped to be pruned over `steps` training batches. The weights stay those of `model`.

    TF-MOT counts the calls of a layer while training, from 1; masks change at calls that are a multiple of the frequency from the beginning.
    """
    chosen = set(chosen_layers(model, stage.layers))
    begin, end, frequency = ramp_of(stage, steps)
    if stage.schedule == "constant":
        schedule = _sparsity.ConstantSparsity(stage.sparsity, begin_step=begin + 1, frequency=stage.frequency)
    else:
        power = stage.power if stage.schedule == "polynomial" else 3
        schedule = _sparsity.PolynomialDecay(stage.initial_sparsity, stage.sparsity, begin, end, power=power, frequency=frequency)

    def wrap(layer):
        return _sparsity.prune_low_magnitude(layer, pruning_schedule=schedule) if layer.name in chosen else layer

    return tf.keras.models.clone_model(model, clone_function=wrap)


class UpdatePruningStep(Callback):
    """Starts TF-MOT's count of batches, where it does not come from a checkpoint, applies the masks after each update, and tells the `sparsity`.

    TF-MOT itself applies them in the forward pass before the update, and after the last update in a way that knows no strategy.
    """

    def begin(self, model, optimizer, steps, step):
        start = _sparsity.UpdatePruningStep()
        start.set_model(model)
        start.on_train_begin()
        self._pruned = start.prunable_layers

    def in_update(self):
        for layer in self._pruned:
            layer.pruning_obj.weight_mask_op()

    def after_update(self, step, values):
        values["sparsity"] = share_out([mask.numpy() for layer in self._pruned for _, mask, _ in layer.pruning_vars])


class HoldZeros(Callback):
    """Keeps the zeros of an earlier pruning stage: after each update the kernels are multiplied by their masks, inside the graph.

    Args:
        masks: 1 where a weight may live, by the kernel's name in the plain model.
    """

    def __init__(self, masks: dict[str, np.ndarray]):
        self.masks = masks

    def begin(self, model, optimizer, steps, step):
        self._held = []
        for variable in model.trainable_variables:
            mask = self.masks.get(variable.name.split(":")[0])
            if mask is not None:
                self._held.append((variable, tf.constant(mask, variable.dtype)))
        if len(self._held) != len(self.masks):
            raise InputError(f"{len(self.masks)} pruned kernels, but {len(self._held)} of them in the model")

    def in_update(self):
        def hold(strategy):
            for variable, mask in self._held:
                strategy.extended.update(variable, lambda each, mask: each.assign(each * mask), args=(mask,))

        # A variable that all replicas share is assigned by all of them together.
        tf.distribute.get_replica_context().merge_call(hold)


def zero_masks(weights: dict[str, np.ndarray], least: float = 0.01) -> dict[str, np.ndarray]:
    """Masks of the kernels in which at least the share `least` is exactly zero, by name."""
    kernels = {name: value != 0 for name, value in weights.items() if name.endswith("/kernel")}
    return {name: mask.astype(np.float32) for name, mask in kernels.items() if 1.0 - mask.mean() >= least}


def holding_zeros(weights: Mapping[str, np.ndarray]) -> list[Callback]:
    """What holds the zeros of an earlier stage, where there are any."""
    masks = zero_masks(dict(weights))
    return [HoldZeros(masks)] if masks else []


def stripped(model: tf.keras.Model) -> tf.keras.Model:
    """The plain model without TF-MOT's wrappers, masks and steps."""
    return _sparsity.strip_pruning(model)


def kernel_sparsity(weights: dict[str, np.ndarray], patterns: tuple[str, ...] = ("layer_*",)) -> float:
    """Share of exact zeros in the kernels whose names match."""
    chosen = [value for name, value in weights.items() if name.endswith("/kernel") and any(fnmatch.fnmatch(name, p) for p in patterns)]
    return float(sum((value == 0).sum() for value in chosen) / max(1, sum(value.size for value in chosen)))


def weights_of_pruned(model: tf.keras.Model) -> dict[str, np.ndarray]:
    """The weights of a wrapped model by the names of the plain one."""
    return {name: variable.numpy() for name, variable in named_variables(stripped(model)).items()}
