"""The weight-free layers against plain numpy and `math`, and what clones and checkpoints need of them: configurations and dropout's counter."""

import math

import numpy as np
import pytest

from tests.tiny_encoder import attention, gelu

import tensorflow as tf  # isort: skip

from tfarch.models import layers

RANDOM = np.random.default_rng(0)
STATES = RANDOM.normal(size=(2, 5, 8)).astype(np.float32)
FLAT = STATES.reshape(10, 8)
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], np.int32)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_that_of_the_paper_without_the_padded_keys(heads):
    query, key, value = RANDOM.normal(0.0, 2.0, size=(3, 2, 5, 8)).astype(np.float32)
    output = layers.SelfAttention(heads)([*(each.reshape(10, 8) for each in (query, key, value)), MASK]).numpy().reshape(2, 5, 8)
    for row in range(2):
        np.testing.assert_allclose(output[row], attention(query[row], key[row], value[row], MASK[row], heads), atol=1e-5)


def test_padded_keys_have_no_say_where_all_others_score_low():
    query, value = 6.0 * np.ones((5, 8), np.float32), RANDOM.normal(size=(5, 8)).astype(np.float32)
    key = np.concatenate([-3.0 * np.ones((3, 8), np.float32), np.zeros((2, 8), np.float32)])  # scores of -51, and of 0 for the padding
    output = layers.SelfAttention(1)([query, key, value, np.array([[1, 1, 1, 0, 0]])]).numpy()
    np.testing.assert_allclose(output, np.tile(value[:3].mean(axis=0), (5, 1)), atol=1e-5)


def test_attention_dropout_is_off_at_inference_and_scales_the_rest_in_training():
    layer = layers.SelfAttention(2, dropout=0.5, seed=1)
    plain = layers.SelfAttention(2)([FLAT, FLAT, FLAT, MASK])
    np.testing.assert_array_equal(layer([FLAT, FLAT, FLAT, MASK]), plain)
    dropped = [layer([FLAT, FLAT, FLAT, MASK], training=True).numpy() for _ in range(400)]
    np.testing.assert_allclose(np.mean(dropped, axis=0), plain, atol=0.25)
    assert np.abs(dropped[0] - plain).max() > 0.25


def test_flat_tokens_and_the_tokens_of_each_text_undo_each_other():
    flat = layers.FlatTokens()(STATES)
    np.testing.assert_array_equal(flat, FLAT)
    np.testing.assert_array_equal(layers.TextTokens()([flat, MASK]), STATES)


def test_the_mean_is_over_the_tokens_that_are_not_padding():
    pooled = layers.MeanPooling()([STATES, MASK]).numpy()
    np.testing.assert_allclose(pooled, [STATES[0].mean(axis=0), STATES[1, :3].mean(axis=0)], atol=1e-6)


def test_the_mean_of_no_token_is_zero():
    assert not layers.MeanPooling()([STATES, np.zeros_like(MASK)]).numpy().any()


def test_the_first_token_is_taken():
    np.testing.assert_array_equal(layers.FirstToken()([STATES, MASK]), STATES[:, 0])


def test_a_unit_vector_keeps_its_direction_at_one_length():
    vectors = STATES[:, 0] * np.array([[1e-3], [50.0]], np.float32)
    scaled = layers.UnitVector()(vectors).numpy()
    np.testing.assert_allclose(np.sqrt((scaled**2).mean(axis=1)), 1.0, atol=1e-5)
    np.testing.assert_allclose(scaled * np.linalg.norm(vectors, axis=1, keepdims=True), vectors * math.sqrt(8), rtol=1e-4)


def test_the_unit_vector_of_nothing_is_nothing():
    assert not layers.UnitVector()(np.zeros((2, 8), np.float32)).numpy().any()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_small_vectors_keep_their_length_in_half_precision(dtype):
    scaled = layers.UnitVector(dtype=dtype)(tf.cast(STATES[:, 0] * 1e-3, dtype))
    assert scaled.dtype == dtype
    np.testing.assert_allclose(np.sqrt((scaled.numpy().astype(np.float32) ** 2).mean(axis=1)), 1.0, atol=0.02)


def test_positions_are_the_first_rows_of_the_table():
    layer = layers.PositionEmbedding(7)
    output = layer(STATES).numpy()
    assert layer.embeddings.shape == (7, 8)
    np.testing.assert_array_equal(output, layer.embeddings.numpy()[None, :5])


def test_the_calibrated_softmax_divides_the_logits():
    logits = np.array([[2.0, -1.0, 0.5]], np.float32)
    expected = np.exp(logits / 2.5) / np.exp(logits / 2.5).sum()
    np.testing.assert_allclose(layers.CalibratedSoftmax(2.5)(logits), expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["exact", "tanh"])
def test_gelu_is_its_equation(kind):
    x = np.linspace(-6.0, 6.0, 97, dtype=np.float32)
    np.testing.assert_allclose(layers.gelu(kind)(tf.constant(x)), gelu(x.astype(np.float64), kind), atol=2e-6)


def test_exact_gelu_is_not_the_approximation():
    difference = abs(float(layers.gelu("exact")(tf.constant(-2.25))) - float(layers.gelu("tanh")(tf.constant(-2.25))))
    assert 1e-4 < difference < 1e-3
    assert math.isclose(float(layers.gelu("exact")(tf.constant(1.0))), 0.5 * (1 + math.erf(math.sqrt(0.5))), rel_tol=1e-6)


ONES = np.ones((50, 40), np.float32)


def masks(layer, count):
    return [layer(ONES, training=True).numpy() for _ in range(count)]


def test_the_same_seed_draws_the_same_masks():
    np.testing.assert_array_equal(masks(layers.Dropout(0.4, seed=3), 2), masks(layers.Dropout(0.4, seed=3), 2))


def test_another_seed_or_another_call_draws_another_mask():
    first, second = masks(layers.Dropout(0.4, seed=3), 2)
    assert (first != second).any()
    assert (first != masks(layers.Dropout(0.4, seed=4), 1)[0]).any()


def test_a_restored_counter_goes_on_with_the_next_mask():
    whole = layers.Dropout(0.4, seed=3)
    third = masks(whole, 3)[2]
    resumed = layers.Dropout(0.4, seed=3)
    resumed(ONES)
    resumed.calls.assign(2)
    np.testing.assert_array_equal(masks(resumed, 1)[0], third)


def test_the_counter_advances_inside_a_graph():
    layer = layers.Dropout(0.4, seed=3)
    layer(ONES)
    step = tf.function(lambda: layer(ONES, training=True))
    np.testing.assert_array_equal([step().numpy(), step().numpy()], masks(layers.Dropout(0.4, seed=3), 2))
    assert int(layer.calls) == 2


def test_what_is_kept_is_scaled_and_the_rest_is_zero():
    mask = masks(layers.Dropout(0.4, seed=3), 1)[0]
    np.testing.assert_allclose(np.unique(mask), [0.0, 1 / 0.6], rtol=1e-4)  # the rate is held to 1/65536
    assert (mask == 0).mean() == pytest.approx(0.4, abs=0.04)


def test_inference_drops_nothing_and_does_not_count():
    layer = layers.Dropout(0.4, seed=3)
    for training in (False, None):
        np.testing.assert_array_equal(layer(ONES, training=training), ONES)
    assert int(layer.calls) == 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_dropout_keeps_the_type_of_its_input(dtype):
    assert layers.Dropout(0.4, dtype=dtype)(tf.cast(ONES, dtype), training=True).dtype == dtype


@pytest.mark.parametrize(
    ("layer", "settings"),
    [
        (layers.SelfAttention(4, dropout=0.2, seed=5), {"heads": 4, "dropout": 0.2, "seed": 5}),
        (layers.SelfAttention(4), {"heads": 4, "dropout": 0.0}),
        (layers.PositionEmbedding(9), {"positions": 9}),
        (layers.MeanPooling(), {}),
        (layers.FirstToken(), {}),
        (layers.UnitVector(), {}),
        (layers.CalibratedSoftmax(1.7), {"temperature": 1.7}),
        (layers.Dropout(0.3, seed=6), {"rate": 0.3, "seed": 6}),
        (tf.keras.layers.Dense(3, activation=layers.gelu_tanh), {"units": 3}),
    ],
    ids=lambda value: value.name if isinstance(value, tf.keras.layers.Layer) else "",
)
def test_a_layer_is_read_back_from_its_configuration(layer, settings):
    again = tf.keras.layers.deserialize(tf.keras.layers.serialize(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()
    assert again.get_config().items() >= ({"name": layer.name} | settings).items()
