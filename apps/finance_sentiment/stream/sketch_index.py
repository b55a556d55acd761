"""An index of texts by a few of their word pairs, in which those that share many are found without looking at the rest."""

from __future__ import annotations

import heapq
import zlib
from array import array
from collections import defaultdict
from collections.abc import Hashable
from itertools import pairwise

SKETCH = 6  # word pairs that a text is found by
MOST_LISTED = 32  # texts that are listed under a pair, the latest: "wall street" alone leads to no text
MOST_FOUND = 12  # that are handed out, those that share most


class SketchIndex:
    """Texts under the `SKETCH` smallest hashes of their pairs of neighbouring words (a bottom-k sketch; Broder 1997), and under all of their words.

    Two texts whose pairs have a Jaccard similarity s share none of them with probability about (1 - s) ** SKETCH: 0.00006 at 0.8, 0.05 at 0.4. The same
    text is found for certain, and so is one of up to `SKETCH` pairs, unless `MOST_LISTED` later ones have each of its pairs.
    """

    def __init__(self):
        self._listed: dict[int, Hashable | list] = {}  # one key alone, which most are, or a list

    def add(self, hashes: array, key: Hashable) -> None:
        """Lists a text of these words under `key`, which is no list."""
        for mark in _sketch(hashes):
            listed = self._listed.get(mark)
            if listed is None:
                self._listed[mark] = key
            elif isinstance(listed, list):
                listed.append(key)
                del listed[:-MOST_LISTED]
            else:
                self._listed[mark] = [listed, key]

    def remove(self, hashes: array, key: Hashable) -> None:
        """Takes a text out that was added with these words."""
        for mark in _sketch(hashes):
            listed = self._listed.get(mark)
            if isinstance(listed, list):
                if key in listed:
                    listed.remove(key)
                if not listed:
                    del self._listed[mark]
            elif listed == key:
                del self._listed[mark]

    def similar(self, hashes: array) -> list[Hashable]:
        """The keys of at most `MOST_FOUND` texts that share marks with this one, those first that share what few have."""
        shared: dict[Hashable, float] = defaultdict(float)
        for mark in _sketch(hashes):
            listed = self._listed.get(mark)
            if isinstance(listed, list):
                for key in listed:
                    shared[key] += 1 / len(listed)
            elif listed is not None:
                shared[listed] += 1.0
        return heapq.nlargest(MOST_FOUND, shared, key=shared.__getitem__) if len(shared) > MOST_FOUND else list(shared)


def _sketch(hashes: array) -> list[int]:
    # Multiplying and taking the middle bits scatters the pairs, so that the smallest are a fair sample.
    pairs = {(first * 0x9E3779B97F4A7C15 + second) * 0xC2B2AE3D27D4EB4F >> 33 & 0x3FFFFFFF for first, second in pairwise(hashes)}
    whole = 1 << 32 | zlib.crc32(hashes.tobytes())  # larger than any pair
    return [*sorted(pairs)[:SKETCH], whole]
