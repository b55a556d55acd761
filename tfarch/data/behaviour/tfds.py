"""Ratings of a TensorFlow Datasets builder (`tfds:movielens/100k-ratings`), downloaded and prepared where it is not yet."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfarch.data.behaviour.catalogue import Catalogue
from tfarch.data.behaviour.interactions import Interactions
from tfarch.data.behaviour.reading import EventColumns, ItemColumns
from tfarch.data.tfds import builder_of, library, prepare
from tfarch.errors import InputError

# What the features are called in MovieLens, where a table would have the names that the options have by default.
MOVIELENS = {"user": "user_id", "item": "movie_id", "rating": "user_rating", "title": "movie_title", "category": "movie_genres"}
_YEAR = re.compile(r"\((\d{4})\)\s*$")


def read_tfds_events(place: str, events: EventColumns, items: ItemColumns) -> tuple[Interactions, Catalogue, str, str]:
    """Reads all splits of a builder, one rating a row: events, items, the licence, and the hash of all rows.

    Args:
        place: `tfds:NAME/CONFIG` or `tfds:NAME:CONFIG`.
        events, items: names of the features; those of MovieLens are found under the default names too.

    Raises:
        InputError: tensorflow-datasets is not there, the name is unknown, the data cannot be downloaded or prepared, or there is no feature of users or items.
    """
    tfds = library(place)
    builder = builder_of(tfds, place)
    named = {
        name: _feature(builder.info.features, name)
        for name in (events.user, events.item, events.time, events.value, items.title, items.category)
    }
    for name in (events.user, events.item):
        if named[name] is None:
            raise InputError(
                f"no feature {name!r}; its features: {', '.join(map(repr, builder.info.features))}",
                file=place,
                mend="name the right one with --user-column or --item-column",
            )
    genres = None if named[items.category] is None else _names(builder.info.features[named[items.category]])
    prepare(builder, place)
    users, ids, times, values, digest = [], [], [], [], hashlib.sha256()
    found: dict[str, tuple[str, tuple[str, ...], float]] = {}
    for split in list(builder.info.splits) or ["train"]:
        for example in tfds.as_numpy(builder.as_dataset(split=split)):
            user, item, time, value, title, kinds = (None if feature is None else example[feature] for feature in named.values())
            users.append(_text(user))
            ids.append(_text(item))
            times.append(float(len(times)) if time is None else float(time))
            values.append(1.0 if value is None else float(value))
            digest.update(json.dumps([users[-1], ids[-1], times[-1], values[-1]]).encode() + b"\n")
            if ids[-1] not in found:
                name, categories = (
                    "" if title is None else _text(title),
                    () if kinds is None else tuple(genres[int(kind)] for kind in np.ravel(kinds)),
                )
                found[ids[-1]] = (name, categories, _begin(name))
    titles, categories, since = zip(*found.values(), strict=True)
    texts = [". ".join(part for part in (title, ", ".join(kinds)) if part) for title, kinds in zip(titles, categories, strict=True)]
    catalogue = Catalogue(tuple(found), titles, tuple(texts), categories, np.array(since))
    log = Interactions.of(users, ids, np.array(times), values=np.array(values), item_ids=catalogue.ids)
    return log, catalogue, builder.info.redistribution_info.license or "see the data set", digest.hexdigest()


def _feature(features: Mapping[str, Any], name: str) -> str | None:
    return name if name in features else MOVIELENS.get(name) if MOVIELENS.get(name) in features else None


def _names(feature: Any) -> list[str]:
    """What the numbers of a sequence of class labels stand for."""
    return list(getattr(feature, "feature", feature).names)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _begin(title: str) -> float:
    """From the year that stands at a title's end; NaN where none does."""
    found = _YEAR.search(title)
    return datetime.datetime(int(found[1]), 1, 1, tzinfo=datetime.UTC).timestamp() if found and int(found[1]) else math.nan
