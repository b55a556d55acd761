"""Slimming: attention heads, feed-forward neurons and whole layers are taken out of an encoder, and what is left is an ordinary encoder of a smaller spec.

A pruned weight stays in the file as a zero and is multiplied all the same. What is taken out here is gone: the file is smaller and every product with it shorter
(structured pruning; Michel et al. 2019 for heads, McCarley et al. 2019 for neurons, Sajjad et al. 2023 for layers).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tfarch.models.spec import EncoderSpec

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Kept:
    """What stays of an encoder.

    layers: their numbers, rising.
    heads, neurons: of each of these layers, the numbers of its attention heads and of its feed-forward neurons, rising; one of each at least.

    Raises:
        ValueError: there is not a list for each layer, a list is empty, or a number is out of order.
    """

    layers: tuple[int, ...]
    heads: tuple[tuple[int, ...], ...]
    neurons: tuple[tuple[int, ...], ...]

    def __post_init__(self):
        if not len(self.layers) == len(self.heads) == len(self.neurons):
            raise ValueError(f"{len(self.layers)} layers, heads of {len(self.heads)} and neurons of {len(self.neurons)}")
        for numbers in (self.layers, *self.heads, *self.neurons):
            if not numbers or any(one >= other for one, other in itertools.pairwise(numbers)) or numbers[0] < 0:
                raise ValueError(f"expected rising numbers, one at least, not {numbers}")

    @classmethod
    def all_of(cls, spec: EncoderSpec) -> Kept:
        """Everything."""
        return cls.of_layers(spec, range(spec.layers))

    @classmethod
    def of_layers(cls, spec: EncoderSpec, numbers: Sequence[int]) -> Kept:
        """Some layers, whole, by their numbers from 0, or from -1, which is the last one, backwards.

        Raises:
            ValueError: one is not there, or they do not rise.
        """
        layers = [each if each >= 0 else spec.layers + each for each in numbers]
        if any(each >= spec.layers for each in layers):
            raise ValueError(f"{spec.layers} layers, not {numbers}")
        return cls(tuple(layers), *(tuple(tuple(range(counts[each])) for each in layers) for counts in (spec.heads, spec.feed_forward)))

    @classmethod
    def by_masks(cls, heads: list[np.ndarray], neurons: list[np.ndarray], layers: tuple[int, ...] | None = None) -> Kept:
        """From bools, True for what stays: heads `[heads]` and neurons `[neurons]` of each layer; `layers`: those that stay, all where it is None."""
        kept = tuple(range(len(heads))) if layers is None else layers
        return cls(kept, *(tuple(tuple(np.flatnonzero(masks[layer]).tolist()) for layer in kept) for masks in (heads, neurons)))


def slimmed_spec(spec: EncoderSpec, kept: Kept) -> EncoderSpec:
    """The encoder that is left."""
    return dataclasses.replace(spec, heads=tuple(map(len, kept.heads)), feed_forward=tuple(map(len, kept.neurons)))


def slimmed(spec: EncoderSpec, weights: Weights, kept: Kept) -> dict[str, np.ndarray]:
    """The weights of `slimmed_spec(spec, kept)`, of a model with these weights by name; what is not of a layer (tables, heads of tasks) stays as it is.

    An encoder with these weights answers as the whole one does whose other heads and neurons are silent and whose other layers are passed over.
    """
    found = {name: value for name, value in weights.items() if not name.startswith("layer_")}
    for place, (layer, heads, neurons) in enumerate(zip(kept.layers, kept.heads, kept.neurons, strict=True)):
        columns = (np.array(heads)[:, None] * spec.head_width + np.arange(spec.head_width)).ravel()
        axes = {
            **{f"{role}/{part}": (columns, -1) for role in ("query", "key", "value") for part in ("kernel", "bias")},
            "attention_output/kernel": (columns, 0),
            "feed_forward_in/kernel": (np.array(neurons), -1),
            "feed_forward_in/bias": (np.array(neurons), -1),
            "feed_forward_out/kernel": (np.array(neurons), 0),
        }
        before = f"layer_{layer}_"
        for name, value in weights.items():
            if name.startswith(before):
                part = name.removeprefix(before)
                found[f"layer_{place}_{part}"] = np.take(value, *axes[part]) if part in axes else value
    return found
