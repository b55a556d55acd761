"""The events of a log in memory: numbers for users, items and behaviours, and the ids that they stand for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interactions:
    """n events in the order of time; those of one time in the order in which they came.

    users, items, behaviours: numbers int32 `[n]`, places in `user_ids`, `item_ids` and `behaviour_names`.
    values: ratings or weights float32 `[n]`; 1 where the log has none.
    times: seconds since 1970, float64 `[n]`, rising.
    user_ids, item_ids: as they stand in the files; an id may have no event here.
    """

    users: np.ndarray
    items: np.ndarray
    behaviours: np.ndarray
    values: np.ndarray
    times: np.ndarray
    user_ids: tuple[str, ...]
    item_ids: tuple[str, ...]
    behaviour_names: tuple[str, ...]

    def __post_init__(self):
        columns = (self.users, self.items, self.behaviours, self.values, self.times)
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"columns of {', '.join(str(len(column)) for column in columns)} events make no log")
        if len(self.times) and (np.diff(self.times) < 0).any():
            raise ValueError("events have to be in the order of time")

    def __len__(self) -> int:
        return len(self.times)

    @classmethod
    def of(
        cls,
        users: Sequence[str],
        items: Sequence[str],
        times: np.ndarray,
        behaviours: Sequence[str] | None = None,
        values: np.ndarray | None = None,
        *,
        item_ids: Sequence[str] = (),
    ) -> Interactions:
        """From columns in any order.

        Args:
            users, items, behaviours: names `[n]`; without behaviours all events are of one that has no name.
            times: seconds since 1970 `[n]`.
            values: `[n]`; none: 1.
            item_ids: items that have numbers in this order, before those that only events name.
        """
        order = np.argsort(np.asarray(times, np.float64), kind="stable")
        behaviours = [""] * len(order) if behaviours is None else behaviours
        user_ids, user_numbers = _numbered(users)
        known, item_numbers = _numbered(items, item_ids)
        names = tuple(sorted(set(behaviours)))
        of_names = {name: number for number, name in enumerate(names)}
        values = np.ones(len(order)) if values is None else values
        return cls(
            user_numbers[order],
            item_numbers[order],
            np.array([of_names[name] for name in behaviours], np.int32)[order],
            np.asarray(values, np.float32)[order],
            np.asarray(times, np.float64)[order],
            user_ids,
            known,
            names,
        )

    def and_also(self, other: Interactions, *, item_ids: Sequence[str] = ()) -> Interactions:
        """The events of both, each once: two of the same user, item, behaviour and time are one, with the value of the second.

        Args:
            item_ids: as for `of`.
        """
        columns: dict[tuple[str, str, str, float], float] = {}
        for log in (self, other):
            names = ([ids[number] for number in numbers] for ids, numbers in ((log.user_ids, log.users), (log.item_ids, log.items)))
            behaviours = [log.behaviour_names[number] for number in log.behaviours]
            columns |= dict(zip(zip(*names, behaviours, log.times.tolist(), strict=True), log.values.tolist(), strict=True))
        users, items, behaviours, times = zip(*columns, strict=True)
        return self.of(users, items, np.array(times), behaviours, np.array(list(columns.values())), item_ids=item_ids or self.item_ids)

    def select(self, rows: np.ndarray) -> Interactions:
        """The events at `rows`: places, rising, or bool `[n]`. Ids keep their numbers."""
        columns = {name: getattr(self, name)[rows] for name in ("users", "items", "behaviours", "values", "times")}
        return dataclasses.replace(self, **columns)

    def of_users(self) -> list[np.ndarray]:
        """The rows of each user, in the order of time."""
        order = np.argsort(self.users, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.users, minlength=len(self.user_ids)))[:-1])

    def counts(self) -> np.ndarray:
        """Events of each item, int64 `[items]`."""
        return np.bincount(self.items, minlength=len(self.item_ids))


def _numbered(names: Sequence[str], first: Sequence[str] = ()) -> tuple[tuple[str, ...], np.ndarray]:
    """Ids, those of `first` before the others, which come as they appear; and the number of each name, int32 `[n]`."""
    numbers = {name: number for number, name in enumerate(first)}
    found = np.fromiter((numbers.setdefault(name, len(numbers)) for name in names), np.int32, len(names))
    return tuple(numbers), found
