"""From the settings to a log and its catalogue: files of the user's own, or MovieLens."""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.recommender.movielens import LICENCE, NAME, movielens
from apps.recommender.settings import DataSettings
from tfarch.data.behaviour import Catalogue, Interactions
from tfarch.data.behaviour.check import LogSurvey
from tfarch.data.behaviour.reading import EventColumns, ItemColumns, ItemFile, read_events, read_items
from tfarch.errors import InputError

DEFAULTS = DataSettings()
STARS = 4.0  # of MovieLens' five, from which on a film was what its viewer wanted


@dataclass(frozen=True)
class Source:
    """What is learned from.

    survey: log, catalogue of the same numbers, and what is known of the files.
    name: of the data set.
    sha256: hash of each file, by its name.
    """

    survey: LogSurvey
    name: str
    licence: str
    sha256: dict[str, str]

    @property
    def log(self) -> Interactions:
        return self.survey.log

    @property
    def catalogue(self) -> Catalogue:
        return self.survey.catalogue


def load(data: DataSettings) -> Source:
    """The log and the items that `data` names.

    Raises:
        InputError: see `read_events` and `read_items`; or items are given and no events.
    """
    if data.interactions is None:
        if data.items is not None:
            raise InputError("items without events", file=data.items, mend="give the events with --interactions")
        log, films = movielens()
        return Source(LogSurvey(log, films, None, NAME, True, (), data.liked or STARS), NAME, LICENCE, {})
    named = EventColumns(data.user_column, data.item_column, data.behaviour_column, data.time_column, data.value_column)
    if data.interactions.startswith("tfds:"):
        from tfarch.data.behaviour.tfds import read_tfds_events

        log, catalogue, licence, sha256 = read_tfds_events(data.interactions, named, _item_columns(data))
        survey = LogSurvey(log, catalogue, None, data.interactions, True, (), data.liked)
        return Source(survey, data.interactions.removeprefix("tfds:"), licence, {data.interactions: sha256})
    items = None if data.items is None else _items(data)
    events = read_events(data.interactions, named, strict=data.strict, items=() if items is None else items.catalogue.ids)
    nothing = Catalogue((), (), (), (), np.zeros(0))
    catalogue = (nothing if items is None else items.catalogue).with_ids(events.log.item_ids)
    bad = (*events.bad_rows, *(() if items is None else items.bad_rows))
    survey = LogSurvey(events.log, catalogue, events.lines, Path(data.interactions).name, events.dated, bad, data.liked)
    sha256 = {Path(data.interactions).name: events.sha256} | ({} if items is None else {Path(data.items).name: items.sha256})
    return Source(survey, Path(data.interactions).stem, "the user's own", sha256)


def load_frames(events: Any, items: Any = None, data: DataSettings = DEFAULTS) -> Source:
    """As `load`, of tables in memory.

    Args:
        events, items: pandas data frames with the columns that `data` names.
    """
    with tempfile.TemporaryDirectory() as name:
        files = {"interactions": (Path(name) / "events.csv", events), "items": (Path(name) / "items.csv", items)}
        given = {key: str(file) for key, (file, frame) in files.items() if frame is not None}
        for key in given:
            files[key][1].to_csv(given[key], index=False)
        return load(dataclasses.replace(data, **given))


def read_catalogue(data: DataSettings) -> Catalogue:
    """The items that `data.items` names.

    Raises:
        InputError: see `read_items`.
    """
    return _items(data).catalogue


def _items(data: DataSettings) -> ItemFile:
    return read_items(data.items, _item_columns(data), strict=data.strict)


def _item_columns(data: DataSettings) -> ItemColumns:
    return ItemColumns(data.item_column, data.title_column, tuple(data.text_columns), data.category_column, data.since_column)
