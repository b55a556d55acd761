"""Finds the entry of a small collection (an FAQ) that answers a question: by the encoder's vectors, by words (BM25), and by both.

The score of an entry is `cosine * c + words * w`, where `cosine` is that of the text vectors and `words` the BM25 score (Robertson and Zaragoza 2009) as a
share of what the question could reach. Together with the constant `n` of "none of them" the scores are logits: their softmax is the probability that
an entry answers the question, or that none does. The three numbers are fitted on questions whose entry is known (`fit_weights`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tfarch.runtime.scope import unit

NONE = -1  # the target of a question that no entry answers


@dataclass(frozen=True)
class Weights:
    """What cosine and words count, and the logit of "none of them"."""

    cosine: float
    words: float
    none: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)

    def probabilities(self, cosines: np.ndarray, words: np.ndarray) -> np.ndarray:
        """`[questions, entries + 1]`, the last column for "none of them", from two `[questions, entries]`."""
        logits = self.cosine * cosines + self.words * words
        logits = np.concatenate([logits, np.full((len(logits), 1), self.none)], axis=1)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)


class Words:
    """BM25 over the words of texts (bm25s by Lù 2024, Lucene's variant), English stop words left out."""

    def __init__(self, texts: Sequence[str]):
        import bm25s  # 0.3 s to import: only who searches pays for it

        self._library = bm25s
        self._words = [set(words) for words in self._tokens(texts)]
        self._index = bm25s.BM25(method="lucene")
        if any(self._words):
            self._index.index(self._tokens(texts), show_progress=False)
        counts: dict[str, int] = {}
        for words in self._words:
            for word in words:
                counts[word] = counts.get(word, 0) + 1
        rows = len(texts)
        self._weights = {word: float(np.log(1 + (rows - count + 0.5) / (count + 0.5))) for word, count in counts.items()}
        self._rarest = float(np.log(1 + (rows + 0.5) / 0.5))  # of a word that no entry has

    def scores(self, questions: Sequence[str]) -> np.ndarray:
        """`[questions, entries]`: each entry's BM25 score over the sum of the question's word weights, 0 where no word is shared."""
        result = np.zeros((len(questions), len(self._words)))
        for row, words in enumerate(self._tokens(questions)):
            known = [word for word in words if word in self._weights]
            if known:
                reachable = sum(self._weights.get(word, self._rarest) for word in words)
                result[row] = self._index.get_scores(known) / reachable
        return result

    def _tokens(self, texts: Sequence[str]) -> list[list[str]]:
        return self._library.tokenize(list(texts), stopwords="en", return_ids=False, show_progress=False)


def cosines(questions: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """`[questions, entries]` of two tables of vectors `[n, width]`."""
    return unit(questions) @ unit(entries).T


def fit_weights(cosine: np.ndarray, words: np.ndarray, targets: np.ndarray, *, l2: float = 1e-3, steps: int = 200) -> Weights:
    """The weights under which the known entries are most probable: a conditional logit (McFadden 1974) with an outside option.

    Minimises the mean negative log-likelihood + l2 / 2 * (cosine^2 + words^2) by Newton steps; it is convex.

    Args:
        cosine, words: `[questions, entries]`.
        targets: the number of the entry that answers each question, or `NONE`.
    """
    questions, entries = cosine.shape
    features = np.zeros((questions, entries + 1, 3))
    features[:, :-1, 0], features[:, :-1, 1], features[:, -1, 2] = cosine, words, 1.0
    chosen = np.where(targets == NONE, entries, targets)
    penalty = np.array([l2, l2, 1e-6])
    weights = np.array([5.0, 1.0, 3.0])

    def loss(candidate: np.ndarray) -> float:
        logits = features @ candidate
        highest = logits.max(axis=1)
        total = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
        return float((total - logits[np.arange(questions), chosen]).mean() + 0.5 * (penalty * candidate**2).sum())

    value = loss(weights)
    for _ in range(steps):
        logits = features @ weights
        probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        expected = np.einsum("qe,qef->qf", probabilities, features)
        gradient = (expected - features[np.arange(questions), chosen]).mean(axis=0) + penalty * weights
        second = np.einsum("qe,qef,qeg->fg", probabilities, features, features) / questions - expected.T @ expected / questions
        direction = np.linalg.solve(second + np.diag(penalty), gradient)
        size = 1.0
        while size > 1e-6 and loss(weights - size * direction) > value:
            size /= 2
        moved = loss(weights - size * direction)
        if value - moved < 1e-10:
            break
        weights, value = weights - size * direction, moved
    return Weights(*map(float, weights))
