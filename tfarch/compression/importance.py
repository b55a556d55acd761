"""What an attention head or a feed-forward neuron is worth: by its weights, or by what the loss says of it.

Each is thought to have a gate of 1 that its output is multiplied by; a text's slope is the derivative of its loss by that gate, the sum over tokens and dimensions of
output * d loss / d output. Closing the gate takes the group out, so that to first order the loss of the text changes by minus the slope, and by the empirical Fisher
information, which stands for the second derivative, the expected loss rises by half the mean square of the slopes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import tensorflow as tf

from tfarch.compression.recipe import Criterion
from tfarch.data.batches import Examples, plan_in_order
from tfarch.errors import unknown
from tfarch.models.spec import EncoderSpec
from tfarch.training.objectives import Objective

# magnitude: the length of the group's weights (Li et al. 2017). gradient: the mean absolute slope (Michel et al. 2019; Molchanov et al. 2019, first order).
# information: half the mean square of the slopes (Theis et al. 2018; Kwon et al. 2022).
CRITERIA = get_args(Criterion)


@dataclass(frozen=True)
class Importance:
    """heads, neurons: of each layer, float64 `[heads]` and `[feed_forward]`; more is worth more, across layers too."""

    heads: tuple[np.ndarray, ...]
    neurons: tuple[np.ndarray, ...]


def importance(
    criterion: str, model: tf.keras.Model, spec: EncoderSpec, examples: Examples, objective: Objective, *, batch_size: int = 32
) -> Importance:
    """What the heads and neurons of a classifier (`build_classifier`) are worth.

    Args:
        criterion: of `CRITERIA`.
        examples: texts with targets that the slopes are taken on; each counts by its weight. Of no use for `magnitude`.
        objective: gives a loss for each text, `[batch]` or `[batch, tasks]`.

    Raises:
        InputError: unknown criterion.
    """
    if criterion not in CRITERIA:
        raise unknown("criterion", criterion, CRITERIA)
    if criterion == "magnitude":
        return _of_weights(spec, {layer.name: layer.get_weights() for layer in model.layers if isinstance(layer, tf.keras.layers.Dense)})
    power = {"gradient": 1, "information": 2}[criterion]
    sums = [np.zeros(size) for size in (*spec.heads, *spec.feed_forward)]
    run = _slopes(model, spec, objective, examples)
    for batch in plan_in_order(examples.lengths, batch_size):
        for total, slopes in zip(sums, run(examples.batch(batch, 1.0)), strict=True):
            total += (np.abs(slopes.numpy().astype(np.float64)) ** power).sum(axis=0)
    share = 1.0 / (power * max(1, len(examples)))
    return Importance(tuple(share * each for each in sums[: spec.layers]), tuple(share * each for each in sums[spec.layers :]))


def _of_weights(spec: EncoderSpec, dense: Mapping[str, Sequence[np.ndarray]]) -> Importance:
    heads, neurons = [], []
    for layer, (count, _) in enumerate(zip(spec.heads, spec.feed_forward, strict=True)):
        kernels = {
            role: dense[f"layer_{layer}_{role}"][0].astype(np.float64)
            for role in ("query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_out")
        }
        squares = sum((kernels[role] ** 2).sum(axis=0) for role in ("query", "key", "value")) + (kernels["attention_output"] ** 2).sum(
            axis=1
        )
        heads.append(np.sqrt(squares.reshape(count, -1).sum(axis=1)))
        neurons.append(np.sqrt((kernels["feed_forward_in"] ** 2).sum(axis=0) + (kernels["feed_forward_out"] ** 2).sum(axis=1)))
    return Importance(tuple(heads), tuple(neurons))


def _slopes(model: tf.keras.Model, spec: EncoderSpec, objective: Objective, examples: Examples):
    """A function of a batch's tensors: the slopes of each text by the gates of each layer's heads, `[batch, heads]`, then of its neurons, `[batch, feed_forward]`."""
    roles = [
        *(f"layer_{layer}_attention" for layer in range(spec.layers)),
        *(f"layer_{layer}_feed_forward_in" for layer in range(spec.layers)),
    ]
    opened = tf.keras.Model(model.input, [model.output, *(model.get_layer(name).output for name in roles)])
    groups = (*spec.heads, *spec.feed_forward)
    signature = {name: tf.TensorSpec(shape, kind) for name, (shape, kind) in examples.signature().items()}

    @tf.function(input_signature=[signature])
    def run(batch):
        shape = tf.shape(batch["mask"])
        with tf.GradientTape() as tape:
            logits, *outputs = opened({name: batch[name] for name in ("ids", "mask", "segment_ids")}, training=False)
            loss = tf.reduce_sum(objective(logits, batch["targets"]) * batch["weights"])
        found = []
        for output, slope, count in zip(outputs, tape.gradient(loss, outputs), groups, strict=True):
            products = tf.reshape(output * slope, [shape[0], shape[1], count, output.shape[-1] // count])
            found.append(tf.reduce_sum(products, axis=[1, 3]))
        return found

    return run


def best(scores: Sequence[np.ndarray], share: float, *, across: bool, least: int = 1, multiple: int = 1) -> list[np.ndarray]:
    """Which groups of each layer stay, bool of the shapes of `scores`: those worth most.

    Args:
        share: of all groups that stay, 0 to 1.
        across: all layers compete for one budget; else each keeps the same share of its own.
        least: groups that stay in a layer whatever they are worth, at most all of it.
        multiple: what the number of groups of each layer is rounded up to.
    """
    if across:
        every = np.sort(np.concatenate(scores))[::-1]
        bar = every[min(len(every), max(1, round(share * len(every)))) - 1]
        counts = [int((each >= bar).sum()) for each in scores]
    else:
        counts = [round(share * len(each)) for each in scores]
    kept = []
    for each, count in zip(scores, counts, strict=True):
        count = -(-max(count, least) // multiple) * multiple
        mask = np.zeros(len(each), bool)
        mask[np.argsort(-each, kind="stable")[:count]] = True
        kept.append(mask)
    return kept
