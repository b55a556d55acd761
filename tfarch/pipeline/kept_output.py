"""What a model gives for texts, kept in a folder under the hash of all that it depends on, for whoever asks again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tfarch.data.tokens import Tokens
from tfarch.errors import InputError
from tfarch.models.spec import Spec, spec_as_dict
from tfarch.models.weights import load_weights, save_weights

_NAME = "output"


def kept_output(
    cache: Path, kind: str, spec: Spec, weights: Mapping[str, np.ndarray], tokens: Tokens, make: Callable[[], np.ndarray]
) -> np.ndarray:
    """What `make` gives for n texts, `[n, ...]`, read from the folder `cache` where it was made before.

    Args:
        kind: what is asked of a model of this structure and these weights; begins the file's name.

    A damaged file is made again.
    """
    file = cache / f"{kind}-{_fingerprint(spec, weights, tokens)}.safetensors"
    if file.is_file():
        try:
            return load_weights(file)[_NAME]
        except (InputError, KeyError):
            pass  # as a copy that was cut leaves it
    found = make()
    cache.mkdir(parents=True, exist_ok=True)
    save_weights({_NAME: found}, file)
    return found


def _fingerprint(spec: Spec, weights: Mapping[str, np.ndarray], tokens: Tokens) -> str:
    digest = hashlib.sha256(json.dumps(spec_as_dict(spec), sort_keys=True).encode())
    for name in sorted(weights):
        digest.update(np.ascontiguousarray(weights[name]).tobytes())
    digest.update(tokens.ids.tobytes() + tokens.offsets.tobytes())
    return digest.hexdigest()[:24]
