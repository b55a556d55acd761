"""A model that was made elsewhere, and the rows that it is trained and measured on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tensorflow as tf

from tfarch.data.arrays import ONE_INPUT, TARGETS, Arrays, read_npz
from tfarch.errors import InputError
from tfarch.quiet import quiet

Kind = Literal["classes", "yes or no", "numbers"]


@dataclass(frozen=True)
class Rows:
    """Inputs by name and what is asked of them, `[n]` or `[n, ...]`."""

    inputs: Arrays
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    def select(self, rows: np.ndarray) -> Rows:
        """The rows of these numbers."""
        return Rows(self.inputs.select(rows), self.targets[rows])


def load_model(file: str | Path) -> tf.keras.Model:
    """A functional tf_keras model from a `.keras` or `.h5` file or a Keras SavedModel.

    Raises:
        InputError: it is none, holds another model as a layer, or gives several outputs.
    """
    if not Path(file).exists():
        raise InputError("no such model", file=file)
    try:
        with quiet():
            model = tf.keras.models.load_model(file, compile=False)
    except (ValueError, TypeError, OSError, KeyError, AttributeError, ImportError) as error:
        raise InputError(
            f"cannot be read by tf_keras: {str(error).splitlines()[0][:200]}",
            file=file,
            mend="save it by tf_keras, without layers of your own",
        ) from error
    return functional(model, file)


def functional(model: tf.keras.Model, source: str | Path = "the model") -> tf.keras.Model:
    """The model as a functional one.

    Raises:
        InputError: see `load_model`.
    """
    if not getattr(model, "_is_graph_network", False):
        raise InputError("is no functional model", file=source, mend="build it as tf_keras.Model(inputs, outputs) or tf_keras.Sequential")
    if isinstance(model, tf.keras.Sequential):
        model = tf.keras.Model(model.inputs, model.outputs, name=model.name)
    nested = [layer.name for layer in model.layers if isinstance(layer, tf.keras.Model)]
    if nested:
        raise InputError(f"holds another model as its layer {nested[0]}", file=source, mend="put its layers into the model itself")
    if len(model.outputs) != 1:
        raise InputError(f"has {len(model.outputs)} outputs; a recipe needs one", file=source)
    return model


def read_rows(file: str | Path, model: tf.keras.Model) -> Rows:
    """Arrays of a `.npz` file: the model's inputs by their names, or `x` where it has one, and `y`.

    Raises:
        InputError: one is missing, does not fit the model, or they have not as many rows as one another.
    """
    arrays, targets = read_npz(file)
    names = model.input_names
    if len(names) == 1 and names[0] not in arrays and ONE_INPUT in arrays:
        arrays[names[0]] = arrays.pop(ONE_INPUT)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise InputError(f"lacks {', '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}", file=file)
    inputs = {}
    for name, wanted in zip(names, model.inputs, strict=True):
        values = arrays[name]
        shape = tuple(wanted.shape)[1:]
        if values.ndim != len(shape) + 1 or any(size not in (None, own) for size, own in zip(shape, values.shape[1:], strict=True)):
            raise InputError(f"{name} is {values.shape}, expected {(None, *shape)}", file=file)
        inputs[name] = values.astype(wanted.dtype.as_numpy_dtype)
    rows = {name: len(values) for name, values in (*inputs.items(), (TARGETS, targets))}
    if len(set(rows.values())) != 1 or not len(targets):
        raise InputError("rows differ: " + ", ".join(f"{name} {count}" for name, count in rows.items()), file=file)
    kind_of(model, targets, file)
    return Rows(Arrays(inputs), targets)


def kind_of(model: tf.keras.Model, targets: np.ndarray, source: str | Path = "y") -> Kind:
    """What the model is asked: whole numbers ask for a class, or with one output for yes or no; other numbers for themselves.

    Raises:
        InputError: the targets do not fit the model's output.
    """
    shape = tuple(model.output_shape[1:])
    if targets.dtype.kind in "iub" and targets.ndim == 1 and len(shape) == 1:
        classes = max(2, shape[0])
        if targets.min() < 0 or targets.max() >= classes:
            raise InputError(f"y goes from {targets.min()} to {targets.max()}; the model tells {classes} classes apart", file=source)
        return "classes" if shape[0] > 1 else "yes or no"
    if targets.dtype.kind not in "fiub" or (tuple(targets.shape[1:]) != shape and not (targets.ndim == 1 and shape == (1,))):
        raise InputError(f"y of {targets.dtype} {targets.shape} does not fit the model's output {(None, *shape)}", file=source)
    return "numbers"
