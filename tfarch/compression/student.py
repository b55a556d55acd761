"""A student of its own structure, much narrower than its teacher: it begins with what the teacher says of each piece of the vocabulary alone, in fewer numbers.

Slimming keeps an encoder's width, as every layer adds to the same states. Another width means to begin anew; but what the encoder knows of each piece can be kept (in the manner of
model2vec, Tulkens and van Dongen 2024), and what it says of whole texts teaches the rest. Without layers it is the mean of embeddings, which knows no order of words.
"""

from __future__ import annotations

import numpy as np

from tfarch.compression.recipe import Student
from tfarch.data.tokens import Tokens
from tfarch.models.spec import AveragedSpec, EncoderSpec, Spec
from tfarch.runtime.tokeniser import Tokeniser


def student_spec(stage: Student, teacher: Spec, vocabulary: int, positions: int) -> Spec:
    """The structure of the student.

    Args:
        teacher: whose text vectors, scaled or not, it has, and whose activation and pooling, where both are encoders.
        vocabulary, positions: rows of its tables.
    """
    if not stage.depth:
        return AveragedSpec(vocabulary, stage.width, teacher.unit_vectors)
    alike = {name: getattr(teacher, name) for name in ("gelu", "pooling") if isinstance(teacher, EncoderSpec)}
    heads, neurons = (stage.width // stage.head_width,) * stage.depth, (stage.feed_forward,) * stage.depth
    return EncoderSpec(vocabulary, stage.width, heads, stage.head_width, neurons, positions, unit_vectors=teacher.unit_vectors, **alike)


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
