"""What the run that a bundle lies in knows beyond it. Read without TensorFlow: `predict` looks here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from tfarch.errors import InputError
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import read_bundle, read_head
from tfarch.runtime.known_rows import KnownRows

KNOWN_VECTORS = "nearest_neighbour/neighbours"  # the array of `<stage>.scores.safetensors` whose rows are those of `<stage>.known.json`
_HEAD = "head/kernel"


def run_beside(bundle: str | Path) -> RunFolder | None:
    """The run whose folder the bundle lies in, if its last stage has the weights of the bundle.

    Raises:
        InputError: the run's files are damaged.
        BundleError: the bundle is.
    """
    folder = RunFolder(Path(bundle).absolute().parent)
    if not (folder.checkpoints / "trained.json").is_file():
        return None
    found = read_bundle(bundle, verify=False)
    if found.description.get("head") is None:
        return None
    own = _array(folder, "weights", _HEAD)
    kernel = read_head(found).kernel[:, : len(found.labels)]
    return folder if own.shape == kernel.shape and np.array_equal(own, kernel) else None


def known_rows_of(folder: RunFolder) -> KnownRows | None:
    """Training rows of a run with their texts; None where it was trained before tfarch kept them.

    Raises:
        InputError: a file of the run is damaged.
    """
    name = _last_stage(folder).get("known")
    if name is None:
        return None
    file = folder.checkpoints / name
    try:
        return KnownRows.from_json(file.read_text(encoding="utf-8"), _array(folder, "scores", KNOWN_VECTORS))
    except (OSError, ValueError) as error:
        raise InputError(f"is damaged: {error}", file=file, mend="the verbs train and run make it") from error


def _array(folder: RunFolder, kind: str, name: str) -> np.ndarray:
    """One array of the last stage's file of `kind`."""
    file = folder.checkpoints / _last_stage(folder)[kind]
    try:
        with safe_open(file, framework="np") as arrays:
            return arrays.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise InputError(f"is damaged: {error}", file=file, mend="the verbs train and run make it") from error


def _last_stage(folder: RunFolder) -> dict:
    file, mend = folder.checkpoints / "trained.json", "the verbs train and run make it"
    values = folder.read_json(file, mend)
    try:
        return values["stages"][-1]
    except (KeyError, IndexError, TypeError) as error:
        raise InputError("is damaged: it names no stage", file=file, mend=mend) from error
