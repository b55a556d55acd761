"""The interest model: a tower for items' texts, a tower for users' histories, and how near a user's state is to what he takes next.

A user is a function of his history alone, and an item of its text, with what its id adds where it has events: neither a new user nor a new item needs training.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import tensorflow as tf

from tfarch.models import interest_layers as layers
from tfarch.models.encoder import body, text_inputs, upper_body
from tfarch.models.spec import Spec
from tfarch.runtime.signature import VECTOR

USER_TOWERS = ("mean", "attention")


@dataclass(frozen=True)
class InterestSpec:
    """Structure of an interest model.

    encoder: of the items' texts.
    below: the encoder's lower layers that stay as they are: the model is given their states instead of tokens (see `tfarch.data.states`). None: it reads tokens.
    width: of the vectors of items and users.
    user_tower: `mean`: the fading mean of the history; `attention`: that and what a layer of causal self-attention adds.
    heads: of that layer.
    behaviours: how many there are.
    ids: items that have vectors of their own beside their texts', numbered from 0; 0: none has.
    objective: `next`: what comes next, among all; `match`: whether the user wants an item that he comes upon.
    """

    encoder: Spec
    below: int | None = None
    width: int = 64
    user_tower: Literal["mean", "attention"] = "mean"
    heads: int = 2
    behaviours: int = 1
    ids: int = 0
    objective: Literal["next", "match"] = "next"


def item_vectors(
    spec: InterestSpec, inputs: dict[str, tf.Tensor], items: tf.Tensor | None, *, dropout: float = 0.0, seed: int = 0
) -> tf.Tensor:
    """Vectors of length 1, float32 `[items, width]`, of texts (see `item_inputs`) and, where items have vectors of their own, item numbers int32 `[items]`."""
    if spec.below is None:
        vectors = body(spec.encoder, inputs, dropout=dropout, seed=seed)
    else:
        states = layers.AsComputed(name="states_below")(inputs["states"])
        vectors = upper_body(spec.encoder, states, inputs["mask"], spec.below, dropout=dropout, seed=seed)
    vectors = _dense(spec.width, "item_projection")(vectors)
    if spec.ids:
        vectors = layers.GatedIds(spec.ids, name="item_ids")([vectors, items])
    return layers.UnitLength(dtype=tf.float32, name="item_vectors")(vectors)


def item_inputs(spec: InterestSpec) -> dict[str, tf.Tensor]:
    """What an item's text is given as: tokens (see `text_inputs`), or states `[batch, length, width of the encoder]` and their mask `[batch, length]`."""
    if spec.below is None:
        return text_inputs()
    states = tf.keras.Input((None, spec.encoder.width), dtype=tf.float16, name="states")
    return {"states": states, "mask": tf.keras.Input((None,), dtype=tf.int32, name="mask")}


def user_states(spec: InterestSpec, vectors: tf.Tensor, history: tf.Tensor, behaviours: tf.Tensor, amounts: tf.Tensor) -> tf.Tensor:
    """After each event a vector of length 1, float32 `[rows, events, width]`.

    Args:
        vectors: of items, `[items, width]`.
        history: which of them each event is of, int32 `[rows, events]`, -1 for padding.
        behaviours, amounts: of the events, int32 and float32 of the same shape.
    """
    events = layers.HistoryVectors(name="history_vectors")([vectors, history])
    weights = layers.EventWeights(spec.behaviours, dtype=tf.float32, name="event_weights")([history, behaviours, amounts])
    states = layers.FadingMean(dtype=tf.float32, name="fading_mean")([events, weights])
    if spec.user_tower == "attention":
        projected = [_dense(spec.width, f"history_{role}")(events) for role in ("query", "key", "value")]
        attended = layers.CausalAttention(spec.heads, name="history_attention")([*projected, history])
        added = _dense(spec.width, "history_output", "zeros")(attended)  # the mean alone at first
        states = tf.keras.layers.Add(dtype=tf.float32, name="history_sum")([states, added])
    return layers.UnitLength(dtype=tf.float32, name="user_states")(states)


def build_interest(spec: InterestSpec, items: int, *, dropout: float = 0.0, temperature: float = 0.1, seed: int = 0) -> tf.keras.Model:
    """The model that is trained: the tensors of `ItemSequences` in, float32 logits `[1, rows, events, items of the batch]` of what comes next, or of whether each is wanted, out.

    Args:
        items: of the whole catalogue.
    """
    cube = (None, None)
    texts = item_inputs(spec)
    inputs = {
        **{name: tf.keras.Input((None, *tensor.shape[1:]), dtype=tensor.dtype, name=name) for name, tensor in texts.items()},
        "items": tf.keras.Input((None,), dtype=tf.int32, name="items"),
        **{name: tf.keras.Input(cube, dtype=tf.int32, name=name) for name in ("history", "behaviours", "targets")},
        "amounts": tf.keras.Input(cube, dtype=tf.float32, name="amounts"),
        "had": tf.keras.Input(cube, dtype=tf.bool, name="had"),
    }
    own = {name: layers.OneReplica(name=f"own_{name}", dtype=tensor.dtype)(tensor) for name, tensor in inputs.items()}
    vectors = item_vectors(spec, {name: own[name] for name in texts}, own["items"], dropout=dropout, seed=seed)
    states = user_states(spec, vectors, own["history"], own["behaviours"], own["amounts"])
    if spec.objective == "match":
        odds = layers.MatchLogits(dtype=tf.float32, name="match")([states, vectors, own["items"], own["had"], own["targets"]])
        return tf.keras.Model(inputs, odds, name="interest")
    log_q = layers.SamplingLogits(items, dtype=tf.float32, name="sampling")(own["items"])
    logits = layers.NextItemLogits(temperature, dtype=tf.float32, name="next_item")
    return tf.keras.Model(inputs, logits([states, vectors, log_q, own["items"], own["had"], own["targets"]]), name="interest")


def item_tower(spec: InterestSpec) -> tf.keras.Model:
    """Texts and item numbers (`items` int32 `[batch]`, -1 where there is none) in, vectors out; its weights are named as those of `build_interest`."""
    inputs = {**item_inputs(spec), "items": tf.keras.Input((), dtype=tf.int32, name="items")}
    return tf.keras.Model(inputs, item_vectors(spec, inputs, inputs["items"]), name="item_tower")


def text_tower(spec: InterestSpec) -> tf.keras.Model:
    """Texts (see `text_inputs`) in, `text_vector` out: the vectors of items of which only their texts are known. It has the whole encoder, whose weights are
    named as those of `build_interest` and of what is below it."""
    inputs = text_inputs()
    vectors = item_vectors(dataclasses.replace(spec, below=None, ids=0), inputs, None)
    return tf.keras.Model(inputs, {VECTOR: vectors}, name="text_tower")


def _dense(width: int, name: str, kernel: str = "glorot_uniform") -> tf.keras.layers.Dense:
    return tf.keras.layers.Dense(width, use_bias=False, kernel_initializer=kernel, name=name)
