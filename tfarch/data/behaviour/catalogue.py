"""What the items are: their ids, titles, texts and categories, and since when there are they."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Catalogue:
    """m items.

    ids: as they stand in the file.
    titles: what a person is shown; empty where nothing is known.
    texts: what a model reads; empty where nothing is known.
    categories: of each item, maybe none.
    since: when the item came into being, seconds since 1970, float64 `[m]`; NaN where nothing is known.
    """

    ids: tuple[str, ...]
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    since: np.ndarray

    def __post_init__(self):
        columns = (self.ids, self.titles, self.texts, self.categories, self.since)
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"columns of {', '.join(str(len(column)) for column in columns)} items make no catalogue")
        if len(set(self.ids)) != len(self.ids):
            raise ValueError("an id stands twice")

    def __len__(self) -> int:
        return len(self.ids)

    def with_ids(self, ids: Iterable[str]) -> Catalogue:
        """With items of these ids after its own, of which nothing is known, but those that it has."""
        known = set(self.ids)
        added = tuple(dict.fromkeys(each for each in ids if each not in known))
        nothing = ("",) * len(added)
        since = np.concatenate([self.since, np.full(len(added), np.nan)])
        return Catalogue(
            (*self.ids, *added), (*self.titles, *nothing), (*self.texts, *nothing), (*self.categories, *((),) * len(added)), since
        )

    def replaced_by(self, other: Catalogue) -> Catalogue:
        """With the items of another one: those that are in both as they are there, those that are not after its own."""
        places = {each: number for number, each in enumerate(dict.fromkeys((*self.ids, *other.ids)))}
        rows: list[tuple] = [()] * len(places)
        for catalogue in (self, other):
            for row in zip(catalogue.ids, catalogue.titles, catalogue.texts, catalogue.categories, catalogue.since.tolist(), strict=True):
                rows[places[row[0]]] = row
        ids, titles, texts, categories, since = zip(*rows, strict=True)
        return Catalogue(ids, titles, texts, categories, np.array(since))
