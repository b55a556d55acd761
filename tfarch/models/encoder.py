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
        return layers.MeanPooling(name="pooling")([states, inputs["mask"]])
    states = token_states(spec, inputs, dropout=dropout, attention_dropout=attention_dropout, seed=seed)
    pooling = layers.MeanPooling if spec.pooling == "mean" else layers.FirstToken
    vector = pooling(name="pooling")([states, inputs["mask"]])
    return layers.UnitVector(name="unit_vector")(vector) if spec.unit_vectors else vector


def token_states(
    spec: EncoderSpec, inputs: dict[str, tf.Tensor], *, dropout: float = 0.0, attention_dropout: float = 0.0, seed: int = 0
) -> tf.Tensor:
    """The last layer's states `[batch, length, width]` of a post-norm encoder (Devlin et al. 2019)."""
    normal = tf.keras.initializers.TruncatedNormal

    def dense(width: int, name: str, activation=None):
        return tf.keras.layers.Dense(width, activation=activation, kernel_initializer=normal(stddev=0.02), name=name)

    def norm(name: str):
        return tf.keras.layers.LayerNormalization(epsilon=spec.norm_epsilon, name=name)

    def drop(tensor, name: str, number: int):
        return layers.Dropout(dropout, seed=seed * 131 + number, name=name)(tensor) if dropout else tensor

    # embeddings
    tokens = tf.keras.layers.Embedding(spec.vocabulary, spec.width, embeddings_initializer=normal(stddev=0.02), name="token_embedding")(
        inputs["ids"]
    )
    segments = tf.keras.layers.Embedding(spec.segments, spec.width, embeddings_initializer=normal(stddev=0.02), name="segment_embedding")
    positions = layers.PositionEmbedding(spec.positions, name="position_embedding")(tokens)
    states = tf.keras.layers.Add(name="embedding_sum")([tokens, segments(inputs["segment_ids"]), positions])
    states = layers.FlatTokens(name="flat_tokens")(states)
    states = drop(norm("embedding_norm")(states), "embedding_dropout", 1)

    # layers
    for index, (heads, feed_forward) in enumerate(zip(spec.heads, spec.feed_forward, strict=True)):
        prefix = f"layer_{index}"
        projected = [dense(heads * spec.head_width, f"{prefix}_{role}")(states) for role in ("query", "key", "value")]
        attention = layers.SelfAttention(heads, attention_dropout, seed=seed * 131 + 10 * index + 2, name=f"{prefix}_attention")
        attended = dense(spec.width, f"{prefix}_attention_output")(attention([*projected, inputs["mask"]]))
        attended = drop(attended, f"{prefix}_attention_dropout", 10 * index + 3)
        states = norm(f"{prefix}_attention_norm")(tf.keras.layers.Add(name=f"{prefix}_attention_sum")([states, attended]))
        hidden = dense(feed_forward, f"{prefix}_feed_forward_in", layers.gelu(spec.gelu))(states)
        hidden = drop(dense(spec.width, f"{prefix}_feed_forward_out")(hidden), f"{prefix}_feed_forward_dropout", 10 * index + 4)
        states = norm(f"{prefix}_feed_forward_norm")(tf.keras.layers.Add(name=f"{prefix}_feed_forward_sum")([states, hidden]))
    return layers.TextTokens(name="text_tokens")([states, inputs["mask"]])
