"""The settings of a recommender's run, section by section (see `tfarch.settings`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tfarch.settings import Settings, option


@dataclass(frozen=True)
class DataSettings:
    """Where events and items come from."""

    interactions: str | None = option(None, "CSV/TSV/JSONL of events, or tfds:movielens/100k-ratings; none: the small MovieLens")
    items: str | None = option(None, "CSV/TSV/JSONL of items; none: nothing is known of them but their events")
    user_column: str = option("user", "name of the column that holds the user")
    item_column: str = option("item", "name of the column that holds the item, in both files")
    behaviour_column: str = option("behaviour", "name of the column that says what the user did; may be missing")
    time_column: str = option("timestamp", "name of the column that holds the time, ISO 8601 or seconds since 1970; may be missing")
    value_column: str = option("rating", "name of the column that holds a rating or a weight; may be missing")
    title_column: str = option("title", "name of the column that holds an item's title; may be missing")
    text_columns: list[str] = option(
        ["title", "description", "tags"], "columns that make an item's text, joined in this order; may be missing"
    )
    category_column: str = option("category", "name of the column that holds an item's categories, with | between them; may be missing")
    since_column: str = option(
        "since", "name of the column that says since when an item is there: a year, a date, or seconds; may be missing"
    )
    liked: float = option(0.0, "value from which on an event is what its user wanted (ratings of 1 to 5: 4)")
    strict: bool = option(False, "stop on bad rows instead of skipping and reporting them")


@dataclass(frozen=True)
class FactorsSettings:
    """The linear item-item model."""

    rank: int = option(64, "numbers of an item", least=1)
    l2: float = option(150.0, "weight decay, in events", least=1e-6)


@dataclass(frozen=True)
class InterestSettings:
    """The interest model: towers for the items' texts and for the users' histories."""

    structure: Literal["averaged", "pretrained", "none"] = option(
        "averaged", "of the items' texts: averaged word embeddings, or the pre-trained encoder; or no interest model at all"
    )
    layers: int = option(0, "upper layers of the pre-trained encoder that learn too; the others' states are computed once", least=0)
    encoder_rate: float = option(0.02, "factor of the learning rate of these layers", least=0)
    width: int = option(64, "width of the vectors of items and users", least=1)
    vocabulary: int = option(
        3000, "most word pieces that the tokeniser of averaged embeddings may have, which is trained on the items' texts", least=16
    )
    max_length: int = option(32, "tokens of an item's text, [CLS] and [SEP] included; longer texts are cut", least=3)
    user_tower: Literal["mean", "attention"] = option("attention", "the fading mean of a history, or that and what causal attention adds")
    ids: bool = option(True, "items with events have vectors of their own beside their texts'")
    objective: Literal["next", "match"] = option(
        "next", "next: what a user takes next, of all; match: whether he wants what he comes upon (click or not, 5 stars or 2)"
    )
    hard_negatives: int = option(
        0, "items beside each stretch of a history that its user did not have, though the linear model would have thought so", least=0
    )
    epochs: int = option(4, "passes over the events", least=1)
    batch_size: int = option(8, "stretches of histories of one update", least=1)
    learning_rate: float = option(5e-3, "peak learning rate", least=0)


@dataclass(frozen=True)
class EvaluateSettings:
    """How it is measured: by default at moments at which all events before are learned from, and users asked for what they do next."""

    split: Literal["time", "last", "random", "cold_items"] = option(
        "time",
        "time: moments; last: the last event of each user; random: a share of his events; cold_items: items that nothing is learned of. All but time leak time",
    )
    share: float = option(0.2, "of a user's events (random), or of the items (cold_items), that is asked for", least=0.01, most=0.9)
    quantiles: list[float] = option([0.5, 0.6, 0.7, 0.8, 0.9], "moments, as shares of the events", least=0.05, most=0.99)
    least_rows: int = option(10, "events of a user after a moment, without which he is not asked for", least=2)


@dataclass(frozen=True)
class ExportSettings:
    """What the bundle holds beside what `recommend` needs."""

    index: Literal["float32", "int8"] = option("float32", "numbers of the items' vectors; int8: a quarter of the size")
    search: Literal["auto", "exact", "approximate"] = option(
        "auto", "whether all items are scored for a user, or those that an index finds; auto: an index from 100,000 items on"
    )
    text_tower: Literal["float32", "float16", "dynamic_int8"] = option("dynamic_int8", "variant of the text tower's TFLite file")
    tflite: bool = option(True, "a TFLite file, history to the best items")
    saved_model: bool = option(True, "a SavedModel for TF Serving, histories of item ids to the best items")


@dataclass(frozen=True)
class RecommenderSettings(Settings):
    """All settings of a run that makes a recommender."""

    data: DataSettings = field(default_factory=DataSettings)
    factors: FactorsSettings = field(default_factory=FactorsSettings)
    interest: InterestSettings = field(default_factory=InterestSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)
    seed: int = option(0, "seed of everything that is random", least=0, most=2**32 - 1)
