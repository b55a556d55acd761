"""The settings of a recommender's run, section by section (see `tfarch.settings`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from tfarch.settings import Settings, option


@dataclass(frozen=True)
class DataSettings:
    """Where events and items come from."""

    interactions: str | None = option(None, "CSV/TSV/JSONL of events; none: MovieLens")
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
class RecommenderSettings(Settings):
    """All settings of a run that makes a recommender."""

    data: DataSettings = field(default_factory=DataSettings)
    seed: int = option(0, "seed of everything that is random", least=0, most=2**32 - 1)
