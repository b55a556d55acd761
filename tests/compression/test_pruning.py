"""Pruning by TF-MOT inside the Trainer: the sparsity that was asked for, when and where it was asked for, and the same after a resume."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.tiny_training import CLASSES, ENCODER_KERNELS, SPEC, UPDATES, Told, Watch, classifier, fit
from tfarch.compression.pruning import (
    HoldZeros,
    UpdatePruningStep,
    chosen_layers,
    kernel_sparsity,
    stripped,
    weights_of_pruned,
    with_pruning,
    zero_masks,
)
from tfarch.compression.recipe import Prune
from tfarch.errors import InputError
from tfarch.models.classifier import build_classifier
from tfarch.models.weights import get_weights

EPOCHS = 8
STEPS = EPOCHS * UPDATES


def pruned_classifier(stage):
    return lambda: with_pruning(classifier(), stage, STEPS)


def weights_of(model):
    """As `weights_of_pruned`, without the time that stripping takes."""
    return {variable.name.split(":")[0]: variable.numpy() for variable in model.trainable_variables}


def sparsity(model):
    return kernel_sparsity(weights_of(model))


@pytest.fixture(scope="module")
def polynomial():
    """A whole stage with the sparsity after each update: (the model, the sparsities, those that were told)."""
    watch, told = Watch(sparsity), Told()
    trained = fit(pruned_classifier(Prune(sparsity=0.6, ramp=0.75)), [UpdatePruningStep(), watch, told], epochs=EPOCHS)
    return trained.model, watch.seen, [values["sparsity"] for values in told.seen.values()]


def test_every_chosen_kernel_ends_with_the_sparsity_of_the_stage_to_within_one_weight(polynomial):
    weights = weights_of_pruned(polynomial[0])
    for name in ENCODER_KERNELS:
        assert abs((weights[name] == 0).sum() - 0.6 * weights[name].size) <= 1, name


def test_what_was_not_chosen_keeps_its_weights(polynomial):
    weights = weights_of_pruned(polynomial[0])
    assert all((value != 0).all() for name, value in weights.items() if name not in ENCODER_KERNELS)


def test_the_polynomial_schedule_rises_over_the_ramp_and_then_holds(polynomial):
    _, seen, told = polynomial
    ramp = int(STEPS * 0.75)
    # s_t = s_f (1 - (1 - t/n)^3), Zhu and Gupta 2017; a ramp this short renews its masks at every update.
    assert seen[:ramp] == pytest.approx([0.6 * (1 - (1 - step / ramp) ** 3) for step in range(1, ramp + 1)], abs=1e-3)
    assert seen[ramp:] == pytest.approx([0.6] * (STEPS - ramp), abs=1e-3)
    assert told == pytest.approx(seen)


def test_the_stripped_model_is_the_plain_one_by_name_and_shape(polynomial):
    model = polynomial[0]
    plain = build_classifier(SPEC, CLASSES)
    assert [layer.name for layer in stripped(model).layers] == [layer.name for layer in plain.layers]
    assert {name: value.shape for name, value in weights_of_pruned(model).items()} == {
        name: value.shape for name, value in get_weights(plain).items()
    }


@pytest.mark.parametrize(("steps", "ramp", "frequency"), [(3, 0.6, 10), (28, 0.6, 10), (100, 0.63, 10), (24, 0.0, 10), (1000, 0.555, 7)])
def test_the_last_mask_of_the_ramp_has_the_full_sparsity_however_short_the_stage(steps, ramp, frequency):
    model = with_pruning(build_classifier(SPEC, CLASSES), Prune(sparsity=0.5, ramp=ramp, frequency=frequency), steps)
    schedule = model.get_layer("prune_low_magnitude_layer_0_query").pruning_schedule
    asked = [schedule(np.int64(step)) for step in range(1, steps + 1)]
    reached = [float(share) for renewed, share in asked if renewed]
    assert reached[-1] == pytest.approx(0.5)
    assert len(reached) >= min(10, max(1, int(steps * ramp)))


@pytest.mark.parametrize("schedule", ["polynomial", "constant"])
def test_nothing_goes_before_the_start(schedule):
    told = Told()
    fit(pruned_classifier(Prune(sparsity=0.5, schedule=schedule, start=0.25, ramp=0.5)), [UpdatePruningStep(), told], epochs=EPOCHS)
    seen, begin = [values["sparsity"] for values in told.seen.values()], int(0.25 * STEPS)
    assert seen[:begin] == [0.0] * begin
    assert 0 < seen[begin] <= 0.5
    assert seen[-1] == pytest.approx(0.5, abs=1e-3)


def test_the_constant_schedule_holds_from_the_first_update_on_and_in_the_chosen_layers_alone():
    watch = Watch(weights_of)
    stage = Prune(sparsity=0.25, schedule="constant", layers=["*_query", "*_feed_forward_*"])
    fit(pruned_classifier(stage), [UpdatePruningStep(), watch], epochs=1)
    for weights in watch.seen:
        zeros = {name: (value == 0).mean() for name, value in weights.items() if (value == 0).any()}
        assert zeros == {f"layer_0_{each}/kernel": 0.25 for each in ("query", "feed_forward_in", "feed_forward_out")}


def test_patterns_that_match_no_layer_are_told_with_the_layers_that_there_are():
    with pytest.raises(InputError, match=r"no layer matches encoder_\*; the model's Dense layers: layer_0_query, .*, head$"):
        chosen_layers(build_classifier(SPEC, CLASSES), ["encoder_*"])
    assert chosen_layers(build_classifier(SPEC, CLASSES), ["*_key", "head"]) == ["layer_0_key", "head"]


def test_an_interrupted_pruning_goes_on_with_its_masks_and_its_step(polynomial, tmp_path):
    build = pruned_classifier(Prune(sparsity=0.6, ramp=0.75))

    def attempt(watch):
        return fit(build, [UpdatePruningStep(), watch], epochs=EPOCHS, folder=tmp_path, checkpoint_every=1)

    with pytest.raises(KeyboardInterrupt):
        attempt(Watch(sparsity, stop=10))
    resumed = Watch(sparsity)
    trained = attempt(resumed)
    assert resumed.seen[0] > 0.3  # it began where it stood, not at the foot of the ramp
    assert resumed.seen == pytest.approx(polynomial[1][-len(resumed.seen) :], abs=1e-9)
    uninterrupted = weights_of_pruned(polynomial[0])
    for name, value in weights_of_pruned(trained.model).items():
        np.testing.assert_allclose(value, uninterrupted[name], atol=1e-5, err_msg=name)


def test_masks_and_step_of_every_pruned_layer_are_in_the_checkpoint():
    model = with_pruning(build_classifier(SPEC, CLASSES), Prune(), STEPS)
    names = [variable.name for variable in model.variables]
    for kernel in ENCODER_KERNELS:
        layer = f"prune_low_magnitude_{kernel.split('/')[0]}"
        assert {f"{layer}/mask:0", f"{layer}/pruning_step:0"} <= set(names)


MASK = np.random.default_rng(5).integers(0, 2, (SPEC.width, SPEC.width)).astype(np.float32)


def with_zeros():
    """The classifier as an earlier stage might have left it: half of one kernel is zero."""
    model = classifier()
    kernel = model.get_layer("layer_0_key").kernel
    kernel.assign(kernel * MASK)
    return model


def test_zeros_of_an_earlier_stage_are_found_and_hold_through_training():
    before = get_weights(with_zeros())
    masks = zero_masks(before)
    assert list(masks) == ["layer_0_key/kernel"]
    after = fit(with_zeros, [HoldZeros(masks)], epochs=2).weights
    np.testing.assert_array_equal(after["layer_0_key/kernel"] == 0, MASK == 0)
    assert (after["layer_0_key/kernel"] != before["layer_0_key/kernel"]).any()
    assert (after["layer_0_query/kernel"] != 0).all()


def test_masks_that_find_no_kernel_are_refused():
    with pytest.raises(InputError, match="1 pruned kernels, but 0 of them in the model"):
        HoldZeros({"layer_7_query/kernel": np.ones((2, 2), np.float32)}).begin(classifier(), None, 1, 0)


TWO_REPLICAS = """
import json
from tests.compression.test_pruning import zeros_after_training
print(json.dumps(zeros_after_training("cpu:2")))
"""


def zeros_after_training(devices):
    """Replicas, and zeros of two kernels after an epoch of pruning on `devices`; those of an earlier stage are held in one of them."""
    stage, callbacks = Prune(sparsity=0.4, layers=["*_query", "*_key"]), [UpdatePruningStep(), HoldZeros({"layer_0_key/kernel": MASK})]
    trained = fit(lambda: with_pruning(with_zeros(), stage, UPDATES), callbacks, epochs=1, devices=devices)
    weights = weights_of_pruned(trained.model)
    return [trained.figures["replicas"], *(int((weights[f"layer_0_{each}/kernel"] == 0).sum()) for each in ("query", "key"))]


def test_two_replicas_prune_and_hold_as_one_does():
    done = subprocess.run([sys.executable, "-c", TWO_REPLICAS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    one = zeros_after_training("cpu")
    assert one == [1, round(0.4 * MASK.size), (MASK == 0).sum()]
    assert json.loads(done.stdout.splitlines()[-1]) == [2, *one[1:]]
