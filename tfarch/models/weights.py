"""Weights by name: copied between models, and written to and read from safetensors files. Every copy checks names and shapes.

A weight's name is `<layer>/<weight>`: `layer_0_query/kernel`. Counters (dropout's) are not weights and are left out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tfarch.errors import InputError, TfarchError


def named_variables(model: tf.keras.Model) -> dict[str, tf.Variable]:
    """The model's floating-point variables by `<layer>/<weight>`, in the order of its layers."""
    named: dict[str, tf.Variable] = {}
    for layer in model.layers:
        for variable in layer.weights:
            if variable.dtype.is_floating:
                named[f"{layer.name}/{variable.name.rsplit('/', 1)[-1].split(':')[0]}"] = variable
    return named


def get_weights(model: tf.keras.Model) -> dict[str, np.ndarray]:
    """The weights of `model` by name."""
    return {name: variable.numpy() for name, variable in named_variables(model).items()}


def set_weights(
    model: tf.keras.Model, weights: Mapping[str, np.ndarray], *, source: str = "weights", optional: tuple[str, ...] = ()
) -> None:
    """Copies `weights` into `model`; nothing is copied where they do not fit.

    Args:
        source: where they come from, for the error.
        optional: prefixes of the model's weights that may be missing (a fresh head).

    Raises:
        InputError: a weight of the model is missing or has another shape, or the model has no such weight; all of them are listed (at most ten).
    """
    variables = named_variables(model)
    problems = []
    for name, variable in variables.items():
        if name not in weights:
            if not name.startswith(optional or ("\0",)):
                problems.append(f"{name} {tuple(variable.shape)} is missing")
        elif tuple(weights[name].shape) != tuple(variable.shape):
            problems.append(f"{name} is {tuple(weights[name].shape)}, expected {tuple(variable.shape)}")
    problems += [f"{name} {tuple(value.shape)} has no place in it" for name, value in weights.items() if name not in variables]
    if problems:
        more = f" and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise InputError("do not fit the model: " + "; ".join(problems[:10]) + more, file=source)
    for name, variable in variables.items():
        if name in weights:
            variable.assign(weights[name])


def save_weights(weights: Mapping[str, np.ndarray], path: str | Path, metadata: Mapping[str, str] | None = None) -> None:
    """Writes weights as safetensors, beside the target first, then renamed.

    Raises:
        TfarchError: the disk is full or the folder cannot be written; an older file is still there.
    """
    temporary = Path(f"{path}.{os.getpid()}.part")
    # safetensors writes an array's buffer as it lies: a transposed view must be made contiguous first.
    arrays = {name: np.asarray(value, order="C") for name, value in weights.items()}
    try:
        save_file(arrays, temporary, metadata=dict(metadata or {}))
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise TfarchError(f"{path} could not be written: {error}") from error


def load_weights(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a safetensors file.

    Raises:
        InputError: it is missing or damaged.
    """
    if not Path(path).is_file():
        raise InputError("no such weights file", file=path)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"not a safetensors file: {error}", file=path) from error
