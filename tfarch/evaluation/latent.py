"""Text vectors without any model: latent semantic analysis (Deerwester et al. 1990) of the texts' word pieces. No label goes into them."""

from __future__ import annotations

import numpy as np

WIDTH = 128
_COLUMNS = 32  # of the products that are held at once
_ITERATIONS, _SPARE = 4, 8  # of the subspace, and directions more than are asked for, which make the last of these exact


def latent_vectors(ids: np.ndarray, offsets: np.ndarray, *, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """The rows of the TF-IDF table in its first singular directions, float32 `[n, width]` or fewer where the table has fewer.

    The table holds (1 + log count) * log(n / texts with the piece), each row of length 1; the directions come by subspace iteration from a random start
    (Halko, Martinsson and Tropp 2011).

    Args:
        ids: word pieces of the n texts, one text after another.
        offsets: `[n + 1]`; text i is `ids[offsets[i]:offsets[i + 1]]`.
        seed: of the random start.
    """
    table = _Table(ids, offsets)
    most = min(table.texts, table.pieces)
    basis = np.random.default_rng(seed).normal(size=(table.pieces, min(width + _SPARE, most))).astype(np.float32)
    for _ in range(_ITERATIONS):
        basis = np.linalg.qr(table.transposed_times(table.times(basis)))[0]
    left, values, _ = np.linalg.svd(table.times(basis), full_matrices=False)
    return left[:, :width] * values[:width]


class _Table:
    """The TF-IDF table of texts and pieces, as its cells that are not zero."""

    def __init__(self, ids: np.ndarray, offsets: np.ndarray):
        known, ids = np.unique(ids, return_inverse=True)
        self.texts, self.pieces = len(offsets) - 1, len(known)
        cells, counts = np.unique(np.repeat(np.arange(self.texts), np.diff(offsets)) * self.pieces + ids, return_counts=True)
        self._text, self._piece = np.divmod(cells, self.pieces)
        rarity = np.log(self.texts / np.maximum(np.bincount(self._piece, minlength=self.pieces), 1))
        values = (1.0 + np.log(counts)) * rarity[self._piece]
        lengths = np.sqrt(np.bincount(self._text, weights=values**2, minlength=self.texts))
        self._values = (values / np.maximum(lengths[self._text], 1e-12)).astype(np.float32)
        self._by_piece = np.argsort(self._piece, kind="stable")

    def times(self, right: np.ndarray) -> np.ndarray:
        """The table times `[pieces, k]`: `[texts, k]`."""
        return self._sums(self._text, self._piece, self._values, right, self.texts)

    def transposed_times(self, right: np.ndarray) -> np.ndarray:
        """The transposed table times `[texts, k]`: `[pieces, k]`."""
        order = self._by_piece
        return self._sums(self._piece[order], self._text[order], self._values[order], right, self.pieces)

    @staticmethod
    def _sums(to: np.ndarray, source: np.ndarray, values: np.ndarray, right: np.ndarray, rows: int) -> np.ndarray:
        """Cells `values` times the rows `source` of `right`, summed into the rows `to`, which rise."""
        result = np.zeros((rows, right.shape[1]), np.float32)
        starts = np.flatnonzero(np.diff(to, prepend=-1))
        for first in range(0, right.shape[1], _COLUMNS):
            columns = slice(first, first + _COLUMNS)
            result[to[starts], columns] = np.add.reduceat(right[source, columns] * values[:, None], starts)
        return result
