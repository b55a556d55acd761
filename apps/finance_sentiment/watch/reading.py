"""What the model says of items: topic, whether it is bad news, and the score."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.finance_sentiment.app import NEGATIVE, POSITIVE, SENTIMENT, TOPIC, end_of
from tfarch.errors import InputError
from tfarch.quiet import quiet
from tfarch.runtime import load
from tfarch.runtime.multitask import MultitaskClassifier
from tfarch.runtime.passages import of_long_texts
from tfarch.runtime.signature import VECTOR

EVERYTHING = "all"  # the topic of a model that knows none


@dataclass(frozen=True)
class Judgement:
    """What is thought of an item.

    topic: the number of its topic; None where the model calls the topic out of scope.
    score: P(positive) - P(negative).
    """

    topic: int | None
    negative: bool
    score: float


class Reader:
    """A bundle with the head `sentiment`, and mostly `topic`.

    Raises:
        BundleError: the bundle is damaged.
        InputError: it has no sentiment with a negative and a positive end.
    """

    def __init__(self, bundle: Path, threads: int):
        with quiet():
            model = load(bundle, threads=threads)
        if not isinstance(model, MultitaskClassifier) or SENTIMENT not in model:
            raise InputError(f"is no model with the task {SENTIMENT}", file=bundle, mend="train one with the verb run")
        self.model, self.sentiment, self.topic = model, model[SENTIMENT], model.get(TOPIC)
        ends = [end_of(self.sentiment.labels, end) for end in (NEGATIVE, POSITIVE)]
        if None in ends:
            labels = ", ".join(self.sentiment.labels)
            raise InputError(f"its sentiments are {labels}: none of them is {NEGATIVE}, or {POSITIVE}", file=bundle)
        self._negative, self._positive = ends
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
        outputs = [self.sentiment.output, *([] if self.topic is None else [self.topic.output])]
        sentiment, *rest, vectors = of_long_texts(self.model.network, texts, (*outputs, VECTOR))
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
        found = self.sentiment.explain(texts, nearest=0) if texts else []
        return [[{"word": word.text, "weight": round(each.moved(word), 3)} for word in each.moving()[:most]] for each in found]
