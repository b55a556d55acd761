"""Words of `train.devices` and `train.precision`: what is meant, and what is told where it cannot be had."""

import pytest

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tfarch.errors import InputError
from tfarch.training.devices import POLICIES, precision_for, precision_policy, strategy_for

GPUS = len(tf.config.list_physical_devices("GPU"))


@pytest.mark.parametrize(
    "devices", ["cpu:1,2", "cpu:²", "cpu:-1", "cpu:one", "gpu:0,0", "gpu:0,", "gpu:x", "auto:1", "tpu", "CPU", "", ":", "cpu;2"]
)
def test_words_that_mean_no_device_are_refused_with_those_that_do(devices):
    with pytest.raises(InputError) as told:
        strategy_for(devices)
    assert str(told.value) == f"train.devices={devices!r} (auto, gpu, gpu:0,1, cpu or cpu:N)"


def test_a_gpu_that_is_not_there_is_told_with_how_many_are():
    with pytest.raises(InputError, match=rf"train\.devices='gpu:{GPUS}': TensorFlow sees {GPUS} GPUs"):
        strategy_for(f"gpu:{GPUS}")


@pytest.mark.skipif(GPUS > 0, reason="there is a GPU")
def test_without_a_gpu_asking_for_all_is_refused_and_auto_is_one_cpu():
    with pytest.raises(InputError, match="sees 0 GPUs"):
        strategy_for("gpu")
    assert strategy_for("auto").extended.worker_devices == ("/job:localhost/replica:0/task:0/device:CPU:0",)


def test_no_logical_device_at_all_is_refused():
    with pytest.raises(InputError, match="cpu:N takes at least one logical device"):
        strategy_for("cpu:0")


def test_logical_devices_asked_for_after_the_start_of_tensorflow_are_refused():
    tf.constant(0.0) + 1.0  # it has started
    with pytest.raises(InputError, match=r"64 logical CPU devices must be asked for before TensorFlow starts .*new process"):
        strategy_for("cpu:64")


@pytest.mark.parametrize("precision", sorted(POLICIES))
def test_a_stated_precision_is_taken_as_it_is(precision):
    assert precision_for(precision) == precision


@pytest.mark.parametrize(("precision", "computes"), [("float32", "float32"), ("bfloat16", "bfloat16"), ("float16", "float16")])
def test_layers_made_under_a_policy_compute_in_it_and_keep_float32_weights(precision, computes):
    with precision_policy(precision):
        layer = tf.keras.layers.Dense(2)
    layer.build((None, 3))
    assert (layer.compute_dtype, layer.kernel.dtype.name) == (computes, "float32")


def test_the_policy_ends_with_its_block_also_after_an_error():
    with pytest.raises(RuntimeError), precision_policy("bfloat16"):
        raise RuntimeError
    assert tf.keras.mixed_precision.global_policy().name == "float32"
