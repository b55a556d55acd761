"""Zeros by any criterion: what the loss says of weights while training goes on, blocks and N:M patterns, one budget for all layers.

TF-MOT prunes single weights of a layer by their magnitude (`tfarch.compression.pruning`); this is for all else. A group is a weight or a block of a kernel. With c the sum of
w * dL/dw over the group, L the loss of an update, a group is worth:

- magnitude: the length of its weights (Han et al. 2015; of blocks, Lagunas et al. 2021).
- gradient: the mean of |c|, what the loss changes by to first order where the group goes (Molchanov et al. 2019; SNIP, Lee et al. 2019, takes it once).
- information: half the mean of c^2. Times the number of a batch's examples it is what the loss is expected to rise by, where their Fisher information stands for the second
  derivative and their mean slope is near 0 (optimal brain damage, LeCun et al. 1990; Singh and Alistarh 2020).
- movement: the sum of -c: whether training takes the group away from 0 (Sanh et al. 2020).

Means are over the updates so far, of which the last hundred or so count. A group that is out keeps the weights it had and is judged on: it may come back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfarch.compression.recipe import Prune
from tfarch.errors import InputError
from tfarch.training.callbacks import Callback

_MEMORY = 0.99  # what a mean keeps of itself at each update
_STEPS = 10  # of a ramp, at least: in how many a sparsity rises


def risen(stage: Prune, progress: float) -> float:
    """The sparsity at a share of the ramp, 0 to 1: constant, or from the initial one to the last by a polynomial (Zhu and Gupta 2017: of power 3, cubic) or a half cosine."""
    left = {
        "constant": 0.0,
        "polynomial": (1.0 - progress) ** stage.power,
        "cubic": (1.0 - progress) ** 3,
        "cosine": 0.5 * (1.0 + math.cos(math.pi * progress)),
    }[stage.schedule]
    return stage.sparsity + (stage.initial_sparsity - stage.sparsity) * left


def ramp_of(stage: Prune, steps: int) -> tuple[int, int, int]:
    """The updates after which the sparsity begins to rise and at which it is reached, and every how many of those between masks are renewed, the last of them included."""
    begin, length = min(int(steps * stage.start), steps - 1), max(1, int(steps * stage.ramp))
    frequency = max(1, min(stage.frequency, length // _STEPS))
    return begin, begin + length - length % frequency, frequency


def block_sums(values: np.ndarray | tf.Tensor, block: Sequence[int]):
    """Of a kernel `[in, out]`, over its blocks of so many rows and columns: `[in / rows, out / columns]`."""
    rows, columns = block
    if rows == columns == 1:
        return values
    shape = [values.shape[0] // rows, rows, values.shape[1] // columns, columns]
    if isinstance(values, np.ndarray):
        return values.reshape(shape).sum(axis=(1, 3))
    return tf.reduce_sum(tf.reshape(values, shape), [1, 3])


def spread(groups: np.ndarray, block: Sequence[int]) -> np.ndarray:
    """What holds of each block, for each of its weights."""
    return np.repeat(np.repeat(groups, block[0], axis=0), block[1], axis=1)


def kept(worth: Sequence[np.ndarray], sparsity: float, *, across: bool, least: float = 0.0, most: float = 1.0) -> list[np.ndarray]:
    """Which groups stay, bool of the shapes of `worth`: all but the share `sparsity` that is worth least.

    Args:
        worth: of the groups of each kernel; groups of all kernels have the same size.
        across: all kernels compete for one budget; else each loses the same share of its own.
        least, most: share of a kernel's groups that go, at least and at most, where they compete; what one may not lose others do, as far as they may.
    """
    sizes = np.array([each.size for each in worth])
    gone = np.array([round(sparsity * size) for size in sizes])
    if across:
        low, high = (np.array([rounding(share * size) for size in sizes]) for share, rounding in ((least, math.ceil), (most, math.floor)))
        gone = _under_one_bar(worth, round(sparsity * sizes.sum()), low, high)
    return [_all_but(each, count) for each, count in zip(worth, gone, strict=True)]


def _under_one_bar(worth: Sequence[np.ndarray], wanted: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How many groups of each kernel go, `wanted` in all: those under the highest bar under which no more stand, each kernel held within its bounds; what is missing then stands at the
    bar itself. The bar is looked for in halves, without sorting millions of weights."""
    gone, room = np.clip(0, low, high), np.zeros_like(low)
    surely, rest = np.zeros_like(low), [each.ravel() for each in worth]  # known to be under the bar; what may be
    while count := sum(len(each) for each in rest):
        bar = np.partition(np.concatenate(rest), count // 2)[count // 2]
        under = np.clip(surely + [np.count_nonzero(each < bar) for each in rest], low, high)
        if under.sum() > wanted:
            rest = [each[each < bar] for each in rest]
            continue
        surely = surely + [np.count_nonzero(each <= bar) for each in rest]
        gone, room = under, np.clip(surely, low, high) - under
        rest = [each[each > bar] for each in rest]
    missing = max(0, wanted - gone.sum())
    return gone + np.diff(np.minimum(np.cumsum(room), missing), prepend=0)


def _all_but(worth: np.ndarray, count: int) -> np.ndarray:
    """Without the `count` that are worth least, the first of equals: bool of the shape of `worth`."""
    if count == 0:
        return np.ones(worth.shape, bool)
    last = np.partition(worth, count - 1, axis=None)[count - 1]
    mask = worth >= last
    equal = np.flatnonzero(worth == last)
    mask.flat[equal[: count - np.count_nonzero(~mask)]] = False
    return mask


def kept_of_each(worth: np.ndarray, keep: int, group: int) -> np.ndarray:
    """Of every `group` weights that one output takes from neighbouring inputs, the `keep` that are worth most: bool of the shape of `worth`, `[in, out]`."""
    grouped = worth.reshape(-1, group, worth.shape[1])
    order = np.argsort(np.argsort(-grouped, axis=1, kind="stable"), axis=1)
    return (order < keep).reshape(worth.shape)


def share_out(masks: Sequence[np.ndarray]) -> float:
    """The share of weights that are out, by masks that are 0 or False there."""
    return 1.0 - sum(map(np.count_nonzero, masks)) / sum(mask.size for mask in masks)


class Sparsify(Callback):
    """Sets the groups that are worth least to zero, as the stage asks, renews the choice until the end of its ramp, and tells the `sparsity` after each update.

    Args:
        names: of the kernels, `<layer>/kernel`.

    Raises:
        InputError: a kernel cannot be cut into the stage's blocks, or the stage is too short for its criterion.
    """

    def __init__(self, stage: Prune, names: Sequence[str]):
        self.stage, self.names = stage, list(names)

    def prepare(self, model):
        own = {variable.name.split(":")[0]: variable for variable in model.trainable_variables}
        self._kernels = {name: own[name] for name in self.names}
        require_blocks({name: kernel.shape for name, kernel in self._kernels.items()}, self.stage)
        self._masks = {name: _like(kernel, "mask", 1.0) for name, kernel in self._kernels.items()}
        # What the weights that are out were when they went: 0 for those that are in.
        self._out = {name: _like(kernel, "out", 0.0) for name, kernel in self._kernels.items()}
        rows, columns = self.stage.block
        self._worth = {
            name: tf.Variable(
                tf.zeros([kernel.shape[0] // rows, kernel.shape[1] // columns]),
                trainable=False,
                name=f"{name}/worth",
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
            for name, kernel in self._kernels.items()
        }
        return [*self._masks.values(), *self._out.values(), *self._worth.values()]

    def begin(self, model, optimizer, steps, step):
        self._begin, self._end, self._every = ramp_of(self.stage, steps)
        self._share = share_out([mask.numpy() for mask in self._masks.values()])

    def with_gradients(self, gradients: Mapping[str, tf.Tensor]):
        criterion = self.stage.criterion
        if criterion == "magnitude":
            return
        for name, kernel in self._kernels.items():
            change = block_sums((kernel + self._out[name]) * gradients[name], self.stage.block)
            worth = self._worth[name]
            if criterion == "movement":
                worth.assign_sub(change)
            else:
                told = tf.abs(change) if criterion == "gradient" else 0.5 * tf.square(change)
                worth.assign_sub((1.0 - _MEMORY) * (worth - told))

    def in_update(self):
        def hold(strategy):
            for name, kernel in self._kernels.items():
                strategy.extended.update(kernel, lambda each, mask: each.assign(each * mask), args=(self._masks[name],))

        tf.distribute.get_replica_context().merge_call(hold)

    def after_update(self, step, values):
        since = step - self._begin
        if since > 0 and step <= self._end and since % self._every == 0:
            self._renew(risen(self.stage, since / (self._end - self._begin)))
        values["sparsity"] = self._share

    def _renew(self, sparsity: float) -> None:
        block, whole, worth = self.stage.block, {}, {}
        for name, kernel in self._kernels.items():
            whole[name] = kernel.numpy() + self._out[name].numpy()
            squares = block_sums(whole[name] ** 2, block)
            told = squares if self.stage.criterion == "magnitude" else self._worth[name].numpy()
            worth[name] = np.where(squares == 0.0, -np.inf, told)  # zeros of an earlier stage are the first of those that are asked for
        if self.stage.n_of_m:
            masks = [kept_of_each(each, *self.stage.n_of_m) for each in worth.values()]
        else:
            across = self.stage.scope == "global"
            bounds = {"least": self.stage.least_sparsity, "most": self.stage.most_sparsity}
            masks = kept(list(worth.values()), sparsity, across=across, **bounds)
        masks = [spread(mask, block) for mask in masks]
        self._share = share_out(masks)
        for (name, kernel), mask in zip(self._kernels.items(), masks, strict=True):
            self._masks[name].assign(mask.astype(np.float32))
            self._out[name].assign(np.where(mask, 0.0, whole[name]).astype(np.float32))
            kernel.assign(np.where(mask, whole[name], 0.0))


def require_blocks(shapes: Mapping[str, Sequence[int]], stage: Prune) -> None:
    """Told before the training: the kernels `[in, out]` can be cut as the stage asks.

    Raises:
        InputError: one cannot; names it.
    """
    for name, (rows, columns) in shapes.items():
        if stage.n_of_m and rows % stage.n_of_m[1]:
            raise InputError(f"n_of_m={stage.n_of_m}: {name} has {rows} inputs, which is no multiple of {stage.n_of_m[1]}")
        if rows % stage.block[0] or columns % stage.block[1]:
            raise InputError(f"block={stage.block}: {name} of {rows} x {columns} cannot be cut into such blocks")


def _like(kernel: tf.Variable, what: str, value: float) -> tf.Variable:
    aggregation = tf.VariableAggregation.ONLY_FIRST_REPLICA
    return tf.Variable(tf.fill(kernel.shape, value), trainable=False, name=f"{kernel.name.split(':')[0]}/{what}", aggregation=aggregation)
