"""An index of texts by a few of their word pairs, in which those that share many are found without looking at the rest."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Hashable

from apps.finance_sentiment.stream.headline import KIND_BITS

SKETCH = 6  # word pairs that a text is found by
MOST_LISTED = 32  # texts that are listed under a pair, the latest: "wall street" alone leads to no text
MOST_FOUND = 24  # that are handed out, those that share most


class SketchIndex:
    """Texts under the `SKETCH` smallest hashes of their pairs of neighbouring words (a bottom-k sketch; Broder 1997).

    Two texts whose pairs have a Jaccard similarity s share none of them with probability about (1 - s) ** SKETCH: 0.00006 at 0.8, 0.05 at 0.4. Texts of
    up to `SKETCH` pairs are found for certain, unless `MOST_LISTED` later ones have every pair.
    """

    def __init__(self):
        self._listed: dict[int, Hashable | list] = {}  # one key alone, which most are, or a list

    def add(self, words: array, key: Hashable) -> None:
        """Lists a text under `key`, which is no list."""
        for pair in _sketch(words):
            listed = self._listed.get(pair)
            if listed is None:
                self._listed[pair] = key
            elif isinstance(listed, list):
                listed.append(key)
                del listed[:-MOST_LISTED]
            else:
                self._listed[pair] = [listed, key]

    def remove(self, words: array, key: Hashable) -> None:
        """Takes a text out that was added with these words."""
        for pair in _sketch(words):
            listed = self._listed.get(pair)
            if isinstance(listed, list):
                if key in listed:
                    listed.remove(key)
                if not listed:
                    del self._listed[pair]
            elif listed == key:
                del self._listed[pair]

    def similar(self, words: array) -> list[Hashable]:
        """The keys of texts that share pairs with this one, those that share most first."""
        shared: Counter = Counter()
        for pair in _sketch(words):
            listed = self._listed.get(pair)
            if listed is not None:
                shared.update(listed if isinstance(listed, list) else (listed,))
        return [key for key, _ in shared.most_common(MOST_FOUND)]


def _sketch(words: array) -> list[int]:
    hashes = [word >> KIND_BITS for word in words]
    if len(hashes) == 1:
        return hashes
    # Multiplying and taking the middle bits scatters the pairs, so that the smallest are a fair sample.
    return sorted({(first * 0x9E3779B97F4A7C15 + second) * 0xC2B2AE3D27D4EB4F >> 33 & 0x3FFFFFFF for first, second in zip(hashes, hashes[1:], strict=False)})[
        :SKETCH
    ]
