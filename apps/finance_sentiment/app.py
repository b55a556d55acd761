"""What only this app knows: its sample, the two tasks of its model, how a look at it is quick, and its verbs."""

from pathlib import Path

from apps.finance_sentiment.sentiment import SENTIMENT, TOPIC, ends_of, scores
from apps.finance_sentiment.verbs import VERBS
from tfarch.app import App
from tfarch.config import Config
from tfarch.errors import InputError
from tfarch.progress import say


def examine(config: Config) -> None:
    """Tells before any work of sentiments that name no negative and positive one: they have no score, and `watch` cannot use the model."""
    if SENTIMENT not in config.data.tasks:
        return
    from tfarch.data.tasks import load_tasks

    labels = load_tasks(config.data, config.seed, config.train.task_weights)[SENTIMENT].labels
    try:
        ends_of(labels)
    except InputError as error:
        say(f"warning: without a score from -1 to 1, and nothing to watch with: {error}")


APP = App(
    name="finance_sentiment",
    title="Tells topic and sentiment (negative, neutral, positive) of financial texts, and when bad news of a topic surges.",
    sample=Path(__file__).parent / "data",
    sample_licence="Apache-2.0",
    # News and posts end in addresses, mostly shortened: of the tokens of 26,533 tweets on markets 36 in 100 are theirs.
    # A set that has one of the two labels is mostly about the same news as the set that has the other. The words of markets are other ones than those of the encoder's
    # texts: with a token table that learns too, 86.2 instead of 85.6 % of 2,000 held-out tweets had their sentiment told (7,543 trained on).
    defaults={
        "data": {"tasks": [SENTIMENT, TOPIC], "addresses": "shorten"},
        "train": {"guess_missing": True, "freeze_below": 5_000},
        "export": {"long_texts": True},
    },
    # Half of the rows and one pass: a look at what comes out, not a model to keep.
    quick={
        "data": {"limit": 360},
        "train": {"epochs": 1},
        "evaluate": {"latency_texts": 50, "latency_repeats": 1},
        "export": {"variants": ["float32", "dynamic_int8"], "agreement_bound": 0.8},
    },
    examine=examine,
    measure=scores,
    verbs=VERBS,
)
