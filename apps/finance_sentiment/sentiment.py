"""The two tasks of the app's model, and the scale of a sentiment: which labels are its ends, and the score between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfarch.errors import InputError

if TYPE_CHECKING:
    import numpy as np

SENTIMENT, TOPIC = "sentiment", "topic"
NEGATIVE, POSITIVE = "negative", "positive"
# What other data call the two ends.
WORDS = {NEGATIVE: (NEGATIVE, "neg", "bearish", "bad"), POSITIVE: (POSITIVE, "pos", "bullish", "good")}
# And where they are numbers with a sign: of 0, 1 and 2 nothing says what the 1 is.
NUMBERS = {NEGATIVE: ("-1", "-1.0"), POSITIVE: ("1", "1.0", "+1")}


def end_of(labels: Sequence[str], end: str) -> int | None:
    """The number of the class that is this end of the scale, `NEGATIVE` or `POSITIVE`; None where no label says so."""
    lowered = [label.lower() for label in labels]
    signed = any(label in NUMBERS[NEGATIVE] for label in lowered)
    known = (*WORDS[end], *(NUMBERS[end] if signed else ()))
    return next((number for number, label in enumerate(lowered) if label in known), None)


def ends_of(labels: Sequence[str]) -> tuple[int, int]:
    """The numbers of the negative and the positive class.

    Raises:
        InputError: the labels do not say which they are.
    """
    negative, positive = (end_of(labels, end) for end in (NEGATIVE, POSITIVE))
    if negative is None or positive is None:
        missing = NEGATIVE if negative is None else POSITIVE
        words = ", ".join((*WORDS[missing], NUMBERS[missing][0]))
        raise InputError(f"none of the sentiments {', '.join(labels)} is {missing}", mend=f"known for it: {words}")
    return negative, positive


def scores(tasks: Mapping[str, Any], probabilities: Mapping[str, np.ndarray]) -> list[dict[str, float]]:
    """P(positive) - P(negative) of each text, from -1 to 1; nothing where the model has no such sentiment."""
    texts = len(next(iter(probabilities.values())))
    if SENTIMENT not in tasks:
        return [{}] * texts
    try:
        negative, positive = ends_of(tasks[SENTIMENT].labels)
    except InputError:
        return [{}] * texts
    own = probabilities[SENTIMENT]
    return [{"score": round(float(row[positive] - row[negative]), 4)} for row in own]
