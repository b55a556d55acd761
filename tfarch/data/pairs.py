"""Pairs of texts that belong together, as rows of training: a question and another wording of it, a question and its answer.

A batch holds both texts of each of its pairs, one after the other, so that a pair stays whole however the batch is shared among replicas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfarch.data.batches import Batch, Examples

PADDING = -1  # the group of a padding row


@dataclass(frozen=True)
class TextPairs(Examples):
    """n pairs of texts; a text may stand in any number of them, and is held once.

    tokens: of m texts.
    targets: the group of each pair, int32 `[n]` from 0; texts of one group mean the same, whichever pair they stand in.
    weights: float32 `[n]`.
    pairs: int `[n, 2]`: which of the m texts.
    """

    pairs: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of the longer text of each pair, int64 `[n]`."""
        return self.tokens.lengths[self.pairs].max(axis=1)

    def count_tokens(self, rows: np.ndarray) -> int:
        """Tokens of both texts of the pairs at `rows`."""
        return int(self.tokens.lengths[self.pairs[rows]].sum())

    def batch(self, batch: Batch, total_weight: float) -> dict[str, np.ndarray]:
        """As that of `Examples`, with two rows for each pair: both carry its group and half of its weight."""
        real = batch.rows >= 0
        texts = np.where(real[:, None], self.pairs[batch.rows], -1).ravel()
        groups = np.where(real, self.targets[batch.rows], PADDING).astype(self.targets.dtype)
        weights = np.where(real, self.weights[batch.rows], 0.0) / (2 * total_weight)
        return {
            **self.tokens.padded(texts, batch.length),
            "targets": np.repeat(groups, 2),
            "weights": np.repeat(weights, 2).astype(np.float32),
        }
