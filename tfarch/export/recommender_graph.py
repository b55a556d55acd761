"""A recommender as TensorFlow operations: histories of item numbers in, the best items and their scores out, as `tfarch.runtime.recommender` has them in numpy.

None of the operations is missing from TFLite's own set.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfarch.export.tables import FloatRows, FloatTable, Int8Table, Int8UnitTable, Int16Rows
from tfarch.runtime.recommender import Recommender
from tfarch.runtime.shared_words import K1, SharedWords
from tfarch.runtime.signals import RECENT, UNWANTED, YEAR
from tfarch.runtime.small_numbers import smallest_int
from tfarch.runtime.user_tower import UserTower

NO_CANDIDATE = float(np.finfo(np.float32).min)  # the score of what the user has had


class RecommenderGraph(tf.Module):
    """The sum of signals over m items.

    Histories are padded at their ends with items of -1: items int32, wanted float32 (1 or 0) and behaviours int32, each `[batch, events]`, in the order of time.

    Args:
        int8: tables of vectors stay at a byte a number.
    """

    def __init__(self, recommender: Recommender, *, int8: bool = False):
        super().__init__(name="recommender")
        signals, ranker = recommender.signals, recommender.ranker
        table, unit_table = (Int8Table, Int8UnitTable) if int8 else (FloatTable, FloatTable)
        self._items, self._names = len(signals), ranker.names
        self._sources, self._targets, self._categories = table(signals.sources), table(signals.targets), unit_table(signals.categories)
        self._words = _Words(signals.words)
        self._vectors = None if signals.vectors is None else unit_table(signals.vectors)
        self._users = None if signals.users is None else _Users(signals.users)
        self._dated = ~np.isnan(signals.since)
        years = signals.since / YEAR
        years = np.where(self._dated, years, np.nanmean(years) if self._dated.any() else 0.0)
        self._own_names = tuple(signals.of_items)
        self._own = (Int16Rows if int8 else FloatRows)(np.stack([years, *signals.of_items.values()]))
        self._cold, self._ranker = signals.cold, ranker.weights.astype(np.float32)

    def top(self, items: tf.Tensor, wanted: tf.Tensor, behaviours: tf.Tensor, k: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Numbers int32 and scores float32 `[batch, k]` of the items of the highest scores; of what is no candidate the score is `NO_CANDIDATE`."""
        scores, numbers = tf.math.top_k(self.scores(items, wanted, behaviours), k)
        return numbers, scores

    def scores(self, items: tf.Tensor, wanted: tf.Tensor, behaviours: tf.Tensor) -> tf.Tensor:
        """Float32 `[batch, m]`."""
        known, numbers = tf.cast(items >= 0, tf.float32), tf.maximum(items, 0)
        after = tf.cumsum(known, axis=1, exclusive=True, reverse=True)
        amounts = known * (UNWANTED + (1.0 - UNWANTED) * wanted)
        every = tf.range(self._items + tf.minimum(tf.shape(items)[1], 0))
        fading = tf.exp(after * (-1.0 / RECENT))
        recent = amounts * fading
        years, *own = tf.split(self._own.values(every), 1 + len(self._own_names))
        found = {
            "linear": self._targets.products(_summed(self._sources.rows(numbers), amounts), every),
            "linear_recent": self._targets.products(_summed(self._sources.rows(numbers), recent), every),
            "words": self._words.scores(numbers, known * wanted * fading, every),
            "categories": self._categories.products(_summed(self._categories.rows(numbers), recent), every),
            "of_its_time": self._of_its_time(years, numbers, recent),
            **dict(zip(self._own_names, own, strict=True)),
        }
        if self._vectors is not None:
            found["interest"] = self._vectors.products(
                self._users.state(self._vectors.rows(numbers), known, after, amounts, behaviours), every
            )
        had = tf.minimum(_scattered(numbers, known, self._items), 1.0)
        candidates = 1.0 - had
        count = tf.maximum(tf.reduce_sum(candidates, axis=1, keepdims=True), 1.0)
        warm, cold = tf.constant(0.0), tf.constant(self._ranker[-1])
        for place, name in enumerate(self._names):
            apart = found[name] - tf.reduce_sum(found[name] * candidates, axis=1, keepdims=True) / count
            deviation = tf.sqrt(tf.reduce_sum(tf.square(apart) * candidates, axis=1, keepdims=True) / count)
            feature = apart / (deviation + 1e-6)
            warm += feature * self._ranker[place]
            cold += feature * self._ranker[len(self._names) + place]
        return tf.where(had > 0.0, NO_CANDIDATE, tf.where(tf.expand_dims(self._cold, 0), cold, warm))

    def _of_its_time(self, years: tf.Tensor, numbers: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """`[batch, m]`; `years` `[1, m]` in which the items began."""
        dated = tf.constant(self._dated)
        weights *= tf.cast(tf.gather(dated, numbers), tf.float32)
        sums = tf.reduce_sum(weights, axis=1, keepdims=True)
        mean = tf.reduce_sum(weights * tf.gather(years[0], numbers), axis=1, keepdims=True) / tf.maximum(sums, 1e-9)
        apart = tf.where(dated, tf.abs(years - mean), 0.0)
        usual = tf.reduce_sum(apart, axis=1, keepdims=True) / max(float(self._dated.sum()), 1.0)
        return -tf.where(dated, apart, usual) * tf.cast(sums > 0.0, tf.float32)


class _Words(tf.Module):
    """BM25 from the items of histories to all items (see `SharedWords`), of tables of few bytes: which words an item has, and how often."""

    def __init__(self, words: SharedWords):
        super().__init__()
        order = np.argsort(words.items, kind="stable")  # item after item
        numbers = np.repeat(np.arange(len(words.words)), np.diff(words.starts))[order]
        none = np.zeros(int(len(numbers) == 0), np.int64)  # of a catalogue without a word: one that counts nothing
        self._numbers, self._times, self._lengths = (
            tf.Variable(smallest_int(each), trainable=False)
            for each in (
                np.concatenate([numbers, none]),
                np.concatenate([words.times[order], none]),
                np.bincount(words.items, minlength=len(words)),
            )
        )
        self._longest = int(self._lengths.numpy().max(initial=0))
        self._rarity = np.append(words.rarity, 0.0).astype(np.float32)
        self._length = words.length.astype(np.float32)

    def scores(self, numbers: tf.Tensor, weights: tf.Tensor, every: tf.Tensor) -> tf.Tensor:
        """`[batch, items]` of histories `[batch, events]`.

        Args:
            every: 0 to the number of items, not known before run time.
        """
        items, entries = len(self._length), self._numbers.shape[0]
        each = tf.range(entries + tf.minimum(tf.shape(every)[0], 0))  # of constants alone the converter would make larger ones
        word, times = (tf.cast(tf.gather(table, each), tf.int32) for table in (self._numbers, self._times))
        lengths = tf.cast(tf.gather(self._lengths, every), tf.int32)
        starts = tf.cumsum(lengths, exclusive=True)
        begun = tf.scatter_nd(tf.expand_dims(starts, 1), tf.ones_like(starts), [entries + 1])  # how many items begin at an entry
        of = tf.minimum(tf.cumsum(begun)[:-1], items) - 1

        places = tf.expand_dims(tf.gather(starts, numbers), -1) + tf.range(self._longest)  # [batch, events, longest]
        inside = tf.expand_dims(tf.gather(lengths, numbers), -1) > tf.range(self._longest)
        places = tf.minimum(places, entries - 1)
        amounts = tf.expand_dims(weights, -1) * tf.cast(tf.gather(times, places), tf.float32) * tf.cast(inside, tf.float32)
        flat = tf.stack([tf.shape(numbers)[0], -1])
        query = _scattered(tf.reshape(tf.gather(word, places), flat), tf.reshape(amounts, flat), len(self._rarity)) * self._rarity

        times = tf.cast(times, tf.float32)
        given = tf.gather(query, word, axis=1) * (times * (K1 + 1.0) / (times + tf.gather(self._length, of)))  # [batch, entries]
        return _scattered(tf.broadcast_to(tf.expand_dims(of, 0), tf.shape(given)), given, items)


class _Users:
    """See `UserTower`."""

    def __init__(self, users: UserTower):
        self._weights, self._heads = {name: value.astype(np.float32) for name, value in users.weights.items()}, users.heads

    def state(self, vectors: tf.Tensor, known: tf.Tensor, after: tf.Tensor, amounts: tf.Tensor, behaviours: tf.Tensor) -> tf.Tensor:
        """`[batch, width]` of the vectors `[batch, events, width]` of histories: which events are known, how many came after each, what each counts."""
        amounts *= tf.gather(np.exp(self._weights["event_weights/logs"]), behaviours)
        log_keep = -np.log1p(np.exp(-float(self._weights["fading_mean/log_odds"])))
        shares = amounts * tf.exp(after * log_keep)
        shares /= tf.maximum(tf.reduce_sum(tf.abs(shares), axis=1, keepdims=True), 1e-6)
        state = _summed(vectors, shares)
        if "history_query/kernel" in self._weights:
            state += self._attended(vectors, known, after)
        length = tf.sqrt(tf.reduce_sum(tf.square(state), axis=1, keepdims=True))
        any_known = tf.cast(tf.reduce_max(known, axis=1, keepdims=True) > 0.0, tf.float32)
        return state / tf.maximum(length, 1e-6) * any_known

    def _attended(self, vectors: tf.Tensor, known: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
        """What the last known event takes from all of them, `[batch, width]`, a head after another."""
        last = _summed(vectors, known * tf.cast(after == 0.0, tf.float32))
        query, key, value = (self._weights[f"history_{role}/kernel"] for role in ("query", "key", "value"))
        width = query.shape[1] // self._heads
        parts = []
        for head in range(self._heads):
            own = slice(head * width, (head + 1) * width)
            # (x K) . q is x . (K q): the keys of all events need not be made.
            asked = tf.matmul(tf.matmul(last, query[:, own]), key[:, own], transpose_b=True) / np.float32(np.sqrt(width))
            scores = tf.reduce_sum(vectors * tf.expand_dims(asked, 1), axis=2) + (1.0 - known) * -1e4
            parts.append(tf.matmul(_summed(vectors, tf.nn.softmax(scores, axis=1) * known), value[:, own]))
        return tf.matmul(tf.concat(parts, axis=1), self._weights["history_output/kernel"])


def _summed(vectors: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """`[batch, width]` of vectors `[batch, events, width]` by weights `[batch, events]`."""
    return tf.reduce_sum(vectors * tf.expand_dims(weights, -1), axis=1)


def _scattered(places: tf.Tensor, amounts: tf.Tensor, count: int) -> tf.Tensor:
    """`[batch, count]`: at each place the sum of the amounts that belong there; places and amounts `[batch, n]`."""
    batch = tf.shape(places)[0]
    places += tf.expand_dims(tf.range(batch), 1) * count
    found = tf.scatter_nd(tf.reshape(places, [-1, 1]), tf.reshape(amounts, [-1]), tf.expand_dims(batch * count, 0))
    return tf.reshape(found, tf.stack([batch, count]))
