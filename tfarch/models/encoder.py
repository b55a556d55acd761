"""The bodies of the models, as functional graphs of plain layers: (ids, mask, segment_ids) in, one vector for each text out.

One `Dense` each for query, key, value, attention output, feed-forward in and out: TF-MOT has rules for `Dense` alone, and TFLite runs each as one
FULLY_CONNECTED. Nothing is nested or subclassed.
"""

from __future__ import annotations

import tensorflow as tf

from tfarch.models import layers
from tfarch.models.spec import AveragedSpec, EncoderSpec, Spec


def text_inputs() -> dict[str, tf.Tensor]:
    """The three symbolic inputs, int32 `[batch, length]`: ids, mask (1 token, 0 padding), segment_ids."""
    return {name: tf.keras.Input((None,), dtype=tf.int32, name=name) for name in ("ids", "mask", "segment_ids")}


def body(spec: Spec, inputs: dict[str, tf.Tensor], *, dropout: float = 0.0, attention_dropout: float = 0.0, seed: int = 0) -> tf.Tensor:
    """The text vector `[batch, width]` of the structure that `spec` describes."""
    if isinstance(spec, AveragedSpec):
        states = tf.keras.layers.Embedding(spec.vocabulary, spec.width, name="token_embedding")(inputs["ids"])
        return _scaled(spec, layers.MeanPooling(name="pooling")([states, inputs["mask"]]))
    states = token_states(spec, inputs, dropout=dropout, attention_dropout=attention_dropout, seed=seed)
    return _pooled(spec, states, inputs["mask"])


def upper_body(
    spec: EncoderSpec,
    states: tf.Tensor,
    mask: tf.Tensor,
    below: int,
    *,
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    seed: int = 0,
) -> tf.Tensor:
    """The text vector `[batch, width]` from what the first `below` layers gave (see `token_states`)."""
    flat = layers.FlatTokens(name="flat_tokens")(states)
    flat = _layers(spec, flat, mask, range(below, spec.layers), dropout, attention_dropout, seed)
    return _pooled(spec, layers.TextTokens(name="text_tokens")([flat, mask]), mask)


def token_states(
    spec: EncoderSpec,
    inputs: dict[str, tf.Tensor],
    *,
    until: int | None = None,
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    seed: int = 0,
) -> tf.Tensor:
    """The states `[batch, length, width]` of a post-norm encoder (Devlin et al. 2019) after its first `until` layers; None: after all."""
    normal = tf.keras.initializers.TruncatedNormal

    tokens = tf.keras.layers.Embedding(spec.vocabulary, spec.width, embeddings_initializer=normal(stddev=0.02), name="token_embedding")(
        inputs["ids"]
    )
    segments = tf.keras.layers.Embedding(spec.segments, spec.width, embeddings_initializer=normal(stddev=0.02), name="segment_embedding")
    positions = layers.PositionEmbedding(spec.positions, name="position_embedding")(tokens)
    states = tf.keras.layers.Add(name="embedding_sum")([tokens, segments(inputs["segment_ids"]), positions])
    states = layers.FlatTokens(name="flat_tokens")(states)
    states = _drop(_norm(spec, "embedding_norm")(states), dropout, "embedding_dropout", seed * 131 + 1)
    states = _layers(spec, states, inputs["mask"], range(spec.layers if until is None else until), dropout, attention_dropout, seed)
    return layers.TextTokens(name="text_tokens")([states, inputs["mask"]])


def _layers(
    spec: EncoderSpec, states: tf.Tensor, mask: tf.Tensor, which: range, dropout: float, attention_dropout: float, seed: int
) -> tf.Tensor:
    """Some of the layers, on states `[batch * length, width]`."""

    def dense(width: int, name: str, activation=None):
        initial = tf.keras.initializers.TruncatedNormal(stddev=0.02)
        return tf.keras.layers.Dense(width, activation=activation, kernel_initializer=initial, name=name)

    for index in which:
        prefix, heads = f"layer_{index}", spec.heads[index]
        projected = [dense(heads * spec.head_width, f"{prefix}_{role}")(states) for role in ("query", "key", "value")]
        attention = layers.SelfAttention(heads, attention_dropout, seed=seed * 131 + 10 * index + 2, name=f"{prefix}_attention")
        attended = dense(spec.width, f"{prefix}_attention_output")(attention([*projected, mask]))
        attended = _drop(attended, dropout, f"{prefix}_attention_dropout", seed * 131 + 10 * index + 3)
        states = _norm(spec, f"{prefix}_attention_norm")(tf.keras.layers.Add(name=f"{prefix}_attention_sum")([states, attended]))
        hidden = dense(spec.feed_forward[index], f"{prefix}_feed_forward_in", layers.gelu(spec.gelu))(states)
        hidden = dense(spec.width, f"{prefix}_feed_forward_out")(hidden)
        hidden = _drop(hidden, dropout, f"{prefix}_feed_forward_dropout", seed * 131 + 10 * index + 4)
        states = _norm(spec, f"{prefix}_feed_forward_norm")(tf.keras.layers.Add(name=f"{prefix}_feed_forward_sum")([states, hidden]))
    return states


def _pooled(spec: EncoderSpec, states: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    pooling = layers.MeanPooling if spec.pooling == "mean" else layers.FirstToken
    return _scaled(spec, pooling(name="pooling")([states, mask]))


def _scaled(spec: Spec, vector: tf.Tensor) -> tf.Tensor:
    return layers.UnitVector(name="unit_vector")(vector) if spec.unit_vectors else vector


def _norm(spec: EncoderSpec, name: str) -> tf.keras.layers.LayerNormalization:
    return tf.keras.layers.LayerNormalization(epsilon=spec.norm_epsilon, name=name)


def _drop(tensor: tf.Tensor, rate: float, name: str, seed: int) -> tf.Tensor:
    return layers.Dropout(rate, seed=seed, name=name)(tensor) if rate else tensor
