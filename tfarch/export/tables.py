"""Tables of numbers as an exported graph holds them: as they are, or in fewer bytes.

What is a variable here stands once in a file, however often it is used. What is to stay small is gathered by places that are known at run time alone: of constants
the converter would make a table of floats.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfarch.runtime.small_numbers import to_int8


class FloatTable(tf.Module):
    """A table of vectors `[rows, width]`."""

    def __init__(self, values: np.ndarray):
        super().__init__()
        self._values = tf.Variable(values.astype(np.float32), trainable=False)

    def rows(self, numbers: tf.Tensor) -> tf.Tensor:
        """`[..., width]`."""
        return tf.gather(self._values, numbers)

    def products(self, vectors: tf.Tensor, every: tf.Tensor) -> tf.Tensor:
        """Of each row with each of the vectors `[batch, width]`: `[batch, rows]`.

        Args:
            every: 0 to the number of rows, not known before run time.
        """
        return tf.matmul(vectors, self._values, transpose_b=True)


class Int8Table(tf.Module):
    """As `FloatTable`, a byte a number (see `tfarch.runtime.small_numbers`). Where the converter rounds what it can, it rounds the scales of the rows too, by that of the largest."""

    def __init__(self, values: np.ndarray):
        super().__init__()
        steps, self._scales = to_int8(values)
        self._steps = tf.Variable(steps, trainable=False)

    def rows(self, numbers: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.gather(self._steps, numbers), tf.float32) * tf.expand_dims(tf.gather(self._scales, numbers), -1)

    def products(self, vectors: tf.Tensor, every: tf.Tensor) -> tf.Tensor:
        return tf.matmul(vectors, tf.cast(tf.gather(self._steps, every), tf.float32), transpose_b=True) * self._scales


class Int8UnitTable(tf.Module):
    """As `Int8Table`, of rows whose length is 1, or 0: they need no scales."""

    def __init__(self, values: np.ndarray):
        super().__init__()
        self._steps = tf.Variable(to_int8(values)[0], trainable=False)

    def rows(self, numbers: tf.Tensor) -> tf.Tensor:
        steps = tf.cast(tf.gather(self._steps, numbers), tf.float32)
        return steps * _shortened(steps)

    def products(self, vectors: tf.Tensor, every: tf.Tensor) -> tf.Tensor:
        steps = tf.cast(tf.gather(self._steps, every), tf.float32)
        return tf.matmul(vectors, steps, transpose_b=True) * tf.transpose(_shortened(steps))


class FloatRows(tf.Module):
    """The items' own signals `[signals, items]`."""

    def __init__(self, values: np.ndarray):
        super().__init__()
        self._values = tf.Variable(values.astype(np.float32), trainable=False)

    def values(self, every: tf.Tensor) -> tf.Tensor:
        """Float32 `[signals, items]`; `every` as in `products`."""
        return self._values


class Int16Rows(tf.Module):
    """As `FloatRows`, two bytes a number: steps from the middle of each row's least and greatest."""

    def __init__(self, values: np.ndarray):
        super().__init__()
        low, high = (find(values.astype(np.float64), axis=1, keepdims=True) for find in (np.min, np.max))
        self._middles, self._scales = ((low + high) / 2.0).astype(np.float32), ((high - low) / 65_534.0).astype(np.float32)
        steps = np.rint((values - self._middles) / np.where(self._scales > 0.0, self._scales, 1.0))
        self._steps = tf.Variable(np.clip(steps, -32_767, 32_767).astype(np.int16), trainable=False)

    def values(self, every: tf.Tensor) -> tf.Tensor:
        rows = tf.range(self._steps.shape[0] + tf.minimum(tf.shape(every)[0], 0))
        return tf.cast(tf.gather(self._steps, rows), tf.float32) * self._scales + self._middles


def _shortened(vectors: tf.Tensor) -> tf.Tensor:
    """One over their lengths, `[..., 1]`; of those without one any number."""
    return tf.math.rsqrt(tf.maximum(tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True), 1e-9))
