"""Which devices train, and in which precision: a `MirroredStrategy` and a Keras policy from two words of the settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from tfarch.errors import InputError
from tfarch.evaluation.machine import has_fast_bfloat16

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def strategy_for(devices: str) -> tf.distribute.MirroredStrategy:
    """Data parallel training over `devices`: `auto` (all GPUs, else one CPU), `gpu`, `gpu:0,1`, `cpu`, or `cpu:N` (N logical CPU devices).

    Raises:
        InputError: a device that is not there, or logical devices asked for after TensorFlow has started with fewer.
    """
    kind, _, which = devices.partition(":")
    gpus = tf.config.list_physical_devices("GPU")
    if kind == "auto" and not which:
        kind = "gpu" if gpus else "cpu"
    parts = which.split(",") if which else []
    if (
        kind not in ("cpu", "gpu")
        or not all(part.isdecimal() for part in parts)
        or len(set(map(int, parts))) < len(parts)
        or (kind == "cpu" and len(parts) > 1)
    ):
        raise InputError(f"train.devices={devices!r}", mend="auto, gpu, gpu:0,1, cpu or cpu:N")
    if kind == "gpu":
        numbers = [int(part) for part in parts] or range(len(gpus))
        missing = [number for number in numbers if number >= len(gpus)]
        if missing or not gpus:
            raise InputError(f"train.devices={devices!r}: TensorFlow sees {len(gpus)} GPUs", mend="--devices cpu trains on the processor")
        for gpu in gpus:
            with contextlib.suppress(RuntimeError):  # already running: growth was set by the first call
                tf.config.experimental.set_memory_growth(gpu, True)
        return tf.distribute.MirroredStrategy([f"/gpu:{number}" for number in numbers])
    count = int(which) if which else 1
    if count < 1:
        raise InputError("train.devices=cpu:0", mend="cpu:N takes at least one logical device")
    return tf.distribute.MirroredStrategy(_cpu_names(count))


def _cpu_names(count: int) -> list[str]:
    """Names of `count` logical CPU devices, made if TensorFlow has not started yet."""
    physical = tf.config.list_physical_devices("CPU")[0]
    made = tf.config.get_logical_device_configuration(physical)
    if count > 1 and (made is None or len(made) < count):
        try:
            tf.config.set_logical_device_configuration(physical, [tf.config.LogicalDeviceConfiguration()] * count)
        except RuntimeError as error:
            raise InputError(
                f"{count} logical CPU devices must be asked for before TensorFlow starts", mend="start a new process with --devices cpu:N"
            ) from error
    return [f"/cpu:{number}" for number in range(count)]


def precision_for(setting: str) -> str:
    """float32, bfloat16 or float16; `auto` is bfloat16 only where the GPU or CPU computes in it (asked, never assumed)."""
    if setting != "auto":
        return setting
    for gpu in tf.config.list_physical_devices("GPU"):
        major, _ = tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
        return "bfloat16" if major >= 8 else "float32"
    return "bfloat16" if has_fast_bfloat16() else "float32"


@contextlib.contextmanager
def precision_policy(precision: str) -> Iterator[None]:
    """Layers made inside compute in `precision` and keep float32 weights."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(POLICIES[precision])
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)
