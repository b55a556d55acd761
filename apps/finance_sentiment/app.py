"""What only this app knows: its sample, the two tasks of its model, and the score that joins the probabilities of a sentiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.finance_sentiment.verbs import VERBS
from tfarch.app import App

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


APP = App(
    name="finance_sentiment",
    title="Tells topic and sentiment (negative, neutral, positive) of financial texts, and when bad news of a topic surges.",
    sample=Path(__file__).parent / "data",
    sample_licence="Apache-2.0",
    # News and posts end in addresses, mostly shortened: of the tokens of 26,533 tweets on markets 36 in 100 are theirs.
    defaults={"data": {"tasks": [SENTIMENT, TOPIC], "addresses": "shorten"}},
    # Half of the rows and one pass: a look at what comes out, not a model to keep.
    quick={
        "data": {"limit": 360},
        "train": {"epochs": 1},
        "evaluate": {"latency_texts": 50, "latency_repeats": 1},
        "export": {"variants": ["float32", "dynamic_int8"], "agreement_bound": 0.8},
    },
    long_texts=True,
    measure=scores,
    verbs=VERBS,
)
