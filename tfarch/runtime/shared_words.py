"""How much the words of items are shared: BM25 from every item of a history to all items, its sum by weights.

BM25 (Robertson and Zaragoza 2009, equation 3.15, with Lucene's idf) is a sum over the words of a query, so that of a weighted history is a sum over its items too: what each
of them gave can be told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

K1, B = 1.2, 0.75
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class SharedWords:
    """The words of m items.

    words: of all items together.
    asked: int64 `[m + 1]`; the words of item i are `queries[asked[i]:asked[i + 1]]`, int32, as often as they stand in its text.
    starts: int64 `[words + 1]`; the items that have word w are `items[starts[w]:starts[w + 1]]`, int32, and how often it stands in each `times`, int32.
    rarity: what a word counts, float64 `[words]`; length: what `times` are measured by, float64 `[m]`, so that BM25 of a word and an item that has it is
        rarity * times * (K1 + 1) / (times + length): `weights`, float32.

    Raises:
        ValueError: they are not of the same items and words.
    """

    words: tuple[str, ...]
    asked: np.ndarray
    queries: np.ndarray
    starts: np.ndarray = field(init=False)
    items: np.ndarray = field(init=False)
    times: np.ndarray = field(init=False)
    rarity: np.ndarray = field(init=False)
    length: np.ndarray = field(init=False)
    weights: np.ndarray = field(init=False)

    def __post_init__(self):
        count, lengths = len(self), np.diff(self.asked)
        if self.asked[-1] != len(self.queries) or (
            len(self.queries) and not 0 <= self.queries.min() <= self.queries.max() < len(self.words)
        ):
            raise ValueError("words that are not those of the items")
        pairs, times = np.unique(self.queries.astype(np.int64) * count + np.repeat(np.arange(count), lengths), return_counts=True)
        words, items = np.divmod(pairs, max(1, count))
        starts = np.searchsorted(words, np.arange(len(self.words) + 1))
        having = np.diff(starts)
        rarity = np.log(1.0 + (count - having + 0.5) / (having + 0.5))
        length = K1 * (1.0 - B + B * lengths / max(1.0, float(lengths.mean()) if count else 0.0))
        weights = rarity[words] * times * (K1 + 1.0) / (times + length[items])
        found = {"starts": starts, "items": items.astype(np.int32), "times": times.astype(np.int32), "rarity": rarity, "length": length}
        for name, value in {**found, "weights": weights.astype(np.float32)}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, texts: Sequence[str]) -> SharedWords:
        """Of these texts, in lower case, split at all that is no letter, digit or underscore."""
        return cls._of([_split(text) for text in texts])

    def with_texts(self, texts: Mapping[int, str], added: Sequence[str]) -> SharedWords:
        """Of these items with the texts of some replaced, by their numbers, and others after them: as of all these texts from the first."""
        own = [[self.words[each] for each in self.queries[self.asked[item] : self.asked[item + 1]]] for item in range(len(self))]
        for item, text in texts.items():
            own[item] = _split(text)
        return self._of([*own, *map(_split, added)])

    @classmethod
    def _of(cls, split: Sequence[Sequence[str]]) -> SharedWords:
        numbers: dict[str, int] = {}
        for words in split:
            for word in words:
                numbers.setdefault(word, len(numbers))
        queries = np.array([numbers[word] for words in split for word in words], np.int32)
        asked = np.concatenate([[0], np.cumsum([len(words) for words in split])]).astype(np.int64)
        return cls(tuple(numbers), asked, queries)

    def __len__(self) -> int:
        return len(self.asked) - 1

    def scores(self, items: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The weighted sum over `items` `[n]` of BM25 with each of them as query, float32 `[m]`."""
        query = np.zeros(len(self.words), np.float32)
        for item, weight in zip(items, weights, strict=True):
            np.add.at(query, self.queries[self.asked[item] : self.asked[item + 1]], np.float32(weight))
        return self._scores(query)

    def scores_of_texts(self, texts: Sequence[str], weights: np.ndarray) -> np.ndarray:
        """As `scores`, with texts that need not be an item's; words that no item has count nothing."""
        numbers = self._numbers() if len(texts) else {}
        query = np.zeros(len(self.words), np.float32)
        for text, weight in zip(texts, weights, strict=True):
            for word in _split(text):
                if word in numbers:
                    query[numbers[word]] += np.float32(weight)
        return self._scores(query)

    def score(self, item: int, text: int | str) -> float:
        """BM25 of one item with another item's text, or with this text, as the query."""
        if isinstance(text, str):
            numbers = self._numbers()
            words = [numbers[word] for word in _split(text) if word in numbers]
        else:
            words = self.queries[self.asked[text] : self.asked[text + 1]].tolist()
        total = 0.0
        for word in words:
            begin, end = self.starts[word], self.starts[word + 1]
            place = begin + np.searchsorted(self.items[begin:end], item)
            if place < end and self.items[place] == item:
                total += float(self.weights[place])
        return total

    def _scores(self, query: np.ndarray) -> np.ndarray:
        found = np.zeros(len(self), np.float32)
        for word in np.flatnonzero(query):
            span = slice(self.starts[word], self.starts[word + 1])
            np.add.at(found, self.items[span], query[word] * self.weights[span])  # three times as fast as found[items] += ...
        return found

    def _numbers(self) -> Mapping[str, int]:
        return {word: number for number, word in enumerate(self.words)}


def _split(text: str) -> list[str]:
    return _WORD.findall(text.lower())
