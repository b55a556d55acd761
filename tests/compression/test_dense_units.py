"""Units of `Dense` layers: which may go, that silent ones leave the answers as they were, and that those worth least are found."""

import numpy as np
import pytest

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tfarch.compression.dense_units import by_magnitude, chains, without_units
from tfarch.compression.slopes import worth_by_slopes

layers = tf.keras.layers
RANDOM = np.random.default_rng(3)


def model_with(*, activation="relu"):
    """Two readers of one layer, a batch norm and a dropout on the way, and layers that may lose nothing."""
    inputs = tf.keras.Input((6,), name="inputs")
    shared = layers.Dense(8, activation, name="shared")(inputs)
    normed = layers.Dropout(0.5, name="dropped")(layers.BatchNormalization(name="normed")(shared))
    left = layers.Dense(10, "relu", name="left")(normed)
    right = layers.Dense(10, name="right")(shared)  # is added to another, so its units are not its own
    summed = layers.Add(name="summed")([left, right])
    inner = layers.Dense(12, "tanh", name="inner")(summed)
    attending = layers.Dense(5, "softmax", name="attending")(inner)
    output = layers.Dense(3, name="output")(attending)
    model = tf.keras.Model(inputs, output)
    for variable in model.weights:
        value = RANDOM.normal(size=variable.shape)
        variable.assign(np.abs(value) + 0.1 if "variance" in variable.name else value)
    return model


def test_layers_may_lose_units_where_dense_layers_alone_read_them():
    found = {chain.name: chain for chain in chains(model_with())}
    assert set(found) == {"shared", "inner"}
    assert (set(found["shared"].between), set(found["shared"].readers)) == ({"normed", "dropped"}, {"left", "right"})
    assert (found["inner"].units, found["inner"].readers) == (12, ("attending",))


def test_a_layer_used_twice_or_given_out_loses_nothing():
    inputs, other = tf.keras.Input((4,)), tf.keras.Input((4,))
    twice = layers.Dense(6, name="twice")
    joined = layers.Dense(2, name="first")(twice(inputs)), layers.Dense(2, name="second")(twice(other))
    assert chains(tf.keras.Model([inputs, other], layers.Add()(joined))) == []
    given = layers.Dense(6, name="given")(inputs)
    assert chains(tf.keras.Model(inputs, [given, layers.Dense(2, name="after")(given)])) == []


def test_units_that_are_silent_go_without_a_trace():
    model = model_with()
    found = chains(model)
    kept = [np.arange(chain.units) % 3 != 0 for chain in found]
    for chain, mask in zip(found, kept, strict=True):
        for reader in chain.readers:
            kernel = model.get_layer(reader).kernel
            kernel.assign(kernel * mask[:, None])
    inputs = RANDOM.normal(size=(7, 6)).astype(np.float32)
    left = without_units(model, found, kept)
    np.testing.assert_allclose(left(inputs), model(inputs), atol=1e-5)
    assert left.get_layer("shared").units == kept[0].sum()
    assert left.count_params() < model.count_params()


def mean_square(output, targets):
    return tf.reduce_sum(tf.square(output - targets), axis=1)


@pytest.mark.parametrize(("criterion", "power"), [("gradient", 1), ("information", 2)])
def test_slopes_are_those_of_gates_at_each_unit(criterion, power):
    model = model_with()
    found = [chain for chain in chains(model) if chain.name == "shared"]
    rows = [({"inputs": RANDOM.normal(size=(4, 6)).astype(np.float32)}, RANDOM.normal(size=(4, 3)).astype(np.float32)) for _ in range(2)]
    batches = [(batch, targets, np.ones(4, np.float32)) for batch, targets in rows]
    (worth,) = worth_by_slopes(criterion, model, [(chain.name, chain.units) for chain in found], batches, mean_square)
    gate = tf.Variable(tf.ones(8))
    expected = np.zeros(8)
    for batch, targets in rows:
        for row in range(4):
            with tf.GradientTape() as tape:
                shared = model.get_layer("shared")(batch["inputs"][row : row + 1]) * gate
                normed = model.get_layer("normed")(shared, training=False)
                summed = model.get_layer("left")(normed) + model.get_layer("right")(shared)
                output = model.get_layer("output")(model.get_layer("attending")(model.get_layer("inner")(summed)))
                loss = tf.reduce_sum(mean_square(output, targets[row : row + 1]))
            expected += np.abs(tape.gradient(loss, gate).numpy()) ** power
    np.testing.assert_allclose(worth, expected / (8 * power), rtol=1e-4)


def test_magnitude_counts_what_makes_a_unit_and_what_reads_it():
    model = model_with()
    found = [chain for chain in chains(model) if chain.name == "shared"]
    (worth,) = by_magnitude(model, found)
    kernels = {name: model.get_layer(name).kernel.numpy() for name in ("shared", "left", "right")}
    for unit in range(8):
        squares = (kernels["shared"][:, unit] ** 2).sum() + (kernels["left"][unit] ** 2).sum() + (kernels["right"][unit] ** 2).sum()
        assert worth[unit] == pytest.approx(np.sqrt(squares), rel=1e-5)
