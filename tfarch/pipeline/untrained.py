"""Text vectors of the pre-trained encoder as it is before any of it is trained: what the head's probe and the search for label errors both look at."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfarch.data.tokens import Tokens
from tfarch.errors import InputError
from tfarch.models import Start
from tfarch.models.encoder import body, text_inputs
from tfarch.models.spec import spec_as_dict
from tfarch.models.weights import load_weights, save_weights, set_weights
from tfarch.training.inference import Forward


def untrained_vectors(start: Start, tokens: Tokens, cache: Path) -> np.ndarray:
    """Float32 `[n, width]` of n texts: one pass through the encoder, kept in the folder `cache` for whoever asks again.

    A damaged cache file is made again.
    """
    file = cache / f"vectors-{_fingerprint(start, tokens)}.safetensors"
    if file.is_file():
        try:
            return load_weights(file)["vectors"]
        except (InputError, KeyError):
            pass  # as a copy that was cut leaves it
    inputs = text_inputs()
    encoder = tf.keras.Model(inputs, body(start.spec, inputs))
    set_weights(encoder, start.weights, source=start.provenance["name"])
    vectors = Forward(encoder)(tokens)
    save_weights({"vectors": vectors}, file)
    return vectors


def _fingerprint(start: Start, tokens: Tokens) -> str:
    digest = hashlib.sha256(json.dumps(spec_as_dict(start.spec), sort_keys=True).encode())
    for name in sorted(start.weights):
        digest.update(np.ascontiguousarray(start.weights[name]).tobytes())
    digest.update(tokens.ids.tobytes() + tokens.offsets.tobytes())
    return digest.hexdigest()[:24]
