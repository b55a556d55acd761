"""Why the model answered a text as it did: what each word did to the answer, the scope rule's score, and the training rows that are nearest.

How words are weighed is a method: `tfarch.runtime.occlusion` asks the file that ships; `tfarch.pipeline.explanation_job` has another, for the float model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tfarch.runtime.known_rows import Neighbour
from tfarch.runtime.tokeniser import Located

if TYPE_CHECKING:
    from tfarch.runtime.classifier import Prediction
    from tfarch.runtime.passages import Parts

NO_ROWS = "the training rows that are nearest cannot be shown: this bundle holds no texts of training rows (export.example_texts)"
NO_VECTORS = "the training rows that are nearest cannot be found: this file gives no text vectors (export it again)"
MOVING = 5  # words that are shown at most as those that moved the answer
_TOGETHER = 32  # texts whose words are weighed in one call of a method
_SHARE = 0.2  # of the weight of the strongest: a word under it hardly moved anything


@dataclass(frozen=True)
class Completeness:
    """How well attributions add up to what they explain (integrated gradients; Sundararajan et al. 2017, proposition 1).

    difference: the log-odds of the text less those of the baseline, which the sum should be.
    total: the sum of all attributions.
    tolerance: the gap that is allowed between the two.
    steps: points of the path at which the gradient was taken.
    """

    difference: float
    total: float
    tolerance: float
    steps: int

    @property
    def gap(self) -> float:
        """The distance of the sum from the difference."""
        return abs(self.total - self.difference)

    @property
    def holds(self) -> bool:
        """Whether the gap is within the tolerance."""
        return self.gap <= self.tolerance

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a line of `predict --explain --json`."""
        names = ("difference", "total", "gap", "tolerance", "steps", "holds")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Weights:
    """What a method found for the words of one text.

    words: what each word counts for the label, in log-odds, float64 `[words]`.
    scope: what each word does to the score of the scope rule, float64 `[words]`; None where there is no rule or the method does not look.
    notes: sentences that the reader should know.
    label: the label that was weighed, where it is another than the one that was asked for.
    """

    words: np.ndarray
    scope: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    label: str | None = None
    completeness: Completeness | None = None


@dataclass(frozen=True)
class Word:
    """A word of the text, which is `text[start:end]`.

    weight: how much it speaks for the label that is explained, in log-odds; below 0: against it.
    scope: how much it raises the score of the scope rule (higher: more in scope); None where that is not known.
    """

    text: str
    start: int
    end: int
    weight: float
    scope: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a line of `predict --explain --json`."""
        known = {} if self.scope is None else {"scope": self.scope}
        return {"text": self.text, "start": self.start, "end": self.end, "weight": self.weight, **known}


@dataclass(frozen=True)
class Scope:
    """The score of a text by the bundle's rule; below the threshold it is out of scope."""

    method: str
    score: float
    threshold: float

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a line of `predict --explain --json`."""
        return {"method": self.method, "score": self.score, "threshold": self.threshold}


@dataclass(frozen=True)
class Explanation:
    """Why a text was answered as it was.

    label: what the weights of the words are for or against: the most probable label, also where the text is out of scope.
    method: how the words were weighed.
    words: in the order of the text; those that the model did not read are left out.
    scope: None where the bundle has no rule.
    nearest: training rows, the nearest first; empty where none are known, which `notes` then says.
    notes: sentences that the reader should know.
    """

    prediction: Prediction
    label: str
    method: str
    words: tuple[Word, ...]
    scope: Scope | None
    nearest: tuple[Neighbour, ...]
    notes: tuple[str, ...]
    completeness: Completeness | None = None

    def moving(self, most: int = MOVING) -> tuple[Word, ...]:
        """The words that moved the answer most, for or against, the strongest first; where the text is out of scope, those that moved the scope score."""
        return strongest(self.words, self.moved, most)

    @property
    def by_scope(self) -> bool:
        """Whether the scope score is what is to be explained: the text is out of scope, and what its words did to the score is known."""
        return bool(self.prediction.out_of_scope) and any(word.scope is not None for word in self.words)

    def moved(self, word: Word) -> float:
        """What a word did to the scope score where that is to be explained, and to the label's log-odds where not."""
        return word.scope if self.by_scope and word.scope is not None else word.weight

    def as_dict(self) -> dict[str, Any]:
        """The object `explanation` of a line of `predict --explain --json`."""
        return {
            "method": self.method,
            "label": self.label,
            "words": [word.as_dict() for word in self.words],
            "scope": None if self.scope is None else self.scope.as_dict(),
            "nearest": [row.as_dict() for row in self.nearest],
            "notes": list(self.notes),
            **({} if self.completeness is None else {"completeness": self.completeness.as_dict()}),
        }


def strongest(words: Sequence[Word], value: Callable[[Word], float], most: int = MOVING) -> tuple[Word, ...]:
    """The words of the largest `value`, above or below 0, the strongest first; those that are weak beside it are left out."""
    ordered = sorted(words, key=lambda word: abs(value(word)), reverse=True)[:most]
    return tuple(word for word in ordered if abs(value(word)) > _SHARE * abs(value(ordered[0])))


class Method(Protocol):
    """A way of weighing words."""

    name: str

    def __call__(self, texts: Sequence[Located], labels: Sequence[str]) -> Sequence[Weights]:
        """What each word of each text counts for the label that stands beside it."""


def explanations(
    parts: Parts,
    located: Sequence[Located],
    predictions: Sequence[Prediction],
    scopes: Sequence[Scope | None],
    neighbours: Sequence[tuple[Neighbour, ...]],
    method: Method,
    missing: tuple[str, ...],
) -> list[Explanation]:
    """Explanations of n texts from what is known of each, the words of their `located` parts weighed by `method`; `missing` tells what is not known of any."""
    weights: list[Weights] = []
    for start in range(0, len(located), _TOGETHER):
        owners = parts.owners[start : start + _TOGETHER]
        weights += method(located[start : start + _TOGETHER], [predictions[owner].label for owner in owners])
    shares = parts.shares([len(each.ids) for each in located]).tolist()
    bounds = np.searchsorted(parts.owners, np.arange(parts.count + 1)).tolist()
    found = []
    for number, prediction in enumerate(predictions):
        own = range(bounds[number], bounds[number + 1])
        words = (word for part in own for word in _words(located[part], weights[part], parts.starts[part], shares[part]))
        main = weights[max(own, key=lambda part: shares[part])]
        found.append(
            Explanation(
                prediction=prediction,
                label=main.label or prediction.label,
                method=method.name,
                words=tuple(words),
                scope=scopes[number],
                nearest=neighbours[number],
                notes=(*_notes([(located[part], weights[part]) for part in own]), *missing),
                completeness=_completeness([(weights[part], shares[part]) for part in own]),
            )
        )
    return found


def _words(text: Located, weights: Weights, at: int, share: float) -> list[Word]:
    """The words of a part that begins at the place `at` of its text and has this share in it."""
    scope = [None] * len(text.spans) if weights.scope is None else (share * weights.scope).tolist()
    return [
        Word(text.text[start:end], at + start, at + end, weight, pull)
        for (start, end), weight, pull in zip(text.spans, (share * weights.words).tolist(), scope, strict=True)
    ]


def _notes(parts: Sequence[tuple[Located, Weights]]) -> list[str]:
    """What is to be told of the parts of one text: of several, of how many."""
    counts: Counter[str] = Counter()
    for text, weights in parts:
        words = len(text.spans)
        cut = (f"only its first {words} words were read: the rest is beyond the model's longest text",) if text.cut else ()
        counts.update((*cut, *weights.notes))
    if len(parts) == 1:
        return list(counts)
    passages = f"it was read by its {len(parts)} passages: a word counts what it counts in its own, by the share of that in the text"
    return [passages, *(f"of {count} of them: {note}" for note, count in counts.items())]


def _completeness(parts: Sequence[tuple[Weights, float]]) -> Completeness | None:
    """That of the parts of one text with their shares, put together as their words are."""
    known = [(weights.completeness, share) for weights, share in parts if weights.completeness is not None]
    if not known:
        return None
    sums = [sum(share * getattr(each, name) for each, share in known) for name in ("difference", "total", "tolerance")]
    return Completeness(*sums, max(each.steps for each, _ in known))
