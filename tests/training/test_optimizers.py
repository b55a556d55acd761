"""Each variable learns at the rate of its depth, decay spares biases and norms, and all replicas take the same step."""

import subprocess
import sys

import numpy as np
import pytest

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tfarch.config import TrainConfig
from tfarch.models.classifier import build_classifier
from tfarch.models.spec import EncoderSpec
from tfarch.training.optimizers import optimizer_for

SPEC = EncoderSpec(vocabulary=20, width=8, heads=(2, 2), head_width=4, feed_forward=(16, 16), positions=12)
RATE = 0.125

# Runs in a process of its own, as the logical devices must be there before TensorFlow looks for its devices.
TWO_REPLICAS = """
import tfarch
import tensorflow as tf
from tfarch.config import TrainConfig
from tfarch.training.optimizers import optimizer_for

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    variables = [tf.Variable(tf.ones((2, 2)), name=name) for name in ("token_embedding/embeddings", "layer_0_query/kernel", "head/kernel")]
    settings = TrainConfig(learning_rate=0.125, layer_decay=0.5, optimizer="adamw", weight_decay=0.5)
    optimizer = optimizer_for(settings, variables, layers=2)

@tf.function
def update():
    gradients = [(tf.ones((2, 2)), variable) for variable in variables]
    strategy.run(lambda: optimizer.apply_gradients(gradients, skip_gradients_aggregation=True))

update()
print(*(float(value[0, 0]) for variable in variables for value in variable.values))
"""


def model_variables():
    variables = build_classifier(SPEC, 3).trainable_variables
    for variable in variables:
        variable.assign(tf.ones_like(variable))
    return variables


def moved(variables, gradient=1.0, *, updates=1, **settings):
    """How far each variable, at first 1 throughout, moves under equal gradients; by name."""
    optimizer = optimizer_for(TrainConfig(learning_rate=RATE, **settings), variables, layers=SPEC.layers)
    for _ in range(updates):
        optimizer.apply_gradients([(tf.fill(variable.shape, gradient), variable) for variable in variables])
    return {variable.name: float(1.0 - tf.reduce_mean(variable)) for variable in variables}


def depth(name):
    """How many times the decay applies to a variable of the two-layer encoder."""
    return {"layer_1": 1, "layer_0": 2}.get(name[:7], 3 if "embedding" in name else 0)


# The rate of each layer


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_layer_decay_shortens_the_first_step_by_its_power_of_the_depth(optimizer):
    steps = moved(model_variables(), optimizer=optimizer, layer_decay=0.5, weight_decay=0.0)
    assert {depth(name) for name in steps} == {0, 1, 2, 3}
    for name, step in steps.items():
        assert step == pytest.approx(RATE * 0.5 ** depth(name), rel=1e-4), name


def test_layer_decay_shortens_the_weight_decay_as_well():
    # In ELECTRA, whose rates these are, the decay is part of the step that the layer's rate scales.
    steps = moved(model_variables(), 0.0, optimizer="adamw", layer_decay=0.5, weight_decay=0.5)
    for name, step in steps.items():
        if name.endswith("kernel:0"):
            assert step == pytest.approx(RATE * 0.5 * 0.5 ** depth(name), rel=1e-5), name


def test_a_layer_decay_of_zero_trains_the_head_alone():
    steps = moved(model_variables(), optimizer="adamw", layer_decay=0.0, weight_decay=0.5)
    assert {name.split("/")[0] for name, step in steps.items() if step} == {"head"}


def test_the_encoder_may_learn_at_a_share_of_the_rate():
    steps = moved(model_variables(), optimizer="sgd", encoder_rate=0.5)
    assert {name.split("/")[0] for name, step in steps.items() if step == pytest.approx(RATE)} == {"head"}
    assert all(step == pytest.approx(0.5 * RATE) for name, step in steps.items() if not name.startswith("head"))
    both = moved(model_variables(), optimizer="sgd", encoder_rate=0.5, layer_decay=0.5)
    assert both["layer_0_query/kernel:0"] == pytest.approx(RATE * 0.5 * 0.25)


def test_without_layer_decay_all_move_alike():
    assert list(moved(model_variables(), optimizer="sgd").values()) == pytest.approx([RATE] * len(model_variables()))


def test_the_rate_is_the_one_set_last_scaled_by_the_depth():
    variable = tf.Variable([1.0], name="layer_1_query/bias")
    optimizer = optimizer_for(TrainConfig(learning_rate=RATE, optimizer="adam", layer_decay=0.5), [variable], layers=2)
    optimizer.learning_rate.assign(0.25)
    optimizer.apply_gradients([(tf.constant([3.0]), variable)])
    assert float(variable[0]) == pytest.approx(1.0 - 0.25 * 0.5, rel=1e-5)
    assert float(optimizer.learning_rate) == 0.25


def test_two_replicas_take_the_same_step():
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True, check=True)
    values = [float(value) for value in done.stdout.split()]
    rates = [0.125 * 0.5**depth for depth in (3, 2, 0) for _ in range(2)]
    assert values == pytest.approx([1.0 - rate * 0.5 - rate for rate in rates], rel=1e-5)


# Decay


def test_weight_decay_spares_biases_and_norms():
    steps = moved(model_variables(), 0.0, optimizer="adamw", weight_decay=0.5)
    spared = {name for name, step in steps.items() if step == 0.0}
    assert spared == {name for name in steps if name.endswith(("bias:0", "gamma:0", "beta:0"))}
    assert [step for name, step in steps.items() if name not in spared] == pytest.approx([RATE * 0.5] * (len(steps) - len(spared)))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_only_adamw_decays(optimizer):
    assert set(moved(model_variables(), 0.0, optimizer=optimizer, weight_decay=0.5).values()) == {0.0}


# The optimizers


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_the_first_step_of_adam_is_the_rate_whatever_the_gradient(optimizer):
    variable = tf.Variable([1.0, 1.0], name="head/bias")
    trained = optimizer_for(TrainConfig(learning_rate=RATE, optimizer=optimizer), [variable], layers=2)
    trained.apply_gradients([(tf.constant([100.0, -0.01]), variable)])
    np.testing.assert_allclose(variable, [1.0 - RATE, 1.0 + RATE], rtol=1e-5)


def test_sgd_gathers_momentum():
    variable = tf.Variable([1.0], name="head/bias")
    steps = moved([variable], 2.0, optimizer="sgd", updates=2)
    assert steps["head/bias:0"] == pytest.approx(RATE * 2.0 * (1 + 1.9))
