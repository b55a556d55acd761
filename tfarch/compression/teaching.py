"""A student that learns how its teacher gets to an answer: the states of its tokens after each layer, and how they attend to each other.

The teacher runs beside the student on the same batch, as what it would say of every token of every text would not fit in memory. Both read the same ids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf

from tfarch.models.spec import EncoderSpec

TEACHER, JOINED = "teacher", "output_and_distance"
_ROLES = ("query", "key", "value")


def counterparts(student: int, teacher: int) -> list[int]:
    """The teacher's layer whose states each of the student's layers is to give: at the same height, the last for the last (Jiao et al. 2020)."""
    return [max(0, round((number + 1) * teacher / student) - 1) for number in range(student)]


class StateDistance(tf.keras.layers.Layer):
    """How far a student's token states are from its teacher's: of each text the sum of |s - t|^2 over that of |t|^2, over its tokens; the mean over the layers.

    Inputs: mask `[batch, length]`, then of each layer the student's states and the teacher's, `[batch * length, width]`. Output: float32 `[batch, 1]`.
    """

    def call(self, inputs):
        mask, *states = inputs
        counts, shape = tf.cast(mask, tf.float32), tf.shape(mask)

        def per_text(values):  # [batch * length, width] -> [batch]
            return tf.reduce_sum(tf.reshape(tf.reduce_sum(tf.square(values), axis=1), shape) * counts, axis=1)

        distances = []
        for own, wanted in zip(states[::2], states[1::2], strict=True):
            own, wanted = tf.cast(own, tf.float32), tf.cast(wanted, tf.float32)
            distances.append(per_text(own - wanted) / tf.maximum(per_text(wanted), 1e-9))
        return tf.expand_dims(tf.add_n(distances) / len(distances), 1)


class RelationDistance(tf.keras.layers.Layer):
    """How far a student's tokens relate otherwise than its teacher's (MiniLMv2, Wang et al. 2021): the softmax over a text's tokens of the products of their queries, of their
    keys and of their values, scaled and in so many heads; the Kullback-Leibler divergence from the teacher's, the mean over heads, tokens, and the three.

    Inputs: mask `[batch, length]`, then of each role the student's projections and the teacher's, `[batch * length, any width]`. Output: float32 `[batch, 1]`.

    Args:
        heads: divide both widths.
    """

    def __init__(self, heads: int, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def call(self, inputs):
        mask, *projected = inputs
        counts, shape = tf.cast(mask, tf.float32), tf.shape(mask)
        hidden = tf.reshape((1.0 - counts) * -1e9, [shape[0], 1, 1, shape[1]])

        def relations(values):  # log-probabilities [batch, heads, length, length]
            width = values.shape[-1] // self.heads
            split = tf.reshape(tf.cast(values, tf.float32), [shape[0], shape[1], self.heads, width])
            split = tf.transpose(split, [0, 2, 1, 3])
            return tf.nn.log_softmax(tf.matmul(split, split, transpose_b=True) / math.sqrt(width) + hidden)

        distances = []
        for own, wanted in zip(projected[::2], projected[1::2], strict=True):
            own, wanted = relations(own), relations(wanted)
            per_token = tf.reduce_mean(tf.reduce_sum(tf.exp(wanted) * (wanted - own), axis=-1), axis=1)
            distances.append(tf.reduce_sum(per_token * counts, axis=1) / tf.maximum(tf.reduce_sum(counts, axis=1), 1.0))
        return tf.expand_dims(tf.add_n(distances) / len(distances), 1)


def with_states(model: tf.keras.Model, spec: EncoderSpec) -> tf.keras.Model:
    """A classifier that also gives what is compared: its output, the states after each layer, and the queries, keys and values of the last one."""
    names = [f"layer_{number}_feed_forward_norm" for number in range(spec.layers)]
    names += [f"layer_{spec.layers - 1}_{role}" for role in _ROLES]
    return tf.keras.Model(model.input, [model.output, *(model.get_layer(name).output for name in names)], name=model.name)


def beside_teacher(
    student: tf.keras.Model, spec: EncoderSpec, teacher: tf.keras.Model, teacher_spec: EncoderSpec, *, states: float, relations: float
) -> tf.keras.Model:
    """A student (see `with_states`; wrapped or not) whose output ends with its distance to the teacher, float32 `[batch, ... + 1]`.

    Args:
        teacher: a classifier that reads the same ids; it is not trained.
        states, relations: what each distance counts; the first needs states of the same width.
    """
    taught = with_states(teacher, teacher_spec)
    taught.trainable = False
    inputs = dict(zip(student.input_names, student.inputs, strict=True))
    fixed = tf.keras.Model(taught.input, taught.outputs[1:], name=TEACHER)(inputs)
    mask, (output, *own) = inputs["mask"], student.outputs
    distances = []
    if states:
        pairs = _paired(own[: spec.layers], [fixed[number] for number in counterparts(spec.layers, teacher_spec.layers)])
        distances.append(states * StateDistance(dtype=tf.float32, name="state_distance")([mask, *pairs]))
    if relations:
        heads = math.gcd(spec.heads[-1], teacher_spec.heads[-1])
        pairs = _paired(own[spec.layers :], fixed[teacher_spec.layers :])
        distances.append(relations * RelationDistance(heads, dtype=tf.float32, name="relation_distance")([mask, *pairs]))
    distance = distances[0] if len(distances) == 1 else tf.keras.layers.Add(dtype=tf.float32, name="distances")(distances)
    joined = tf.keras.layers.Concatenate(dtype=tf.float32, name=JOINED)([output, distance])
    return tf.keras.Model(inputs, joined, name=student.name)


def without_teacher(model: tf.keras.Model) -> tf.keras.Model:
    """The student of `beside_teacher`, with its own output alone; any other model as it is."""
    if model.layers[-1].name != JOINED:
        return model
    return tf.keras.Model(model.input, model.layers[-1].input[0], name=model.name)


def _paired(own: Sequence[tf.Tensor], wanted: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    return [each for pair in zip(own, wanted, strict=True) for each in pair]
