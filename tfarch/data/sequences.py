"""Histories as rows of training: at each event of a user's the model is asked for his next one, among all items of the batch.

A batch holds the text of each of its distinct items once, however many events are of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfarch.data.batches import Batch, Examples, bucket_of
from tfarch.data.states import States
from tfarch.data.tokens import Tokens


@dataclass(frozen=True)
class ItemSequences(Examples):
    """n stretches of users' histories, each of two events or more in the order of time.

    tokens: of all items' texts, or what an encoder's lower layers made of them.
    targets: the user of each stretch, int32 `[n]`; what the model is to say is in the events.
    weights: what a stretch counts, float32 `[n]`: the sum over its events but the first of `wanted`.
    offsets: int64 `[n + 1]`; stretch i has the events `offsets[i]` to `offsets[i + 1]`.
    items, behaviours: numbers int32 `[events]`.
    amounts: what an event counts as history, float32 `[events]`.
    wanted: what it counts as what is to be foretold, float32 `[events]`.
    replicas: that a batch is cut for.
    unwanted: events that their user did not want, bool `[events]`, where the model is to tell them from the others; None: it is to foretell all alike.
    negatives: items that stand in the batch with each stretch though nobody had them, int32 `[n, h]`; None: none do.
    """

    offsets: np.ndarray
    items: np.ndarray
    behaviours: np.ndarray
    amounts: np.ndarray
    wanted: np.ndarray
    replicas: int = 1
    unwanted: np.ndarray | None = None
    negatives: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        tokens: Tokens | States,
        histories: Sequence[np.ndarray],
        items: np.ndarray,
        behaviours: np.ndarray,
        amounts: np.ndarray,
        wanted: np.ndarray,
        *,
        longest: int,
    ) -> ItemSequences:
        """Cuts histories into stretches of `longest` events at most; the last event of one is the first of the next, so that each but a user's very first
        is foretold once.

        Args:
            histories: rows of each user's events, in the order of time.
            items, behaviours, amounts, wanted: of all events.
            longest: 2 or more.
        """
        if longest < 2:
            raise ValueError(f"stretches of {longest} events foretell none")
        stretches, users = [], []
        for user, rows in enumerate(histories):
            for begin in range(0, len(rows) - 1, longest - 1):
                stretches.append(rows[begin : begin + longest])
                users.append(user)
        rows = np.concatenate([np.zeros(0, np.int64), *stretches]).astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum([len(each) for each in stretches], dtype=np.int64)])
        weights = np.array([wanted[each[1:]].sum() for each in stretches], np.float32)
        columns = (items[rows].astype(np.int32), behaviours[rows].astype(np.int32), amounts[rows].astype(np.float32))
        return cls(tokens, np.array(users, np.int32), weights, offsets, *columns, wanted[rows].astype(np.float32))

    @property
    def lengths(self) -> np.ndarray:
        """Events of each stretch, int64 `[n]`."""
        return np.diff(self.offsets)

    def count_tokens(self, rows: np.ndarray) -> int:
        """Tokens of the distinct items of `rows` together."""
        return int(self.tokens.lengths[self._distinct(rows)].sum())

    def _distinct(self, rows: np.ndarray) -> np.ndarray:
        """The items that stand in a batch of these stretches, rising; -1 is none."""
        real = rows[rows >= 0]
        parts = [self.items[self.offsets[row] : self.offsets[row + 1]] for row in real]
        extra = np.zeros(0, np.int32) if self.negatives is None else self.negatives[real].ravel()
        return np.unique(np.concatenate([*parts, extra]))

    def for_replicas(self, replicas: int) -> ItemSequences:
        return dataclasses.replace(self, replicas=replicas)

    def signature(self) -> dict[str, tuple[tuple[int | None, ...], str]]:
        """See `batch`."""
        cube = (None, None, None)
        return {
            **{name: ((None, *shape), kind) for name, (shape, kind) in self.tokens.signature().items()},
            **dict.fromkeys(("history", "behaviours", "targets"), (cube, "int32")),
            "items": ((None, None), "int32"),
            "amounts": (cube, "float32"),
            "had": (cube, "bool"),
            "weights": (cube, "float32"),
        }

    def batch(self, batch: Batch, total_weight: float) -> dict[str, np.ndarray]:
        """The tensors of one batch, whose first dimension is that of the replicas: each has stretches and items of its own.

        - ids, mask, segment_ids int32 `[replicas, items, tokens]` (or states and mask, see `States`), and items int32 `[replicas, items]`: the numbers of these items, -1 for padding
        - history int32 `[replicas, rows, events]`: which of these items each event but the last is of, -1 for padding; behaviours int32 and amounts float32
          of the same shape
        - targets int32 of that shape: which item comes next, or -1 less its place where that is `unwanted`; weights float32: what that counts, over `total_weight`
        - had bool `[replicas, rows, items]`: whether the row has that item anywhere, so that it is no wrong answer there
        """
        parts = [self._part(rows) for rows in batch.rows.reshape(self.replicas, -1)]
        most, events = max(len(part["items"]) for part in parts), batch.length - 1
        tokens = max(1, *(int(self.tokens.lengths[part["items"]].max(initial=0)) for part in parts))
        length = min(
            bucket_of(tokens), max(1, int(self.tokens.lengths.max(initial=0)))
        )  # never more than an encoder's positions may just hold
        merged: dict[str, list[np.ndarray]] = {name: [] for name in self.signature()}
        for part in parts:
            items = np.concatenate([part["items"], np.full(most - len(part["items"]), -1)]).astype(np.int32)
            for name, value in {**self.tokens.padded(items, length), "items": items}.items():
                merged[name].append(value)
            merged["had"].append(np.pad(part["had"], ((0, 0), (0, most - part["had"].shape[1]))))
            for name, padding in (("history", -1), ("behaviours", 0), ("amounts", 0.0), ("targets", 0), ("weights", 0.0)):
                table = np.full((len(part["rows"]), events), padding, np.float32 if isinstance(padding, float) else np.int32)
                for place, values in enumerate(part[name]):
                    table[place, : len(values)] = values
                merged[name].append(table / np.float32(total_weight) if name == "weights" else table)
        return {name: np.stack(values) for name, values in merged.items()}

    def _part(self, rows: np.ndarray) -> dict:
        """What one replica gets, not padded."""
        stretches = [np.arange(self.offsets[row], self.offsets[row + 1]) if row >= 0 else np.zeros(0, np.int64) for row in rows]
        items = self._distinct(rows)
        places = [np.searchsorted(items, self.items[each]) for each in stretches]
        had = np.zeros((len(rows), len(items)), bool)
        for place, each in enumerate(places):
            had[place, each] = True
        return {
            "rows": rows,
            "items": items,
            "had": had,
            "history": [each[:-1] for each in places],
            "targets": [self._signed(place, each)[1:] for place, each in zip(places, stretches, strict=True)],
            "behaviours": [self.behaviours[each[:-1]] for each in stretches],
            "amounts": [self.amounts[each[:-1]] for each in stretches],
            "weights": [self.wanted[each[1:]] for each in stretches],
        }

    def _signed(self, places: np.ndarray, events: np.ndarray) -> np.ndarray:
        return places if self.unwanted is None else np.where(self.unwanted[events], -1 - places, places)
