"""What the model says of items: topic, whether it is bad news, and the score."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.finance_sentiment.sentiment import NEGATIVE, POSITIVE, SENTIMENT, TOPIC, end_of
from tfarch.errors import InputError
from tfarch.quiet import quiet
from tfarch.runtime import load_classifier
from tfarch.runtime.multitask import MultitaskClassifier
from tfarch.runtime.passages import of_texts
from tfarch.runtime.signature import VECTOR

EVERYTHING = "all"  # the topic of a model that knows none
_BATCH = 8  # texts that one network answers at once: 4 to 16 are alike, 32 a tenth slower


@dataclass(frozen=True)
class Judgement:
    """What is thought of an item.

    topic: the number of its topic; None where the model calls the topic out of scope.
    score: P(positive) - P(negative).
    """

    topic: int | None
    negative: bool
    score: float


def _in_order(found: Sequence[tuple[np.ndarray, ...]], shares: Sequence[Sequence[int]], texts: int) -> list[np.ndarray]:
    """The outputs `[texts, ...]` of all shares in the order of the texts."""
    joined = []
    for parts in zip(*found, strict=True):
        result = np.empty((texts, parts[0].shape[1]), np.float32)
        for part, share in zip(parts, shares, strict=True):
            result[share] = part
        joined.append(result)
    return joined


class Reader:
    """A bundle with the head `sentiment`, and mostly `topic`.

    Args:
        threads: texts that are answered side by side.

    Raises:
        BundleError: the bundle is damaged.
        InputError: it has no sentiment with a negative and a positive end.
    """

    def __init__(self, bundle: Path, threads: int):
        with quiet():
            model = load_classifier(bundle)
            # A network for each thread: two with a thread each answer a tenth more texts than one with two, 1,008 and 924 a second of 25 tokens (Zen 4).
            others = [load_classifier(bundle, verify=False) for _ in range(threads - 1)]
        if not isinstance(model, MultitaskClassifier) or SENTIMENT not in model:
            raise InputError(f"is no model with the task {SENTIMENT}", file=bundle, mend="train one with the verb run")
        self.model, self.sentiment, self.topic = model, model[SENTIMENT], model.get(TOPIC)
        ends = [end_of(self.sentiment.labels, end) for end in (NEGATIVE, POSITIVE)]
        if None in ends:
            labels = ", ".join(self.sentiment.labels)
            raise InputError(f"its sentiments are {labels}: none of them is {NEGATIVE}, or {POSITIVE}", file=bundle)
        self._negative, self._positive = ends
        self._long_texts = model.bundle.get("long_texts", True)  # an older bundle does not say
        self._networks = [model.network, *(each.network for each in others)]
        self._pool = ThreadPoolExecutor(len(self._networks), thread_name_prefix="reader")
        digest = hashlib.sha256(repr(sorted(model.bundle["files"].items())).encode()).hexdigest()
        self.version = f"{model.bundle['name']} {model.bundle['created']} {digest[:12]}"

    @property
    def topics(self) -> tuple[str, ...]:
        """The names of the topics that items are counted under."""
        return (EVERYTHING,) if self.topic is None else self.topic.labels

    def judge(self, texts: Sequence[str]) -> list[Judgement]:
        """Both tasks by one pass; a long text by all that it says."""
        if not texts:
            return []
        outputs = (self.sentiment.output, *(() if self.topic is None else (self.topic.output,)), VECTOR)
        # Texts of like length are dealt out in turn, so that the networks end together.
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        shares = [order[first :: len(self._networks)] for first in range(len(self._networks))]
        found = self._pool.map(
            lambda network, share: of_texts(
                network, [texts[number] for number in share], outputs, long_texts=self._long_texts, batch_size=_BATCH
            ),
            self._networks,
            shares,
        )
        sentiment, *rest, vectors = _in_order(list(found), shares, len(texts))
        scores = sentiment[:, self._positive] - sentiment[:, self._negative]
        negative = sentiment.argmax(axis=1) == self._negative
        topics: list[int | None] = [0] * len(texts)
        if self.topic is not None:
            rule = self.topic.out_of_scope
            rejected = [False] * len(texts) if rule is None else rule.rejects(rest[0], vectors)
            topics = [None if out else int(row.argmax()) for row, out in zip(rest[0], rejected, strict=True)]
        return [Judgement(*each) for each in zip(topics, negative.tolist(), scores.astype(float).tolist(), strict=True)]

    def moving_words(self, texts: Sequence[str], most: int = 3) -> list[list[dict[str, Any]]]:
        """The words that made each text's sentiment what it is, `{"word", "weight"}`, by leaving each out (see `tfarch.runtime.occlusion`)."""
        found = self.sentiment.explain(texts, nearest=0, long_texts=self._long_texts) if texts else []
        return [[{"word": word.text, "weight": round(each.moved(word), 3)} for word in each.moving()[:most]] for each in found]
