"""Static embeddings of an encoder: what it says of each piece of its vocabulary alone, in fewer numbers.

The mean of a text's embeddings is the smallest classifier there is. It knows no order of words, but what the encoder knows of each it can begin with (in the manner of model2vec,
Tulkens and van Dongen 2024), and what the encoder says of whole texts teaches it further.
"""

from __future__ import annotations

import numpy as np

from tfarch.data.tokens import Tokens
from tfarch.runtime.tokeniser import Tokeniser


def each_alone(tokeniser: Tokeniser) -> Tokens:
    """A text of one piece, `[CLS] piece [SEP]`, for each piece of the vocabulary, in its order."""
    count = len(tokeniser.vocabulary)
    ids = np.stack([np.full(count, tokeniser.cls_id), np.arange(count), np.full(count, tokeniser.sep_id)], axis=1)
    return Tokens(ids.ravel().astype(np.int32), np.arange(0, 3 * count + 1, 3))


def embeddings_of(vectors: np.ndarray, width: int) -> np.ndarray:
    """The first principal components of the pieces' text vectors, weighted by rank and brought to a root mean square of 1.

    By Zipf's law a piece that stands later in the vocabulary is rarer, and it tells more of a text.

    Args:
        vectors: float `[pieces, at least width]`, in the vocabulary's order.

    Returns:
        Float32 `[pieces, width]`.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)  # rising
    found = centred @ axes[:, ::-1][:, :width] * np.log(1 + np.arange(1, len(vectors) + 1))[:, None]
    return (found / np.sqrt(np.mean(found**2))).astype(np.float32)
