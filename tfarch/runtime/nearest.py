"""The items nearest to a user's state, found without looking at all of them: for catalogues of a hundred thousand items and more.

The index is a hierarchical navigable small world graph (Malkov and Yashunin 2018) of Voyager (Spotify, Apache-2.0), a byte a number; `pip install 'tfarch[search]'`.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from tfarch.errors import InputError

LINKS, BUILD_WIDTH = 16, 120  # of an item in the graph; candidates that are looked at while it is built


class Nearest:
    """An index of vectors of length 1, by their numbers."""

    def __init__(self, index: Any):
        self._index = index

    @classmethod
    def of(cls, vectors: np.ndarray, *, seed: int = 0) -> Nearest:
        """An index of vectors float32 `[n, width]`; built once, some minutes for a million.

        Raises:
            InputError: Voyager is not installed.
        """
        voyager = _voyager()
        index = voyager.Index(
            voyager.Space.InnerProduct,
            num_dimensions=vectors.shape[1],
            M=LINKS,
            ef_construction=BUILD_WIDTH,
            random_seed=seed + 1,
            max_elements=max(1, len(vectors)),
            storage_data_type=voyager.StorageDataType.E4M3,
        )
        index.add_items(np.ascontiguousarray(vectors, np.float32), ids=np.arange(len(vectors)))
        return cls(index)

    @classmethod
    def from_bytes(cls, content: bytes) -> Nearest:
        """What `as_bytes` gave.

        Raises:
            InputError: Voyager is not installed.
            ValueError: this is no index.
        """
        try:
            return cls(_voyager().Index.load(io.BytesIO(content)))
        except RuntimeError as error:
            raise ValueError(str(error)) from error

    def as_bytes(self) -> bytes:
        """For a file."""
        return self._index.as_bytes()

    def __len__(self) -> int:
        return self._index.num_elements

    def to(self, vector: np.ndarray, count: int) -> np.ndarray:
        """Numbers int64 of about the `count` vectors whose dot product with this one `[width]` is largest, the largest first."""
        count = min(count, len(self))
        if not count:
            return np.zeros(0, np.int64)
        found, _ = self._index.query(np.asarray(vector, np.float32), count, query_ef=max(count, 128))
        return found.astype(np.int64)


def _voyager() -> Any:
    try:
        import voyager
    except ImportError as error:
        raise InputError(
            "the index for large catalogues needs Voyager", mend="pip install 'tfarch[search]', or export.search=exact"
        ) from error
    return voyager
