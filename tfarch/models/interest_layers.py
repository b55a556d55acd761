"""The layers of the interest model that are not the encoder's: what an event counts, a user's state after each of his events, and the logits of what comes next.

All are written for the tensors of `tfarch.data.sequences.ItemSequences`, whose first dimension is that of the replicas: on each of them it is 1.
"""

from __future__ import annotations

import tensorflow as tf

from tfarch.models.layers import MASKED_SCORE, register


@register
class OneReplica(tf.keras.layers.Layer):
    """The first two dimensions in one: `[1, n, ...]` to `[n, ...]`."""

    def call(self, inputs):
        shape = tf.shape(inputs)
        return tf.reshape(inputs, tf.concat([[-1], shape[2:]], axis=0))


@register
class AsComputed(tf.keras.layers.Layer):
    """What comes as float16, in the type that is computed with."""

    def __init__(self, **kwargs):
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs):
        return tf.cast(inputs, self.compute_dtype)


@register
class UnitLength(tf.keras.layers.Layer):
    """Each vector at length 1: dot products are cosines then. `[..., width]`."""

    def call(self, inputs):
        return tf.math.l2_normalize(tf.cast(inputs, tf.float32), axis=-1, epsilon=1e-12)


@register
class GatedIds(tf.keras.layers.Layer):
    """Adds what only the id of an item says, as far as its events bear it out: nothing for an item without events, which has its text alone.

    gate = sigmoid(a log(1 + count) + b), with a and b learned; 0 where the count is 0. The count is that of the events that are learned from.

    Inputs: vectors `[n, width]` and item numbers int32 `[n]`, -1 for padding. Output `[n, width]`.
    """

    def __init__(self, items: int, **kwargs):
        super().__init__(**kwargs)
        self.items = items

    def build(self, input_shape):
        width = input_shape[0][-1]
        self.table = self.add_weight("table", (self.items, width), initializer="zeros")
        self.slope = self.add_weight("slope", (), initializer=tf.keras.initializers.Constant(0.5))
        self.offset = self.add_weight("offset", (), initializer=tf.keras.initializers.Constant(-2.0))
        self.counts = self.add_weight("counts", (self.items,), initializer="zeros", trainable=False)

    def call(self, inputs):
        vectors, items = inputs
        known = tf.maximum(items, 0)
        counts = tf.where(items >= 0, tf.gather(self.counts, known), 0.0)
        gate = tf.where(counts > 0.0, tf.sigmoid(self.slope * tf.math.log1p(counts) + self.offset), 0.0)
        return vectors + tf.cast(tf.expand_dims(gate, -1), vectors.dtype) * tf.cast(tf.gather(self.table, known), vectors.dtype)

    def get_config(self):
        return {**super().get_config(), "items": self.items}


@register
class EventWeights(tf.keras.layers.Layer):
    """What each event counts: its amount times a weight of its behaviour, which is learned (above 0, 1 at first); 0 for padding.

    Inputs: history int32, behaviours int32 and amounts float32, each `[rows, events]`. Output float32 of that shape.
    """

    def __init__(self, behaviours: int, **kwargs):
        super().__init__(**kwargs)
        self.behaviours = behaviours

    def build(self, input_shape):
        self.logs = self.add_weight("logs", (self.behaviours,), initializer="zeros")

    def call(self, inputs):
        history, behaviours, amounts = inputs
        weights = tf.cast(amounts, tf.float32) * tf.exp(tf.gather(tf.cast(self.logs, tf.float32), behaviours))
        return tf.where(history >= 0, weights, 0.0)

    def get_config(self):
        return {**super().get_config(), "behaviours": self.behaviours}


@register
class HistoryVectors(tf.keras.layers.Layer):
    """The vectors of each row's events, zeros for padding. Inputs: vectors `[items, width]`, history int32 `[rows, events]`; output `[rows, events, width]`."""

    def call(self, inputs):
        vectors, history = inputs
        found = tf.gather(vectors, tf.maximum(history, 0))
        return tf.where(tf.expand_dims(history >= 0, -1), found, tf.zeros_like(found))


@register
class FadingMean(tf.keras.layers.Layer):
    """After each event the mean of those up to it, by their weights and the less the longer ago they are: weight * keep^(events since), keep learned.

    Inputs: vectors `[rows, events, width]`, weights `[rows, events]`. Output `[rows, events, width]`.
    """

    def __init__(self, keep: float = 0.95, **kwargs):
        super().__init__(**kwargs)
        self.keep = keep

    def build(self, input_shape):
        odds = self.keep / (1.0 - self.keep)
        self.log_odds = self.add_weight("log_odds", (), initializer=tf.keras.initializers.Constant(float(tf.math.log(odds))))

    def call(self, inputs):
        vectors, weights = inputs
        places = tf.range(tf.shape(vectors)[1])
        since = tf.cast(tf.expand_dims(places, 1) - tf.expand_dims(places, 0), tf.float32)  # [event, earlier event]
        fading = tf.exp(tf.maximum(since, 0.0) * tf.math.log_sigmoid(tf.cast(self.log_odds, tf.float32)))
        fading = tf.where(since >= 0.0, fading, 0.0)
        shares = tf.expand_dims(fading, 0) * tf.expand_dims(weights, 1)
        shares /= tf.maximum(tf.reduce_sum(tf.abs(shares), axis=-1, keepdims=True), 1e-6)
        return tf.cast(tf.matmul(shares, tf.cast(vectors, tf.float32)), vectors.dtype)

    def get_config(self):
        return {**super().get_config(), "keep": self.keep}


@register
class CausalAttention(tf.keras.layers.Layer):
    """Scaled dot-product attention in which an event sees itself and those before it (Kang and McAuley 2018, SASRec, section 3.2).

    Inputs: query, key and value `[rows, events, heads * head_width]`, history int32 `[rows, events]`. Output as the query.
    """

    def __init__(self, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def call(self, inputs):
        query, key, value, history = inputs
        width, shape = query.shape[-1], tf.shape(history)

        def split(tensor):  # [rows, heads, events, head_width]
            return tf.transpose(tf.reshape(tensor, [shape[0], shape[1], self.heads, width // self.heads]), [0, 2, 1, 3])

        scores = tf.matmul(split(query * (width // self.heads) ** -0.5), split(key), transpose_b=True)
        places = tf.range(shape[1])
        seen = tf.expand_dims(places, 1) >= tf.expand_dims(places, 0)
        allowed = tf.logical_and(tf.expand_dims(seen, 0), tf.expand_dims(history >= 0, 1))  # [rows, event, earlier event]
        scores += tf.expand_dims((1.0 - tf.cast(allowed, scores.dtype)) * MASKED_SCORE, 1)
        context = tf.transpose(tf.matmul(tf.nn.softmax(scores), split(value)), [0, 2, 1, 3])
        return tf.reshape(context, [shape[0], shape[1], width])

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}


@register
class SamplingLogits(tf.keras.layers.Layer):
    """log q of the items of a batch, q the probability that an item is in one, counted over the batches so far (Yi et al. 2019, "Sampling-Bias-Corrected Neural
    Modeling", section 4). Under several replicas the first one counts for all.

    Input: item numbers int32 `[n]`, -1 for padding. Output float32 `[n]`.
    """

    def __init__(self, items: int, **kwargs):
        super().__init__(**kwargs)
        self.items = items

    def build(self, input_shape):
        once = {"initializer": "zeros", "trainable": False, "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA}
        self.seen = self.add_weight("seen", (self.items,), **once)
        self.batches = self.add_weight("batches", (), **once)

    def call(self, items, training=None):
        real = items >= 0
        if training:
            self.seen.assign_add(tf.math.unsorted_segment_sum(tf.cast(real, tf.float32), items, self.items))
            self.batches.assign_add(1.0)
        # Half a batch more: what was not seen yet is rare, and not impossible.
        q = (tf.gather(tf.identity(self.seen), tf.maximum(items, 0)) + 0.5) / (tf.identity(self.batches) + 1.0)
        return tf.math.log(q)

    def get_config(self):
        return {**super().get_config(), "items": self.items}


@register
class NextItemLogits(tf.keras.layers.Layer):
    """For each event the logits of all items of the batch as the next: cosine / temperature, less log q. What the row has elsewhere is no wrong answer, and padding
    no answer at all (accidental hits). The temperature is learned.

    Inputs: states `[rows, events, width]` and vectors `[items, width]` of length 1, log q `[items]`, items int32 `[items]`, had bool `[rows, items]`, targets
    int32 `[rows, events]`. Output float32 `[1, rows, events, items]`.
    """

    def __init__(self, temperature: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.temperature = temperature

    def build(self, input_shape):
        self.log_temperature = self.add_weight(
            "log_temperature", (), initializer=tf.keras.initializers.Constant(float(tf.math.log(self.temperature)))
        )

    def call(self, inputs):
        states, vectors, log_q, items, had, targets = inputs
        cosines = tf.matmul(tf.cast(states, tf.float32), tf.cast(vectors, tf.float32), transpose_b=True)
        logits = cosines * tf.exp(-tf.cast(self.log_temperature, tf.float32)) - log_q
        wrong = tf.logical_or(tf.expand_dims(had, 1), tf.reshape(items < 0, [1, 1, -1]))
        right = tf.cast(tf.one_hot(targets, tf.shape(vectors)[0]), tf.bool)
        return tf.expand_dims(tf.where(tf.logical_and(wrong, tf.logical_not(right)), -1e9, logits), 0)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}


@register
class MatchLogits(tf.keras.layers.Layer):
    """For each event the log-odds that the user wants each item of the batch: cosine * scale + bias, both learned. What is no wrong answer (see `NextItemLogits`) has the
    lowest odds.

    Inputs: states `[rows, events, width]` and vectors `[items, width]` of length 1, items int32 `[items]`, had bool `[rows, items]`, targets int32
    `[rows, events]`, -1 less the place of what was not wanted. Output float32 `[1, rows, events, items]`.
    """

    def build(self, input_shape):
        self.log_scale = self.add_weight("log_scale", (), initializer=tf.keras.initializers.Constant(float(tf.math.log(5.0))))
        self.bias = self.add_weight("bias", (), initializer="zeros")

    def call(self, inputs):
        states, vectors, items, had, targets = inputs
        cosines = tf.matmul(tf.cast(states, tf.float32), tf.cast(vectors, tf.float32), transpose_b=True)
        logits = cosines * tf.exp(tf.cast(self.log_scale, tf.float32)) + tf.cast(self.bias, tf.float32)
        wrong = tf.logical_or(tf.expand_dims(had, 1), tf.reshape(items < 0, [1, 1, -1]))
        asked = tf.cast(tf.one_hot(tf.where(targets >= 0, targets, -1 - targets), tf.shape(vectors)[0]), tf.bool)
        return tf.expand_dims(tf.where(tf.logical_and(wrong, tf.logical_not(asked)), -1e9, logits), 0)
