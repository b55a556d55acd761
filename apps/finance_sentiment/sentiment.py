"""The two tasks of the app's model, and the scale of a sentiment: which labels are its ends, and the score between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SENTIMENT, TOPIC = "sentiment", "topic"
NEGATIVE, POSITIVE = "negative", "positive"
# What other data call the two ends.
SYNONYMS = {"bearish": NEGATIVE, "bullish": POSITIVE, "bad": NEGATIVE, "good": POSITIVE, "-1": NEGATIVE, "1": POSITIVE}


def end_of(labels: Sequence[str], end: str) -> int | None:
    """The number of the class that is this end of the scale, `NEGATIVE` or `POSITIVE`; None where no label says so."""
    return next((number for number, label in enumerate(labels) if end in (label.lower(), SYNONYMS.get(label.lower()))), None)


def scores(tasks: Mapping[str, Any], probabilities: Mapping[str, np.ndarray]) -> list[dict[str, float]]:
    """P(positive) - P(negative) of each text, from -1 to 1; nothing where the model has no such sentiment."""
    texts = len(next(iter(probabilities.values())))
    if SENTIMENT not in tasks:
        return [{}] * texts
    negative, positive = (end_of(tasks[SENTIMENT].labels, end) for end in (NEGATIVE, POSITIVE))
    if negative is None or positive is None:
        return [{}] * texts
    own = probabilities[SENTIMENT]
    return [{"score": round(float(row[positive] - row[negative]), 4)} for row in own]
