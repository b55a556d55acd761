"""What only this app knows: its sample, the two tasks of its model, how a look at it is quick, and its verbs."""

from pathlib import Path

from apps.finance_sentiment.sentiment import SENTIMENT, TOPIC, scores
from apps.finance_sentiment.verbs import VERBS
from tfarch.app import App

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
