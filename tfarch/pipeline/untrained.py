"""Text vectors of the pre-trained encoder as it is before any of it is trained: what the head's probe and the search for label errors both look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from tfarch.data.tokens import Tokens
from tfarch.models import Start
from tfarch.models.encoder import body, text_inputs
from tfarch.models.weights import set_weights
from tfarch.pipeline.kept_output import kept_output
from tfarch.training.inference import Forward


def untrained_vectors(start: Start, tokens: Tokens, cache: Path) -> np.ndarray:
    """Float32 `[n, width]` of n texts: one pass through the encoder, kept in the folder `cache`."""

    def vectors() -> np.ndarray:
        inputs = text_inputs()
        encoder = tf.keras.Model(inputs, body(start.spec, inputs))
        set_weights(encoder, start.weights, source=start.provenance["name"])
        return Forward(encoder)(tokens)

    return kept_output(cache, "vectors", start.spec, start.weights, tokens, vectors)
