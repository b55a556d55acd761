"""Items that come after the training: their texts are encoded and indexed, nothing is learned again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tfarch.errors import InputError
from tfarch.runtime.recommender import Recommender
from tfarch.runtime.signals import Signals


class NewItem(NamedTuple):
    """since: when it came into being, seconds since 1970; NaN: unknown."""

    id: str
    title: str
    text: str
    categories: tuple[str, ...]
    since: float


def with_items(recommender: Recommender, items: Sequence[NewItem]) -> Recommender:
    """With these items after its own. Of an item that it has already, title, text, categories and beginning are replaced; its vector stays what behaviour
    made of it, where it has events.

    Raises:
        InputError: texts have to be encoded, and there is no text tower; or an id stands twice.
    """
    if len({item.id for item in items}) < len(items):
        raise InputError("an item stands twice among the new ones")
    numbers = {id: number for number, id in enumerate(recommender.ids)}
    known, added = [item for item in items if item.id in numbers], [item for item in items if item.id not in numbers]
    places = numbers | {item.id: len(numbers) + row for row, item in enumerate(added)}
    names = tuple(dict.fromkeys((*recommender.categories, *(name for item in items for name in item.categories))))
    signals = _extended(recommender.signals, len(added), len(names))
    signals["words"] = recommender.signals.words.with_texts({numbers[item.id]: item.text for item in known}, [item.text for item in added])
    for item in items:
        signals["since"][places[item.id]] = item.since
        signals["categories"][places[item.id]] = _shares(item.categories, names)
    encoded = [item for item in items if signals["counts"][places[item.id], 0] == 0]
    if signals["vectors"] is not None and encoded:
        if recommender.signals.encode is None:
            raise InputError("this recommender has no text tower, which new items' texts need", mend="export it again")
        signals["vectors"][[places[item.id] for item in encoded]] = recommender.signals.encode([item.text for item in encoded])
    titles = [*recommender.titles, *(item.title for item in added)]
    for item in known:
        titles[numbers[item.id]] = item.title
    ids = (*recommender.ids, *(item.id for item in added))
    return Recommender(
        Signals(**signals), recommender.ranker, ids, titles, recommender.behaviours, names, recommender.liked, recommender.bundle
    )


def _extended(signals: Signals, added: int, categories: int) -> dict:
    """The fields of `signals` with as many items more, without events, of mean value, and with as many categories."""
    fields = {field.name: getattr(signals, field.name) for field in dataclasses.fields(signals) if field.init}
    for name in ("sources", "targets", "counts", "vectors"):
        if fields[name] is not None:
            fields[name] = np.concatenate([fields[name], np.zeros((added, fields[name].shape[1]), np.float32)])
    new = signals.value[signals.cold]  # what an item without events has
    value = float(new[0]) if len(new) else float(signals.value.mean())
    fields["value"] = np.concatenate([signals.value, np.full(added, value, np.float32)])
    if signals.rates is not None:
        cold = signals.rates[signals.cold]
        usual = cold[:1] if len(cold) else signals.rates.mean(axis=0, keepdims=True)
        fields["rates"] = np.concatenate([signals.rates, np.repeat(usual, added, axis=0)])
    fields["since"] = np.concatenate([signals.since, np.full(added, np.nan)])
    wider = np.zeros((len(fields["sources"]), max(1, categories)), np.float32)
    wider[: len(signals), : signals.categories.shape[1]] = signals.categories
    return {**fields, "categories": wider}


def _shares(own: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """A row of length 1, or 0: float32 `[names]`."""
    row = np.zeros(max(1, len(names)), np.float32)
    row[[names.index(name) for name in own]] = 1.0
    return row / max(float(np.linalg.norm(row)), 1e-9)
