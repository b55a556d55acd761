"""What heads and neurons are worth is what the loss does when their gates move, and those worth most stay."""

import numpy as np
import pytest

from tests.tiny_encoder import tf
from tfarch.compression.importance import CRITERIA, best, importance
from tfarch.data.batches import Examples, plan_in_order
from tfarch.data.tokens import Tokens
from tfarch.errors import InputError
from tfarch.models.classifier import build_classifier
from tfarch.models.spec import EncoderSpec
from tfarch.models.weights import get_weights, set_weights
from tfarch.training.objectives import cross_entropy

SPEC = EncoderSpec(vocabulary=40, width=12, heads=(3, 2), head_width=4, feed_forward=(8, 6), positions=16)
TEXTS = 9


@pytest.fixture(scope="module")
def model():
    made, rng = build_classifier(SPEC, 3), np.random.default_rng(0)
    set_weights(made, {name: rng.normal(0.0, 0.4, value.shape).astype(np.float32) for name, value in get_weights(made).items()})
    return made


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(1)
    lengths = rng.integers(2, 12, TEXTS)
    tokens = Tokens(rng.integers(0, 40, lengths.sum()).astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]))
    return Examples(tokens, rng.integers(0, 3, TEXTS).astype(np.int32), np.ones(TEXTS, np.float32))


def losses(model, examples, kernel, rows, factor):
    """Of each text, where what these rows of a kernel give on is multiplied by a factor."""
    weights = get_weights(model)
    changed = weights[kernel].copy()
    changed[rows] *= factor
    other = build_classifier(SPEC, 3)
    set_weights(other, {**weights, kernel: changed})
    found = []
    for row in range(TEXTS):
        padded = examples.tokens.padded(np.array([row]), int(examples.lengths[row]))
        logits = other({name: tf.constant(value) for name, value in padded.items()})
        found.append(float(cross_entropy()(logits, tf.constant(examples.targets[[row]]))[0]))
    return np.array(found)


def slopes(model, examples, kernel, rows, step=1e-2):
    return (losses(model, examples, kernel, rows, 1 + step) - losses(model, examples, kernel, rows, 1 - step)) / (2 * step)


@pytest.mark.parametrize(("criterion", "power"), [("gradient", 1), ("information", 2)])
def test_it_is_what_the_loss_of_each_text_says(model, examples, criterion, power):
    found = importance(criterion, model, SPEC, examples, cross_entropy(), batch_size=4)
    assert [len(each) for each in (*found.heads, *found.neurons)] == [3, 2, 8, 6]
    for layer, head in ((0, 0), (0, 2), (1, 1)):
        own = slopes(model, examples, f"layer_{layer}_attention_output/kernel", slice(4 * head, 4 * head + 4))
        np.testing.assert_allclose(found.heads[layer][head], np.mean(np.abs(own) ** power) / power, rtol=0.02)
    for layer, neuron in ((0, 7), (1, 0), (1, 5)):
        own = slopes(model, examples, f"layer_{layer}_feed_forward_out/kernel", [neuron])
        np.testing.assert_allclose(found.neurons[layer][neuron], np.mean(np.abs(own) ** power) / power, rtol=0.05, atol=1e-6)


def test_movement_is_what_the_weights_that_read_a_group_gain_while_training_goes_on(model, examples):
    before = get_weights(model)
    found = importance("movement", model, SPEC, examples, cross_entropy(), batch_size=4, learning_rate=0.01)
    assert all((value == before[name]).all() for name, value in get_weights(model).items())
    other, optimizer = build_classifier(SPEC, 3), tf.keras.optimizers.Adam(0.01)
    set_weights(other, before)
    names = {"heads": "attention_output", "neurons": "feed_forward_out"}
    gained = {"heads": np.zeros(12), "neurons": np.zeros(8)}
    for batch in plan_in_order(examples.lengths, 4):
        tensors = examples.batch(batch, 1.0)
        with tf.GradientTape() as tape:
            logits = other({name: tensors[name] for name in ("ids", "mask", "segment_ids")})
            loss = tf.reduce_mean(cross_entropy()(logits, tf.constant(tensors["targets"])))
        kernels = {part: other.get_layer(f"layer_0_{name}").kernel for part, name in names.items()}
        slopes = tape.gradient(loss, [other.trainable_variables, kernels])
        for part, kernel in kernels.items():
            gained[part] -= len(tensors["targets"]) * (kernel.numpy().astype(np.float64) * slopes[1][part].numpy()).sum(axis=1)
        optimizer.apply_gradients(zip(slopes[0], other.trainable_variables, strict=True))
    np.testing.assert_allclose(found.heads[0], gained["heads"].reshape(3, 4).sum(axis=1) / TEXTS, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found.neurons[0], gained["neurons"] / TEXTS, rtol=1e-3, atol=1e-6)
    assert found.heads[0].min() < found.heads[0].max()


def test_magnitude_is_the_length_of_all_weights_of_a_group(model, examples):
    found, weights = importance("magnitude", model, SPEC, examples, cross_entropy()), get_weights(model)
    own = [weights[f"layer_0_{role}/kernel"][:, 4:8] for role in ("query", "key", "value")] + [
        weights["layer_0_attention_output/kernel"][4:8]
    ]
    assert found.heads[0][1] == pytest.approx(np.sqrt(sum((each.astype(np.float64) ** 2).sum() for each in own)))
    own = [weights["layer_1_feed_forward_in/kernel"][:, 3], weights["layer_1_feed_forward_out/kernel"][3]]
    assert found.neurons[1][3] == pytest.approx(np.linalg.norm(np.concatenate(own)), rel=1e-6)


def test_what_gives_nothing_on_is_worth_nothing(model, examples):
    weights = get_weights(model)
    quiet = weights["layer_1_attention_output/kernel"].copy()
    quiet[:4] = 0.0
    other = build_classifier(SPEC, 3)
    set_weights(other, {**weights, "layer_1_attention_output/kernel": quiet})
    for criterion in ("gradient", "information"):
        found = importance(criterion, other, SPEC, examples, cross_entropy())
        assert found.heads[1][0] == pytest.approx(0.0, abs=1e-12)
        assert found.heads[1][1] > 1e-6


def test_an_unknown_criterion_lists_those_that_there_are(model, examples):
    with pytest.raises(InputError, match=f"unknown criterion 'luck'; known: {', '.join(sorted(CRITERIA))}"):
        importance("luck", model, SPEC, examples, cross_entropy())


def test_the_best_of_all_layers_or_of_each_stay():
    scores = [np.array([5.0, 4.0, 3.0, 2.0]), np.array([1.0, 0.9, 0.1, 0.2])]
    across = best(scores, 0.5, across=True)
    assert [each.tolist() for each in across] == [[True] * 4, [True, False, False, False]]  # one at least
    each = best(scores, 0.5, across=False)
    assert [mask.tolist() for mask in each] == [[True, True, False, False]] * 2
    assert [int(mask.sum()) for mask in best(scores, 0.25, across=False, multiple=2)] == [2, 2]
    assert [int(mask.sum()) for mask in best(scores, 0.1, across=True, least=3)] == [3, 3]
    assert all(mask.all() for mask in best(scores, 1.0, across=True))
