"""Zeros by what the loss says, in blocks and N:M, by one budget: the choice itself, and that a training reaches it, holds it and takes it up again."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first

import tensorflow as tf  # isort: skip

from tests.tiny_training import ENCODER_KERNELS, SPEC, UPDATES, Told, Watch, classifier, examples, fit
from tfarch.compression.pruning import kernel_sparsity
from tfarch.compression.recipe import Prune
from tfarch.compression.sparsity import Sparsify, block_sums, kept, kept_of_each, ramp_of, require_blocks, risen, spread
from tfarch.errors import InputError
from tfarch.models.weights import get_weights
from tfarch.training import cross_entropy
from tfarch.training.callbacks import Callback

EPOCHS = 8
STEPS = EPOCHS * UPDATES
RANDOM = np.random.default_rng(0)


# The choice


@pytest.mark.parametrize("schedule", ["polynomial", "cubic", "cosine", "constant"])
def test_a_schedule_begins_at_the_initial_sparsity_rises_and_ends_at_the_last(schedule):
    stage = Prune(sparsity=0.8, initial_sparsity=0.2, schedule=schedule, power=2.0)
    reached = [risen(stage, place / 10) for place in range(11)]
    assert reached == sorted(reached)
    assert reached[-1] == pytest.approx(0.8)
    assert reached[0] == pytest.approx(0.8 if schedule == "constant" else 0.2)
    half = {"polynomial": 0.8 - 0.6 / 4, "cubic": 0.8 - 0.6 / 8, "cosine": 0.5, "constant": 0.8}
    assert reached[5] == pytest.approx(half[schedule])


@pytest.mark.parametrize("start", [0.0, 0.25, 0.4])
@pytest.mark.parametrize(("steps", "ramp", "frequency"), [(1, 0.6, 10), (3, 0.6, 10), (28, 0.6, 10), (1000, 0.555, 7), (24, 0.0, 10)])
def test_masks_are_renewed_at_the_very_end_of_the_ramp(steps, ramp, frequency, start):
    begin, end, every = ramp_of(Prune(start=start, ramp=ramp, frequency=frequency), steps)
    assert begin == int(start * steps)
    assert (end - begin) % every == 0
    assert 1 <= end - begin <= max(1, steps * ramp)
    assert end <= steps
    assert every <= frequency
    assert (end - begin) // every >= min(10, max(1, int(steps * ramp)))


def test_a_stage_that_only_looks_on_leaves_its_last_update_to_the_ramp():
    assert ramp_of(Prune(start=1.0, ramp=0.0), 24) == (23, 24, 1)


def test_each_kernel_loses_the_same_share_where_they_do_not_compete():
    worth = [RANDOM.random((10, 10)), 100 * RANDOM.random((20, 5))]
    for each, mask in zip(worth, kept(worth, 0.3, across=False), strict=True):
        assert (~mask).sum() == 30
        assert each[~mask].max() < each[mask].min()


def test_the_groups_worth_least_of_all_go_where_kernels_compete():
    worth = [RANDOM.random((10, 10)), 0.5 * RANDOM.random((20, 20))]
    masks = kept(worth, 0.4, across=True)
    gone, left = (np.concatenate([each[mask if stays else ~mask] for each, mask in zip(worth, masks, strict=True)]) for stays in (0, 1))
    assert len(gone) == 200
    assert gone.max() < left.min()


@pytest.mark.parametrize(("least", "most"), [(0.2, 0.5), (0.0, 0.45), (0.35, 1.0)])
def test_what_a_kernel_may_not_lose_others_do(least, most):
    worth = [10 + RANDOM.random((10, 10)), RANDOM.random((20, 20)), 5 + RANDOM.random((10, 10))]
    masks = kept(worth, 0.4, across=True, least=least, most=most)
    assert sum((~mask).sum() for mask in masks) == 240
    assert all(least <= (~mask).mean() <= most for mask in masks)


@pytest.mark.parametrize("seed", range(20))
def test_one_bar_is_the_highest_that_the_budget_allows_among_many_equals(seed):
    random, (least, most) = np.random.default_rng(seed), (0.125, 0.75)
    worth = [random.integers(-3, 4, shape).astype(float) for shape in [(8, 4), (4, 4), (16, 8)]]
    worth[0][:2] = -np.inf
    gone = [each[~mask] for each, mask in zip(worth, kept(worth, 0.4, across=True, least=least, most=most), strict=True)]
    assert sum(map(len, gone)) == round(0.4 * 176)
    bounds = [(least * each.size, most * each.size) for each in worth]
    counts = {bar: [np.clip((each < bar).sum(), *own) for each, own in zip(worth, bounds, strict=True)] for bar in np.unique(worth[2])}
    bar = max(bar for bar, each in counts.items() if sum(each) <= round(0.4 * 176))
    for each, own, (low, _), under in zip(worth, gone, bounds, counts[bar], strict=True):
        np.testing.assert_array_equal(np.sort(own), np.sort(each, axis=None)[: len(own)])
        assert len(own) >= under
        assert own.max() <= bar or len(own) == low


def test_equal_worth_still_gives_the_share_that_is_asked_for():
    masks = kept([np.zeros((10, 10)), np.zeros((4, 25))], 0.25, across=True)
    assert sum((~mask).sum() for mask in masks) == 50


def test_sums_over_blocks_are_those_of_a_loop_and_spread_back_over_their_weights():
    values = RANDOM.random((6, 8))
    sums = block_sums(values, [3, 2])
    for row, column in itertools.product(range(2), range(4)):
        assert sums[row, column] == pytest.approx(values[3 * row : 3 * row + 3, 2 * column : 2 * column + 2].sum())
    np.testing.assert_allclose(sums, block_sums(tf.constant(values), [3, 2]).numpy())
    np.testing.assert_array_equal(spread(np.array([[1, 2]]), [2, 3]), [[1, 1, 1, 2, 2, 2]] * 2)


def test_of_every_four_inputs_of_an_output_the_two_worth_most_stay():
    worth = RANDOM.random((16, 5))
    mask = kept_of_each(worth, 2, 4)
    for begin, output in itertools.product(range(0, 16, 4), range(5)):
        own = worth[begin : begin + 4, output]
        assert set(np.flatnonzero(mask[begin : begin + 4, output])) == set(np.argsort(own)[2:])


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Prune(block=[5, 1]), r"block=\[5, 1\]: a/kernel of 32 x 16 cannot be cut"),
        (Prune(block=[1, 3]), r"block=\[1, 3\]: a/kernel of 32 x 16 cannot be cut"),
        (Prune(n_of_m=[1, 5]), r"n_of_m=\[1, 5\]: a/kernel has 32 inputs, which is no multiple of 5"),
    ],
)
def test_kernels_that_cannot_be_cut_as_asked_are_told(stage, message):
    with pytest.raises(InputError, match=message):
        require_blocks({"a/kernel": (32, 16)}, stage)


# The training


def pruned(stage, callbacks=(), **settings):
    """The weights after a stage."""
    return fit(classifier, [Sparsify(stage, ENCODER_KERNELS), *callbacks], epochs=EPOCHS, **settings)


def sparsity(model):
    return kernel_sparsity(get_weights(model))


CRITERIA = ("magnitude", "gradient", "information", "movement")


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_stage_ends_with_the_sparsity_asked_for_by_every_criterion_and_what_is_not_chosen_keeps_its_weights(criterion):
    watch, told = Watch(sparsity), Told()
    weights = pruned(Prune(sparsity=0.6, ramp=0.5, criterion=criterion, schedule="cosine"), [watch, told]).weights
    for name in ENCODER_KERNELS:
        assert (weights[name] == 0).sum() == round(0.6 * weights[name].size)
    assert all((value != 0).all() for name, value in weights.items() if name not in ENCODER_KERNELS)
    end = int(0.5 * STEPS)
    wanted = [risen(Prune(sparsity=0.6, schedule="cosine"), step / end) for step in range(1, end + 1)]
    assert watch.seen[:end] == pytest.approx(wanted, abs=1e-3)
    assert watch.seen[end:] == pytest.approx([0.6] * (STEPS - end), abs=1e-3)
    assert [values["sparsity"] for values in told.seen.values()] == pytest.approx(watch.seen)


def test_nothing_goes_before_the_start():
    stage, told = Prune(sparsity=0.6, start=0.25, ramp=0.5, criterion="information", scope="global"), Told()
    pruned(stage, [told])
    begin, end = int(0.25 * STEPS), int(0.75 * STEPS)
    wanted = [0.0] * begin + [risen(stage, step / (end - begin)) for step in range(1, end - begin + 1)] + [0.6] * (STEPS - end)
    assert [values["sparsity"] for values in told.seen.values()] == pytest.approx(wanted, abs=1e-3)


def test_criteria_choose_differently():
    zeros = {each: pruned(Prune(sparsity=0.5, criterion=each, schedule="cosine")).weights["layer_0_query/kernel"] == 0 for each in CRITERIA}
    for one, other in itertools.combinations(CRITERIA, 2):
        assert (zeros[one] != zeros[other]).any(), (one, other)


def test_one_budget_for_all_kernels_is_kept_in_sum_and_within_the_bounds_of_each():
    stage = Prune(sparsity=0.5, criterion="information", scope="global", least_sparsity=0.3, most_sparsity=0.6)
    weights = pruned(stage).weights
    shares = [(weights[name] == 0).mean() for name in ENCODER_KERNELS]
    assert sum((weights[name] == 0).sum() for name in ENCODER_KERNELS) == 0.5 * sum(weights[name].size for name in ENCODER_KERNELS)
    assert 0.3 <= min(shares) < 0.49 < 0.51 < max(shares) <= 0.6


def test_blocks_stay_or_go_whole():
    weights = pruned(Prune(sparsity=0.5, criterion="gradient", block=[4, 2])).weights
    for name in ENCODER_KERNELS:
        zeros = block_sums((weights[name] == 0).astype(int), [4, 2])
        assert set(np.unique(zeros)) == {0, 8}
        assert (zeros == 8).mean() == 0.5


def test_two_of_four_hold_from_the_first_choice_on():
    watch, told = Watch(sparsity), Told()
    weights = pruned(Prune(n_of_m=[2, 4]), [watch, told]).weights
    assert watch.seen == pytest.approx([0.5] * STEPS)
    assert {values["sparsity"] for values in told.seen.values()} == {0.5}
    for name in ENCODER_KERNELS:
        groups = (weights[name] == 0).reshape(-1, 4, weights[name].shape[1]).sum(axis=1)
        assert (groups == 2).all()


class Gradients(Callback):
    """Keeps the gradients that callbacks are told, for one kernel, and its values before the update."""

    def __init__(self, name):
        self.name, self.pairs = name, []

    def prepare(self, model):
        self.kernel = next(variable for variable in model.trainable_variables if variable.name == f"{self.name}:0")
        self.told = tf.Variable(tf.zeros_like(self.kernel), trainable=False, name="told")
        return [self.told]

    def begin(self, model, optimizer, steps, step):
        self.before = self.kernel.numpy()

    def with_gradients(self, gradients):
        self.told.assign(gradients[self.name])

    def after_update(self, step, values):
        self.pairs.append((self.before, self.told.numpy()))
        self.before = self.kernel.numpy()


@pytest.mark.parametrize("criterion", ["gradient", "information", "movement"])
def test_what_a_block_is_worth_follows_from_its_weights_and_their_gradients(criterion):
    """Nothing goes before the last update of the ramp, so that what is chosen can be worked out from all updates."""
    name, block = "layer_0_feed_forward_in/kernel", [2, 1]
    stage = Prune(sparsity=0.5, criterion=criterion, block=block, ramp=1.0, frequency=1, schedule="polynomial", power=0.1)
    sparsify, seen = Sparsify(stage, [name]), Gradients(name)
    sparsify.after_update = lambda step, values: None  # masks stay as they are: nothing goes
    fit(classifier, [sparsify, seen], epochs=2)
    worth = 0.0
    for weights, gradient in seen.pairs:
        change = block_sums((weights * gradient).astype(np.float64), block)
        if criterion == "movement":
            worth -= change
        else:
            worth = 0.99 * worth + 0.01 * (np.abs(change) if criterion == "gradient" else 0.5 * change**2)
    np.testing.assert_allclose(sparsify._worth[name].numpy(), worth, rtol=1e-4, atol=1e-9)


def test_gradients_are_those_of_the_whole_batch_before_they_are_clipped():
    seen = Gradients("layer_0_value/kernel")
    fit(classifier, [seen], epochs=1, clip_norm=1e-3, accumulate=UPDATES)
    model, batch = classifier(), examples()
    with tf.GradientTape() as tape:
        ids = batch.tokens.ids.reshape(len(batch), -1)
        logits = model({"ids": ids, "mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)})
        loss = tf.reduce_mean(cross_entropy()(logits, tf.constant(batch.targets)))
    kernel = model.get_layer("layer_0_value").kernel
    np.testing.assert_allclose(seen.pairs[0][1], tape.gradient(loss, kernel).numpy(), rtol=1e-3, atol=1e-7)


def test_a_group_that_went_too_early_comes_back_with_the_weights_it_had():
    name = "layer_0_query/kernel"
    sparsify = Sparsify(Prune(sparsity=0.5, criterion="movement"), [name])
    model = classifier()
    sparsify.prepare(model)
    kernel = model.get_layer("layer_0_query").kernel
    before = kernel.numpy()
    first = np.zeros(before.shape, np.float32)
    first[:, ::2] = 1.0
    for worth in (first, 1.0 - first):
        sparsify._worth[name].assign(worth)
        sparsify._renew(0.5)
        np.testing.assert_array_equal(kernel.numpy(), np.where(worth == 1.0, before, 0.0))


def test_an_interrupted_stage_goes_on_with_its_masks_and_what_it_knows_of_worth(tmp_path):
    stage = Prune(sparsity=0.6, criterion="movement", scope="global")
    whole = pruned(stage)
    with pytest.raises(KeyboardInterrupt):
        pruned(stage, [Watch(sparsity, stop=8)], folder=tmp_path, checkpoint_every=1)
    resumed, told = Watch(sparsity), Told()
    weights = pruned(stage, [resumed, told], folder=tmp_path, checkpoint_every=1).weights
    assert len(resumed.seen) == STEPS - 7  # the update that was broken off is made again
    assert resumed.seen[0] > 0.3
    assert [values["sparsity"] for values in told.seen.values()] == pytest.approx(resumed.seen)
    for name, value in whole.weights.items():
        np.testing.assert_allclose(weights[name], value, atol=1e-5, err_msg=name)


TWO_REPLICAS = """
import json
from tests.compression.test_sparsity import zeros_after_training
print(json.dumps(zeros_after_training("cpu:2")))
"""


def zeros_after_training(devices):
    """Replicas and, for each kernel, which weights are zero, after two epochs on `devices`."""
    names = ["layer_0_query/kernel", "layer_0_key/kernel"]
    trained = fit(classifier, [Sparsify(Prune(sparsity=0.4, criterion="information"), names)], epochs=2, devices=devices)
    return [trained.figures["replicas"], *(np.flatnonzero(trained.weights[name] == 0).tolist() for name in names)]


def test_two_replicas_choose_as_one_does():
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    one, two = zeros_after_training("cpu"), json.loads(done.stdout.splitlines()[-1])
    assert (one[0], two[0]) == (1, 2)
    for own, other in zip(one[1:], two[1:], strict=True):
        assert len(own) == len(other) == round(0.4 * SPEC.width**2)
        assert len(set(own) & set(other)) >= 0.98 * len(own)  # sums in another order
