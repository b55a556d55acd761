"""Length-bucketed batches as a `tf.data` pipeline whose order follows from (seed, epoch) alone, so that a resumed run sees what it would have seen.

Texts of similar length share a batch, padded to the edge of their bucket: on BANKING77 this alone doubles the throughput of random batches. What
is left over from each bucket is batched together at the end. An *update* is one step of the optimizer: one batch, or several under gradient
accumulation. Each example carries its weight divided by the sum of the update's weights, so that the loss is a plain sum however the update is
cut into batches and replicas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tfarch.data.states import States
from tfarch.data.tokens import Tokens

# Edges of the buckets, in tokens; texts over the last edge share a bucket padded to a multiple of it.
BUCKETS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)


@dataclass(frozen=True)
class Batch:
    """Rows padded to one length; a row of -1 is padding that makes the batch divisible among the replicas."""

    rows: np.ndarray  # int64 [batch]
    length: int


@dataclass(frozen=True)
class Examples:
    """What the Trainer trains on: tokens, targets and a weight for each row.

    tokens: of the texts, or what an encoder's lower layers made of them.
    targets: any array with n rows (class numbers int32 `[n]`, or `[n, tasks]`; class probabilities float32 `[n, classes]` for distillation).
    weights: float32 `[n]`, or `[n, tasks]` where each of several losses of a row has its own.
    """

    tokens: Tokens | States
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def lengths(self) -> np.ndarray:
        """The length that each row asks of its batch, in tokens, int64 `[n]`."""
        return self.tokens.lengths

    def signature(self) -> dict[str, tuple[tuple[int | None, ...], str]]:
        """Shape and type of each tensor of a batch, by its name; None is a size that differs from batch to batch."""
        return {
            **self.tokens.signature(),
            "targets": ((None, *self.targets.shape[1:]), self.targets.dtype.name),
            "weights": ((None, *self.weights.shape[1:]), "float32"),
        }

    def for_replicas(self, replicas: int) -> Examples:
        """As several replicas take them: each gets an equal part of the first dimension of every tensor."""
        return self

    def count_tokens(self, rows: np.ndarray) -> int:
        """Tokens of `rows` together."""
        return int(self.tokens.lengths[rows].sum())

    def batch(self, batch: Batch, total_weight: float) -> dict[str, np.ndarray]:
        """The tensors of one batch: ids, mask, segment_ids `[batch, length]`, targets and weights `[batch, ...]`, these over `total_weight`."""
        real = batch.rows >= 0
        weights = self.weights[batch.rows] / total_weight
        weights[~real] = 0.0
        return {**self.tokens.padded(batch.rows, batch.length), "targets": self.targets[batch.rows], "weights": weights.astype(np.float32)}


def bucket_of(length: int) -> int:
    """The padded length of a text of `length` tokens."""
    for edge in BUCKETS:
        if length <= edge:
            return edge
    return -(-length // BUCKETS[-1]) * BUCKETS[-1]


def _padded(lengths: np.ndarray) -> np.ndarray:
    """The padded length of each text; never more than the longest has, which an encoder's positions may just hold."""
    return np.minimum([bucket_of(int(length)) for length in lengths], lengths.max(initial=0)).astype(np.int64)


def plan_epoch(
    lengths: np.ndarray, batch_size: int, *, seed: int, epoch: int, accumulate: int = 1, replicas: int = 1, fixed_size: bool = False
) -> list[tuple[Batch, ...]]:
    """The updates of one epoch, each a tuple of at most `accumulate` batches; every row stands in exactly one batch.

    Args:
        lengths: tokens of each row, `[n]`.
        batch_size: rows of a batch over all replicas; a multiple of `replicas`.
        seed, epoch: the order follows from these two.
        fixed_size: pad the last batch to `batch_size` (for XLA, which compiles for each shape).
    """
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(lengths))
    padded = _padded(lengths)
    batches, leftovers = [], []
    for edge in np.unique(padded):
        rows = order[padded[order] == edge]
        full = len(rows) // batch_size * batch_size
        batches += [Batch(chunk, int(edge)) for chunk in rows[:full].reshape(-1, batch_size)]
        leftovers.append(rows[full:])
    rest = np.concatenate(leftovers) if leftovers else np.zeros(0, np.int64)  # already in order of length
    for start in range(0, len(rest), batch_size):
        rows = rest[start : start + batch_size]
        edge = int(padded[rows].max())
        size = batch_size if fixed_size else -(-len(rows) // replicas) * replicas
        batches.append(Batch(np.concatenate([rows, np.full(size - len(rows), -1)]), edge))
    shuffled = [batches[index] for index in random.permutation(len(batches))]
    return [tuple(shuffled[start : start + accumulate]) for start in range(0, len(shuffled), accumulate)]


def plan_in_order(lengths: np.ndarray, batch_size: int) -> list[Batch]:
    """Batches for prediction: rows by length, so that little is padded; every row once."""
    order, padded = np.argsort(lengths, kind="stable"), _padded(lengths)
    parts = (order[start : start + batch_size] for start in range(0, len(order), batch_size))
    return [Batch(rows, int(padded[rows].max())) for rows in parts]


def as_dataset(examples: Examples, updates: Sequence[tuple[Batch, ...]]):
    """The batches of `updates`, one after another, as a `tf.data.Dataset` of dictionaries (see `Examples.batch`), made ahead of use."""
    import tensorflow as tf

    def generate() -> Iterator[dict[str, np.ndarray]]:
        for update in updates:
            # Of an update without weight (all its rows are of tasks that count nothing) every row weighs 0.
            total = float(sum(examples.weights[batch.rows[batch.rows >= 0]].sum() for batch in update)) or 1.0
            for batch in update:
                yield examples.batch(batch, total)

    signature = {name: tf.TensorSpec(*each) for name, each in examples.signature().items()}
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    # There is nothing to tune, and on one core the tuner's thread holds the iterator's end up, for up to a minute.
    options.autotune.enabled = False
    return tf.data.Dataset.from_generator(generate, output_signature=signature).with_options(options).prefetch(4)
