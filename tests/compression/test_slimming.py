"""What is left of a slimmed encoder answers as the whole one whose other heads and neurons are silent."""

import dataclasses

import numpy as np
import pytest

from tests.tiny_encoder import tf
from tfarch.compression.slimming import Kept, slimmed, slimmed_spec
from tfarch.models.classifier import build_classifier
from tfarch.models.spec import EncoderSpec
from tfarch.models.weights import get_weights, set_weights

SPEC = EncoderSpec(vocabulary=50, width=16, heads=(4, 4, 4), head_width=4, feed_forward=(12, 12, 12), positions=32)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def weights():
    model = build_classifier(SPEC, 3)
    return {name: RNG.normal(0.0, 0.3, value.shape).astype(np.float32) for name, value in get_weights(model).items()}


def logits(spec, weights):
    model = build_classifier(spec, 3)
    set_weights(model, weights)
    rng = np.random.default_rng(1)
    mask = np.array([[1] * 7, [1, 1, 1, 0, 0, 0, 0]], np.int32)
    ids = rng.integers(0, SPEC.vocabulary, (2, 7)).astype(np.int32)
    return model({"ids": tf.constant(ids), "mask": tf.constant(mask), "segment_ids": tf.zeros((2, 7), tf.int32)}).numpy()


def silenced(weights, layer, heads=(), neurons=()):
    """Where these heads and neurons give nothing on."""
    changed = dict(weights)
    out = changed[f"layer_{layer}_attention_output/kernel"].copy()
    for head in heads:
        out[head * SPEC.head_width : (head + 1) * SPEC.head_width] = 0.0
    changed[f"layer_{layer}_attention_output/kernel"] = out
    out = changed[f"layer_{layer}_feed_forward_out/kernel"].copy()
    out[list(neurons)] = 0.0
    changed[f"layer_{layer}_feed_forward_out/kernel"] = out
    return changed


def test_all_of_it_is_the_same_encoder(weights):
    kept = Kept.all_of(SPEC)
    assert slimmed_spec(SPEC, kept) == SPEC
    found = slimmed(SPEC, weights, kept)
    assert found.keys() == weights.keys()
    assert all(np.array_equal(found[name], weights[name]) for name in weights)


def test_heads_and_neurons_that_go_are_gone_and_the_answers_those_of_silent_ones(weights):
    heads = [np.array([1, 0, 1, 1], bool), np.array([0, 0, 1, 0], bool), np.ones(4, bool)]
    neurons = [np.arange(12) % 3 > 0, np.ones(12, bool), np.arange(12) < 2]
    kept = Kept.by_masks(heads, neurons)
    spec = slimmed_spec(SPEC, kept)
    assert (spec.heads, spec.feed_forward) == ((3, 1, 4), (8, 12, 2))
    quiet = weights
    for layer in range(3):
        quiet = silenced(quiet, layer, np.flatnonzero(~heads[layer]), np.flatnonzero(~neurons[layer]))
    small = slimmed(SPEC, weights, kept)
    np.testing.assert_allclose(logits(spec, small), logits(SPEC, quiet), rtol=1e-4, atol=1e-5)
    assert np.abs(logits(spec, small) - logits(SPEC, weights)).max() > 0.01
    assert small["layer_1_query/kernel"].shape == (16, 4)
    assert small["layer_2_feed_forward_out/kernel"].shape == (2, 16)


@pytest.mark.parametrize("numbers", [(0, 2), (0, -1), (-3, -1)])
def test_layers_that_go_are_passed_over_and_the_others_numbered_anew(weights, numbers):
    kept = Kept.of_layers(SPEC, numbers)
    small = slimmed(SPEC, weights, kept)
    assert np.array_equal(small["layer_1_query/kernel"], weights["layer_2_query/kernel"])
    assert not any(name.startswith("layer_2_") for name in small)
    two = dataclasses.replace(SPEC, heads=(4, 4), feed_forward=(12, 12))
    assert slimmed_spec(SPEC, kept) == two
    assert logits(two, small).shape == (2, 3)


def test_it_can_be_slimmed_again(weights):
    once = Kept.by_masks([np.ones(4, bool)] * 3, [np.arange(12) < 8] * 3)
    spec, small = slimmed_spec(SPEC, once), slimmed(SPEC, weights, once)
    again = Kept.by_masks([np.arange(4) > 1] * 3, [np.arange(8) < 4] * 3, layers=(1,))
    at_once = Kept.by_masks([np.arange(4) > 1] * 3, [np.arange(12) < 4] * 3, layers=(1,))
    assert slimmed_spec(spec, again) == slimmed_spec(SPEC, at_once)
    one, other = slimmed(spec, small, again), slimmed(SPEC, weights, at_once)
    assert all(np.array_equal(one[name], other[name]) for name in other)


@pytest.mark.parametrize(
    ("layers", "heads", "neurons"), [((0,), ((),), ((1,),)), ((1, 0), ((0,),) * 2, ((0,),) * 2), ((0,), ((0,), (1,)), ((0,),))]
)
def test_what_cannot_be_kept_is_refused(layers, heads, neurons):
    with pytest.raises(ValueError, match=r"layers|rising"):
        Kept(layers, heads, neurons)


@pytest.mark.parametrize("numbers", [(3,), (-4,), (0, -3), (2, -2), ()])
def test_layers_that_are_not_there_or_do_not_rise_are_refused(numbers):
    with pytest.raises(ValueError, match=r"layers|rising"):
        Kept.of_layers(SPEC, numbers)
