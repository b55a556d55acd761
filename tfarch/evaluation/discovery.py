"""What people ask that no intent answers: texts grouped by their vectors, each group named by its words, as candidates for new intents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfarch.evaluation.clusters import cut, merges
from tfarch.runtime.scope import unit

NAME_WORDS = 3
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True)
class Cluster:
    """Texts that ask the same.

    name: its words joined by underscores, fit to be a label; no other cluster has it.
    words: what sets it apart from the other texts, the strongest first.
    rows: numbers of its texts, the most typical (nearest to the mean vector) first.
    """

    name: str
    words: tuple[str, ...]
    rows: tuple[int, ...]

    def as_dict(self, texts: Sequence[str]) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        chosen = [texts[row] for row in self.rows]
        return {"name": self.name, "words": list(self.words), "size": len(chosen), "medoid": chosen[0], "texts": chosen}


def find_clusters(
    texts: Sequence[str],
    vectors: np.ndarray,
    groups: np.ndarray,
    *,
    least: float,
    min_size: int,
    taken: Collection[str] = (),
) -> list[Cluster]:
    """The clusters, largest first; texts in none of them are left over. The same texts give the same clusters, without a seed.

    Args:
        texts: n texts.
        vectors: theirs, `[n, width]`.
        groups: `[n]`, a number that texts have in common which say the same: they count in averages, but are one point.
        least: average cosine at which two clusters are one.
        min_size: texts of a cluster, at least.
        taken: names that a cluster may not have.

    Raises:
        ValueError: there are more than `tfarch.evaluation.clusters.MOST` groups.
    """
    if not texts:
        return []
    _, first, place, counts = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    numbers = cut(merges(vectors[first], counts), len(first), least)[place]
    units = unit(vectors)
    members = [np.flatnonzero(numbers == number) for number in range(numbers.max() + 1)]
    members = sorted((rows for rows in members if len(rows) >= min_size), key=lambda rows: -len(rows))
    ordered = [rows[np.argsort(-(units[rows] @ units[rows].sum(axis=0)), kind="stable")] for rows in members]
    words = distinguishing_words(texts, ordered)
    names = _names(words, taken)
    return [Cluster(name, found, tuple(map(int, rows))) for name, found, rows in zip(names, words, ordered, strict=True)]


def distinguishing_words(texts: Sequence[str], clusters: Sequence[Sequence[int]], most: int = NAME_WORDS) -> list[tuple[str, ...]]:
    """The words of each cluster by class-based TF-IDF (Grootendorst 2022, BERTopic): share of its texts with the word * log(1 + A / f).

    f is the texts with the word and A the texts of a cluster on average, the texts outside all clusters being one cluster more; so that one long text
    cannot name its cluster, a word counts once a text, and one that stands in a single text of a cluster is left out where another does not.
    """
    from bm25s.stopwords import STOPWORDS_EN_PLUS  # 0.3 s to import: only who asks pays for it

    stop = {*STOPWORDS_EN_PLUS}
    words = [set(_WORD.findall(text.casefold().replace("\u2019", "'"))) - stop for text in texts]
    frequency = Counter(word for each in words for word in each)
    average = len(texts) / (len(clusters) + 1)
    result = []
    for rows in clusters:
        own = Counter(word for row in rows for word in words[row])
        weights = {word: count / len(rows) * np.log1p(average / frequency[word]) for word, count in own.items()}
        ranked = sorted(weights, key=lambda word: (own[word] == 1, -weights[word], word))
        shared = [word for word in ranked if own[word] > 1]
        result.append(tuple((shared or ranked)[:most]))
    return result


def _names(words: Sequence[Sequence[str]], taken: Collection[str]) -> list[str]:
    names: list[str] = []
    for each in words:
        base = name = "_".join(each) or "unnamed"
        number = 2
        while name in taken or name in names:
            name = f"{base}_{number}"
            number += 1
        names.append(name)
    return names
