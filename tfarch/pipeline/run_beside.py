"""What the run that a bundle lies in knows beyond it. Read without TensorFlow: `predict` looks here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from tfarch.errors import InputError
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import read_bundle, read_head
from tfarch.runtime.known_rows import KnownRows
from tfarch.runtime.signature import SINGLE

KNOWN_VECTORS = "nearest_neighbour/neighbours"  # the array of `<stage>.scores.safetensors` whose rows are those of `<stage>.known.json`
TRAINED = "trained.json"
_HEAD = "head/kernel"
_MEND = "the verbs train and run make it"


def run_beside(bundle: str | Path, task: str = SINGLE) -> RunFolder | None:
    """The run whose folder the bundle lies in, if its last stage has the weights of the bundle's head for this task.

    Raises:
        InputError: the run's files are damaged.
        BundleError: the bundle is.
    """
    folder = RunFolder(Path(bundle).absolute().parent)
    if not (folder.checkpoints / TRAINED).is_file():
        return None
    found = read_bundle(bundle, verify=False).of_task(task)
    if found.description.get("head") is None:
        return None
    values = _values(folder)
    own = _array(folder, values["weights"][-1], f"{task}_{_HEAD}" if task else _HEAD)
    kernel = read_head(found).kernel[:, : len(found.labels)]
    return folder if own.shape == kernel.shape and np.array_equal(own, kernel) else None


def known_rows_of(folder: RunFolder, task: str = SINGLE) -> KnownRows | None:
    """Training rows of a run with their texts; None where it was trained before tfarch kept them.

    Raises:
        InputError: a file of the run is damaged.
    """
    try:
        stage = _values(folder)["tasks"][task]["stages"][-1]
        if "known" not in stage:
            return None
        file, scores = folder.checkpoints / stage["known"], stage["scores"]
    except (KeyError, IndexError, TypeError) as error:
        raise InputError("is damaged: it names no stage", file=folder.checkpoints / TRAINED, mend=_MEND) from error
    try:
        return KnownRows.from_json(file.read_text(encoding="utf-8"), _array(folder, scores, KNOWN_VECTORS))
    except (OSError, ValueError) as error:
        raise InputError(f"is damaged: {error}", file=file, mend=_MEND) from error


def _array(folder: RunFolder, file: str, name: str) -> np.ndarray:
    """One array of a file of the run."""
    place = folder.checkpoints / file
    try:
        with safe_open(place, framework="np") as arrays:
            return arrays.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise InputError(f"is damaged: {error}", file=place, mend=_MEND) from error


def _values(folder: RunFolder) -> dict:
    file = folder.checkpoints / TRAINED
    values = folder.read_json(file, _MEND)
    if not isinstance(values, dict) or not values.get("weights") or not isinstance(values.get("tasks"), dict):
        raise InputError("is damaged: it names no stage", file=file, mend=_MEND)
    return values
