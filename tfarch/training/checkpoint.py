"""The state of a training run in one file: weights, optimizer, counters and the place in the data, replaced in a single rename.

A run that is killed leaves either the older state or the newer one. The arrays are safetensors; what is not an array stands in its metadata as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import tensorflow as tf
from safetensors import SafetensorError, safe_open

from tfarch.models.weights import save_weights


@dataclass
class State:
    """Where a run stands."""

    fingerprint: str  # of settings and data: a state of another run is not resumed
    epoch: int = 0  # the epoch under way
    update: int = 0  # updates of it that are done
    step: int = 0  # updates in all
    examples: int = 0
    tokens: int = 0
    seconds: float = 0.0  # in all
    update_seconds: float = 0.0  # of these, in the updates: what throughput counts
    loss_sum: float = 0.0  # of the epoch under way
    best_metric: float | None = None
    best_epoch: int = -1
    finished: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


def _names(variables: Sequence[tf.Variable]) -> list[str]:
    # Names alone need not be unique (optimizer slots, TF-MOT's wrappers); the order of creation is fixed.
    return [f"{index:05d}/{variable.name}" for index, variable in enumerate(variables)]


def write_state(file: Path, state: State, variables: Sequence[tf.Variable]) -> None:
    """Writes `state` and `variables` to `file`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(variable.numpy()) for name, variable in zip(_names(variables), variables, strict=True)}
    save_weights(arrays, file, {"state": json.dumps(asdict(state))})


def read_state(file: Path, fingerprint: str) -> State | None:
    """The state in `file`, or None where there is none or it belongs to a run with another fingerprint."""
    try:
        with safe_open(file, "np") as stored:
            values = json.loads(stored.metadata()["state"])
            state = State(**{each.name: values[each.name] for each in fields(State)})
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None  # absent, cut short by a full disk, or of another version: the run starts anew
    return state if state.fingerprint == fingerprint else None


def restore_variables(file: Path, variables: Sequence[tf.Variable]) -> None:
    """Assigns the arrays of `file` to `variables`, which must be those that were written."""
    with safe_open(file, "np") as stored:
        for name, variable in zip(_names(variables), variables, strict=True):
            variable.assign(stored.get_tensor(name))
