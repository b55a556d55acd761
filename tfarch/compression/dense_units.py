"""Units of `Dense` layers taken out of any functional model: the layer loses columns, and what reads it the rows that multiplied them.

A layer may lose units where all that reads it, through layers that keep each unit to itself, are further `Dense` layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfarch.models.weights import get_weights, set_weights

_layers = tf.keras.layers
_KEEPING = (  # each unit to itself
    _layers.Activation,
    _layers.ReLU,
    _layers.LeakyReLU,
    _layers.PReLU,
    _layers.ELU,
    _layers.ThresholdedReLU,
    _layers.Dropout,
    _layers.GaussianDropout,
    _layers.GaussianNoise,
    _layers.AlphaDropout,
    _layers.BatchNormalization,
)


@dataclass(frozen=True)
class Chain:
    """A layer that may lose units.

    between: names of the layers that its output goes through; readers: of the `Dense` layers that multiply it then.
    """

    name: str
    units: int
    between: tuple[str, ...]
    readers: tuple[str, ...]


def chains(model: tf.keras.Model) -> list[Chain]:
    """The `Dense` layers of a functional model that may lose units, in its order."""
    nodes = {id(node) for nodes in model._nodes_by_depth.values() for node in nodes}

    def readers_of(layer) -> list:
        return [node.outbound_layer for node in layer.outbound_nodes if id(node) in nodes]

    def once(layer) -> bool:
        return sum(id(node) in nodes for node in layer.inbound_nodes) == 1

    found = []
    for layer in model.layers:
        if not isinstance(layer, _layers.Dense) or not once(layer) or layer.name in model.output_names:
            continue
        between, ends, waiting = [], [], readers_of(layer)
        while waiting:
            reader = waiting.pop()
            if not once(reader) or (reader.name in model.output_names and not isinstance(reader, _layers.Dense)):
                break
            if isinstance(reader, _layers.Dense):
                ends.append(reader.name)
            elif isinstance(reader, _KEEPING) and _softmax(reader) is False:
                between.append(reader.name)
                waiting += readers_of(reader)
            else:
                break
        else:
            if ends and not _softmax(layer):
                found.append(Chain(layer.name, layer.units, tuple(between), tuple(ends)))
    return found


def _softmax(layer) -> bool:
    """Whether its activation looks at all units together."""
    return getattr(layer, "activation", None) is tf.keras.activations.softmax


def by_magnitude(model: tf.keras.Model, found: list[Chain]) -> list[np.ndarray]:
    """What the units of each chain are worth: the length of the weights that make them and that read them, float64 `[units]`."""
    weights = {name: value.astype(np.float64) for name, value in get_weights(model).items()}
    worth = []
    for chain in found:
        squares = (weights[f"{chain.name}/kernel"] ** 2).sum(axis=0)
        for reader in chain.readers:
            squares += (weights[f"{reader}/kernel"] ** 2).sum(axis=1)
        worth.append(np.sqrt(squares))
    return worth


def without_units(model: tf.keras.Model, found: list[Chain], kept: list[np.ndarray]) -> tf.keras.Model:
    """The model with these units alone, as an ordinary smaller model.

    Args:
        kept: of each chain, bool `[units]`.
    """
    counts = {chain.name: int(mask.sum()) for chain, mask in zip(found, kept, strict=True)}

    def smaller(layer):
        config = layer.get_config()
        if layer.name in counts:
            config["units"] = counts[layer.name]
        return type(layer).from_config(config)

    weights = dict(get_weights(model))
    for chain, mask in zip(found, kept, strict=True):
        for name in (chain.name, *chain.between):
            for own in [each for each in weights if each.startswith(f"{name}/")]:
                weights[own] = weights[own][..., mask]
        for reader in chain.readers:
            weights[f"{reader}/kernel"] = weights[f"{reader}/kernel"][mask]
    left = tf.keras.models.clone_model(model, clone_function=smaller)
    set_weights(left, weights)
    return left
