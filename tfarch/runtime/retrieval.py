"""Finds the entry of a small collection (an FAQ) that answers a question: by the encoder's vectors, by words (BM25), and by both.

Each entry has features, such as the cosines of the question's text vector to those of the entry's fields, and its BM25 score (Robertson and Zaragoza 2009)
as a share of what the question could reach. Their weighted sums are logits beside the constant of "none of them": their softmax is the
probability that an entry answers the question, or that none does. The weights are fitted on questions whose entry is known (`fit_weights`).
"""

from __future__ import annotations

import logging
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfarch.runtime.logistic import log_sum_exp, minimise, softmax
from tfarch.runtime.scope import unit

PASSAGE = 40  # words that an encoder of 64 tokens reads whole, a question before them
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
NONE = -1  # the target of a question that no entry answers


@dataclass(frozen=True)
class Weights:
    """What each feature counts, and the logit of "none of them"."""

    features: tuple[float, ...]
    none: float

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """`[questions, entries + 1]`, the last column for "none of them", from features `[questions, entries, features]`."""
        logits = features @ np.asarray(self.features, np.float64)
        return softmax(np.concatenate([logits, np.full((len(logits), 1), self.none)], axis=1))


class Words:
    """BM25 over the words of texts (bm25s by Lù 2024, Lucene's variant), English stop words left out."""

    def __init__(self, texts: Sequence[str]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a notebook without widgets is told so by its progress bars, which are not used
            import bm25s  # 0.3 s to import: only who searches pays for it
        logging.getLogger("bm25s").setLevel(logging.WARNING)  # it asks for every debug message to be shown

        self._library = bm25s
        tokens = self._tokens(texts)
        self._index = bm25s.BM25(method="lucene")
        if any(tokens):
            self._index.index(tokens, show_progress=False)
        counts = Counter(word for words in tokens for word in set(words))
        self._entries = rows = len(texts)
        self._weights = {word: float(np.log(1 + (rows - count + 0.5) / (count + 0.5))) for word, count in counts.items()}
        self._rarest = float(np.log(1 + (rows + 0.5) / 0.5))  # of a word that no entry has

    def scores(self, questions: Sequence[str]) -> np.ndarray:
        """`[questions, entries]`: each entry's BM25 score over the sum of the question's word weights, 0 where no word is shared."""
        result = np.zeros((len(questions), self._entries))
        for row, words in enumerate(self._tokens(questions)):
            known = [word for word in words if word in self._weights]
            if known:
                reachable = sum(self._weights.get(word, self._rarest) for word in words)
                result[row] = self._index.get_scores(known) / reachable
        return result

    def _tokens(self, texts: Sequence[str]) -> list[list[str]]:
        return self._library.tokenize(list(texts), stopwords="en", return_ids=False, show_progress=False)


def passages(text: str, most: int = PASSAGE) -> list[str]:
    """A text cut into pieces of at most `most` words, at the ends of sentences and lines where it can; whole sentences share a piece while there is room."""
    pieces: list[list[str]] = [[]]
    for sentence in _SENTENCE_END.split(text.strip()):
        words = sentence.split()
        if len(pieces[-1]) + len(words) > most and pieces[-1]:
            pieces.append([])
        while len(words) > most:
            pieces[-1:] = [words[:most], []]
            words = words[most:]
        pieces[-1] += words
    return [" ".join(piece) for piece in pieces if piece] or [text]


def cosines(questions: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """`[questions, entries]` of two tables of vectors `[n, width]`."""
    return unit(questions) @ unit(entries).T


def fit_weights(features: np.ndarray, targets: np.ndarray, *, l2: float = 1e-3) -> Weights:
    """The weights under which the known entries are most probable.

    Args:
        features: `[questions, entries, features]`.
        targets: the number of the entry that answers each question, or `NONE`.
        l2: penalty of the features' weights; that of "none of them" is free.
    """
    questions, entries, count = features.shape
    alternatives = np.zeros((questions, entries + 1, count + 1))
    alternatives[:, :-1, :-1], alternatives[:, -1, -1] = features, 1.0
    penalty = np.append(np.full(count, l2), 1e-6)
    *weights, none = conditional_logit(alternatives, np.where(targets == NONE, entries, targets), penalty)
    return Weights(tuple(map(float, weights)), float(none))


def conditional_logit(features: np.ndarray, chosen: np.ndarray, penalty: np.ndarray, importance: np.ndarray | None = None) -> np.ndarray:
    """Weights `[f]` of a conditional logit (McFadden 1974): P(alternative) = softmax(features @ weights).

    Minimises the mean negative log-likelihood + the sum of penalty / 2 * weight^2, which is convex.

    Args:
        features: `[n, alternatives, f]`.
        chosen: number of the right alternative `[n]`.
        penalty: `[f]`, above 0.
        importance: what each row counts `[n]`; None: all the same.
    """
    rows = np.arange(len(features))
    share = np.full(len(features), 1.0 / len(features)) if importance is None else importance / importance.sum()

    def loss(weights: np.ndarray) -> float:
        logits = features @ weights
        return float(share @ (log_sum_exp(logits) - logits[rows, chosen]) + 0.5 * (penalty * weights**2).sum())

    def slopes(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        probabilities = softmax(features @ weights)
        expected = np.einsum("na,naf->nf", probabilities, features)
        spread = features - expected[:, None, :]
        second = np.einsum("n,na,naf,nag->fg", share, probabilities, spread, spread, optimize=True) + np.diag(penalty)
        return share @ (expected - features[rows, chosen]) + penalty * weights, second

    return minimise(loss, slopes, np.zeros(features.shape[2]))
