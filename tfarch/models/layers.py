"""The encoder's layers that hold no kernels: registered, so that TF-MOT can clone a model and Keras can read it back.

TF-MOT prunes and quantises `Dense`; everything else of the encoder is written so that it needs no rule: attention over already projected
queries, keys and values, masking, pooling, and dropout whose masks depend on nothing but a seed and a counter.
Masks are expanded with `tf.expand_dims`: indexing with `None` becomes a StridedSlice that TFLite cannot convert for dynamic lengths.
"""

from __future__ import annotations

import math

import tensorflow as tf

# Added to the scores of padded keys. Scores of -20 occur in small encoders that learned long: beside them -30 lets padding have a say, -100 does not. In float16 it is a number too, and
# files in integers have less (see `tfarch.export.static_int8`).
MASKED_SCORE = -100.0

register = tf.keras.saving.register_keras_serializable(package="tfarch")


@register
class SelfAttention(tf.keras.layers.Layer):
    """Scaled dot-product attention (Vaswani et al. 2017, section 3.2) over projected inputs.

    Inputs: query, key, value, each `[batch * length, heads * head_width]`, and mask `[batch, length]` (1 token, 0 padding).
    Output: `[batch * length, heads * head_width]`.
    """

    def __init__(self, heads: int, dropout: float = 0.0, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.dropout = Dropout(dropout, seed=seed, dtype=self.dtype_policy) if dropout else None

    def call(self, inputs, training=None):
        query, key, value, mask = inputs
        width = query.shape[-1]
        head_width = width // self.heads
        shape = tf.shape(mask)  # the same tensor for all layers: their shapes become one computation of the exported file

        def split(tensor):  # [batch, heads, length, head_width]
            return tf.transpose(tf.reshape(tensor, [shape[0], shape[1], self.heads, head_width]), [0, 2, 1, 3])

        scores = tf.matmul(split(query * (1.0 / math.sqrt(head_width))), split(key), transpose_b=True)
        padding = (1.0 - tf.cast(mask, scores.dtype)) * MASKED_SCORE
        probabilities = tf.nn.softmax(scores + tf.expand_dims(tf.expand_dims(padding, 1), 1))
        if self.dropout is not None:
            probabilities = self.dropout(probabilities, training=training)
        context = tf.transpose(tf.matmul(probabilities, split(value)), [0, 2, 1, 3])
        return tf.reshape(context, [-1, width])

    def get_config(self):
        rate, seed = (self.dropout.rate, self.dropout.seed) if self.dropout else (0.0, 0)
        return {**super().get_config(), "heads": self.heads, "dropout": rate, "seed": seed}


@register
class PositionEmbedding(tf.keras.layers.Layer):
    """A learned vector for each position. Input: `[batch, length, width]`, of which only the length counts; output `[1, length, width]`."""

    def __init__(self, positions: int, **kwargs):
        super().__init__(**kwargs)
        self.positions = positions

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            "embeddings", (self.positions, input_shape[-1]), initializer=tf.keras.initializers.TruncatedNormal(stddev=0.02)
        )

    def call(self, inputs):
        table = tf.cast(self.embeddings, self.compute_dtype)
        return tf.expand_dims(tf.gather(table, tf.range(tf.shape(inputs)[1])), 0)

    def get_config(self):
        return {**super().get_config(), "positions": self.positions}


@register
class FlatTokens(tf.keras.layers.Layer):
    """All tokens of a batch in one row: `[batch, length, width]` to `[batch * length, width]`.

    `Dense` on three dimensions computes shapes around each product, and XNNPACK takes no reshape whose shape is computed. On two it is one
    FULLY_CONNECTED: LiteRT hands MiniLM's six layers to XNNPACK in 10 stretches instead of 57, 292 operators instead of 585.
    """

    def call(self, inputs):
        return tf.reshape(inputs, [-1, inputs.shape[-1]])


@register
class TextTokens(tf.keras.layers.Layer):
    """The tokens of each text again. Inputs: states `[batch * length, width]`, mask `[batch, length]`; output `[batch, length, width]`."""

    def call(self, inputs):
        states, mask = inputs
        shape = tf.shape(mask)
        return tf.reshape(states, [shape[0], shape[1], states.shape[-1]])


@register
class MeanPooling(tf.keras.layers.Layer):
    """Mean over the tokens that are not padding. Inputs: states `[batch, length, width]`, mask `[batch, length]`; output `[batch, width]`."""

    def call(self, inputs):
        states, mask = inputs
        weights = tf.expand_dims(tf.cast(mask, states.dtype), -1)
        return tf.reduce_sum(states * weights, axis=1) / tf.maximum(tf.reduce_sum(weights, axis=1), 1.0)


@register
class FirstToken(tf.keras.layers.Layer):
    """The state of the first token, [CLS]. Inputs: states `[batch, length, width]` and the mask, unused; output `[batch, width]`."""

    def call(self, inputs):
        return tf.gather(inputs[0], 0, axis=1)


@register
class UnitVector(tf.keras.layers.Layer):
    """Each vector scaled to a root mean square of 1, its direction kept. Shapes `[batch, width]`.

    Sentence encoders are trained on the direction alone (Reimers and Gurevych 2019 compare by cosine); the length that is left is noise to a head. Measured
    on 44 intents of 16 rows (`benchmarks.few_rows`): accuracy on held-out rows 71.8 % with it, 68.6 % without; negative log-likelihood 0.98 and 1.12.
    """

    def call(self, inputs):
        square = tf.reduce_mean(tf.square(tf.cast(inputs, tf.float32)), axis=-1, keepdims=True)  # half precision would lose small squares
        return inputs * tf.cast(tf.math.rsqrt(square + 1e-12), inputs.dtype)


@register
class CalibratedSoftmax(tf.keras.layers.Layer):
    """`softmax(logits / temperature)` in float32 (Guo et al. 2017). Shapes `[batch, classes]`."""

    def __init__(self, temperature: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.temperature = temperature

    def call(self, logits):
        return tf.nn.softmax(tf.cast(logits, tf.float32) * (1.0 / self.temperature))

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}


@register
class Dropout(tf.keras.layers.Layer):
    """Dropout whose masks follow from (seed, replica, number of calls): a run that is resumed from a checkpoint draws what it would have drawn."""

    def __init__(self, rate: float, seed: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed

    def build(self, input_shape):
        self.calls = self.add_weight(
            "calls", (), dtype=tf.int64, initializer="zeros", trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )

    def call(self, inputs, training=None):
        if not training or self.rate == 0.0:
            return inputs
        replica = tf.distribute.get_replica_context()
        offset = 0 if replica is None else replica.replica_id_in_sync_group
        seed = tf.stack([tf.cast(self.seed * 1009 + offset, tf.int64), tf.identity(self.calls)])
        self.calls.assign_add(1)
        # 16 random bits for each value, two of them from each number that is drawn: the rate is held to 1/65536.
        count, dropped = tf.size(inputs), min(round(self.rate * 65536), 65535)
        drawn = tf.random.stateless_uniform([(count + 1) // 2], seed, minval=None, maxval=None, dtype=tf.uint32)
        bits = tf.reshape(tf.reshape(tf.bitcast(drawn, tf.uint16), [-1])[:count], tf.shape(inputs))
        scale = tf.constant(65536 / (65536 - dropped), inputs.dtype)
        return inputs * tf.where(bits >= dropped, scale, tf.zeros_like(scale))

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def gelu(kind: str):
    """GELU by name: `exact` (erf, as BERT and MiniLM were trained) or `tanh` (its approximation). Both become one TFLite op."""
    return gelu_tanh if kind == "tanh" else tf.keras.activations.gelu


@register
def gelu_tanh(inputs):
    """GELU by the tanh approximation (Hendrycks and Gimpel 2016)."""
    return tf.keras.activations.gelu(inputs, approximate=True)
