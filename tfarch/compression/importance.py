"""What the attention heads and feed-forward neurons of an encoder are worth: by their weights, or by what the loss says of them; and which of them stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import tensorflow as tf

from tfarch.compression.recipe import Criterion
from tfarch.compression.slopes import worth_by_slopes
from tfarch.data.batches import Examples, plan_in_order
from tfarch.errors import unknown
from tfarch.models.spec import EncoderSpec
from tfarch.training.objectives import Objective

# magnitude: the length of the group's weights (Li et al. 2017). The others: see `tfarch.compression.slopes`.
CRITERIA = get_args(Criterion)


@dataclass(frozen=True)
class Importance:
    """heads, neurons: of each layer, float64 `[heads]` and `[feed_forward]`; more is worth more, across layers too."""

    heads: tuple[np.ndarray, ...]
    neurons: tuple[np.ndarray, ...]


def importance(
    criterion: str,
    model: tf.keras.Model,
    spec: EncoderSpec,
    examples: Examples,
    objective: Objective,
    *,
    batch_size: int = 32,
    learning_rate: float = 1e-4,
) -> Importance:
    """What the heads and neurons of a classifier (`build_classifier`) are worth.

    Args:
        criterion: of `CRITERIA`.
        examples: texts with targets that the slopes are taken on; each counts by its weight. Of no use for `magnitude`.
        objective: gives a loss for each text, `[batch]` or `[batch, tasks]`.
        learning_rate: at which `movement` trains on; the model has its weights again afterwards.

    Raises:
        InputError: unknown criterion.
    """
    if criterion not in CRITERIA:
        raise unknown("criterion", criterion, CRITERIA)
    if criterion == "magnitude":
        return _of_weights(spec, {layer.name: layer.get_weights() for layer in model.layers if isinstance(layer, tf.keras.layers.Dense)})
    groups = [(f"layer_{layer}_attention", heads) for layer, heads in enumerate(spec.heads)]
    groups += [(f"layer_{layer}_feed_forward_in", neurons) for layer, neurons in enumerate(spec.feed_forward)]

    def batches():
        for batch in plan_in_order(examples.lengths, batch_size):
            tensors = examples.batch(batch, 1.0)
            yield {name: tensors[name] for name in ("ids", "mask", "segment_ids")}, tensors["targets"], tensors["weights"]

    found = worth_by_slopes(criterion, model, groups, batches(), objective, learning_rate=learning_rate)
    return Importance(tuple(found[: spec.layers]), tuple(found[spec.layers :]))


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
