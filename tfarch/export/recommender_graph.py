"""A recommender as TensorFlow operations: histories of item numbers in, the best items and their scores out, as `tfarch.runtime.recommender` has them in numpy.

None of the operations is missing from TFLite's own set.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfarch.runtime.recommender import Recommender
from tfarch.runtime.rows_int8 import to_int8
from tfarch.runtime.shared_words import SharedWords
from tfarch.runtime.signals import RECENT, UNWANTED, YEAR
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
        table = _Int8Table if int8 else _FloatTable
        self._items, self._names = len(signals), ranker.names
        self._sources, self._targets, self._categories = (table(each) for each in (signals.sources, signals.targets, signals.categories))
        self._words = _Words(signals.words)
        self._vectors = None if signals.vectors is None else table(signals.vectors)
        self._users = None if signals.users is None else _Users(signals.users)
        dated = ~np.isnan(signals.since)
        self._dated = dated.astype(np.float32)
        self._years = np.where(dated, signals.since / YEAR, 0.0).astype(np.float32)
        self._static = {name: np.asarray(value, np.float32) for name, value in signals.of_items.items()}
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
        found = {
            "linear": self._targets.products(_summed(self._sources.rows(numbers), amounts), every),
            "linear_recent": self._targets.products(_summed(self._sources.rows(numbers), recent), every),
            "words": self._words.scores(numbers, known * wanted * fading),
            "categories": self._categories.products(_summed(self._categories.rows(numbers), recent), every),
            "of_its_time": self._of_its_time(numbers, recent),
            **{name: tf.expand_dims(tf.constant(value), 0) for name, value in self._static.items()},
        }
        if self._vectors is not None:
            found["interest"] = self._vectors.products(
                self._users.state(self._vectors.rows(numbers), known, after, amounts, behaviours), every
            )
        had = tf.minimum(_scattered(numbers, known, self._items), 1.0)
        candidates = 1.0 - had
        count = tf.maximum(tf.reduce_sum(candidates, axis=1, keepdims=True), 1.0)
        warm, cold = tf.zeros_like(had), tf.fill(tf.shape(had), self._ranker[-1])
        for place, name in enumerate(self._names):
            apart = found[name] - tf.reduce_sum(found[name] * candidates, axis=1, keepdims=True) / count
            deviation = tf.sqrt(tf.reduce_sum(tf.square(apart) * candidates, axis=1, keepdims=True) / count)
            feature = apart / (deviation + 1e-6)
            warm += feature * self._ranker[place]
            cold += feature * self._ranker[len(self._names) + place]
        return tf.where(had > 0.0, NO_CANDIDATE, tf.where(tf.expand_dims(self._cold, 0), cold, warm))

    def _of_its_time(self, numbers: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        weights *= tf.gather(tf.constant(self._dated), numbers)
        sums = tf.reduce_sum(weights, axis=1, keepdims=True)
        mean = tf.reduce_sum(weights * tf.gather(tf.constant(self._years), numbers), axis=1, keepdims=True) / tf.maximum(sums, 1e-9)
        apart = tf.abs(tf.expand_dims(tf.constant(self._years), 0) - mean)
        dated = tf.expand_dims(tf.constant(self._dated), 0)
        usual = tf.reduce_sum(apart * dated, axis=1, keepdims=True) / max(float(self._dated.sum()), 1.0)
        return -(apart * dated + usual * (1.0 - dated)) * tf.cast(sums > 0.0, tf.float32)


class _FloatTable(tf.Module):
    """A table of vectors `[rows, width]`: a variable, which a file holds once however often it is used."""

    def __init__(self, values: np.ndarray):
        super().__init__()
        self._values = tf.Variable(values.astype(np.float32), trainable=False)

    def rows(self, numbers: tf.Tensor) -> tf.Tensor:
        """`[..., width]`."""
        return tf.gather(self._values, numbers)

    def products(self, vectors: tf.Tensor, every: tf.Tensor) -> tf.Tensor:
        """Of each row with each of the vectors `[batch, width]`: `[batch, rows]`.

        Args:
            every: 0 to the number of rows, not known before run time.
        """
        return tf.matmul(vectors, self._values, transpose_b=True)


class _Int8Table(tf.Module):
    """As `_FloatTable`, a byte a number (see `tfarch.runtime.rows_int8`)."""

    def __init__(self, values: np.ndarray):
        super().__init__()
        steps, self._scales = to_int8(values)
        self._steps = tf.Variable(steps, trainable=False)

    def rows(self, numbers: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.gather(self._steps, numbers), tf.float32) * tf.expand_dims(tf.gather(self._scales, numbers), -1)

    def products(self, vectors: tf.Tensor, every: tf.Tensor) -> tf.Tensor:
        # Of constants alone the converter would make a table of floats.
        return tf.matmul(vectors, tf.cast(tf.gather(self._steps, every), tf.float32), transpose_b=True) * self._scales


class _Words:
    """BM25 from the items of histories to all items (see `SharedWords`)."""

    def __init__(self, words: SharedWords):
        self._count, self._items = len(words.words), len(words)
        lengths = np.diff(words.asked)
        self._queries = np.full((len(words), max(1, int(lengths.max(initial=0)))), self._count, np.int32)  # one word more, that no item has
        for item, length in enumerate(lengths):
            self._queries[item, :length] = words.queries[words.asked[item] : words.asked[item + 1]]
        self._having = np.repeat(np.arange(self._count, dtype=np.int32), np.diff(words.starts))
        self._of, self._weights = words.items.astype(np.int32), words.weights.astype(np.float32)
        smallest = np.int16 if max(self._count, self._items) < np.iinfo(np.int16).max else np.int32
        self._queries, self._having, self._of = (each.astype(smallest) for each in (self._queries, self._having, self._of))

    def scores(self, numbers: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """`[batch, items]` of histories `[batch, events]`."""
        asked = tf.cast(tf.gather(tf.constant(self._queries), numbers), tf.int32)  # [batch, events, words]
        shape = tf.shape(asked)
        amounts = tf.broadcast_to(tf.expand_dims(weights, -1), shape)
        query = _scattered(tf.reshape(asked, [shape[0], -1]), tf.reshape(amounts, [shape[0], -1]), self._count + 1)
        given = tf.gather(query, tf.cast(self._having, tf.int32), axis=1) * self._weights  # [batch, postings]
        of = tf.broadcast_to(tf.expand_dims(tf.cast(self._of, tf.int32), 0), tf.shape(given))
        return _scattered(of, given, self._items)


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
    shape = tf.shape(places)
    rows = tf.broadcast_to(tf.expand_dims(tf.range(shape[0]), 1), shape)
    indices = tf.stack([tf.reshape(rows, [-1]), tf.reshape(places, [-1])], axis=1)
    return tf.scatter_nd(indices, tf.reshape(amounts, [-1]), tf.stack([shape[0], count]))
