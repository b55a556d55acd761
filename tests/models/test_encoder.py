"""The bodies: a text's vector depends on the text alone, and the encoder is made of the layers that compression and TFLite have rules for."""

import dataclasses

import numpy as np
import pytest

from tests.tiny_encoder import SPEC, batch, randomise, states_model

import tensorflow as tf  # isort: skip

from tfarch.models.encoder import body, text_inputs
from tfarch.models.spec import AveragedSpec
from tfarch.models.weights import get_weights

SPECS = {
    "mean": SPEC,
    "first": dataclasses.replace(SPEC, pooling="first"),
    "unit": dataclasses.replace(SPEC, unit_vectors=True),
    "averaged": AveragedSpec(SPEC.vocabulary, 8),
    "averaged_unit": AveragedSpec(SPEC.vocabulary, 8, unit_vectors=True),
}
TEXT = [2, 5, 8, 3]


@pytest.fixture(scope="module", params=SPECS)
def vector(request):
    inputs = text_inputs()
    model = randomise(tf.keras.Model(inputs, body(SPECS[request.param], inputs)))
    return lambda *texts, **options: model(batch(*texts, **options), training=False).numpy()


def test_padding_does_not_change_a_vector(vector):
    np.testing.assert_allclose(vector(TEXT, length=12), vector(TEXT, length=4), atol=1e-5)


def test_the_other_texts_of_the_batch_do_not_change_a_vector(vector):
    np.testing.assert_allclose(vector([2, 10, 11, 12, 13, 3], TEXT)[1:], vector(TEXT), atol=1e-5)


def test_another_text_has_another_vector(vector):
    assert np.abs(vector(TEXT) - vector([2, 5, 9, 3])).max() > 0.01


def test_the_order_of_the_tokens_counts():
    model = randomise(states_model())
    one, other = (model(batch(text)).numpy()[0] for text in ([2, 5, 8, 3], [2, 8, 5, 3]))
    assert np.abs(one[0] - other[0]).max() > 0.01


def test_the_segments_count():
    model = randomise(states_model())
    assert np.abs(model(batch(TEXT)).numpy() - model(batch(TEXT, segments=2)).numpy()).max() > 0.01


def test_each_projection_is_a_dense_layer_of_its_own():
    dense = [layer.name for layer in states_model().layers if isinstance(layer, tf.keras.layers.Dense)]
    roles = ("query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_out")
    assert dense == [f"layer_{index}_{role}" for index in (0, 1) for role in roles]


def test_slimmed_layers_may_differ_in_heads_and_feed_forward_width():
    weights = get_weights(states_model(dataclasses.replace(SPEC, heads=(2, 1), feed_forward=(16, 6))))
    assert [weights[f"layer_{index}_query/kernel"].shape for index in (0, 1)] == [(8, 8), (8, 4)]
    assert [weights[f"layer_{index}_attention_output/kernel"].shape for index in (0, 1)] == [(8, 8), (4, 8)]
    assert [weights[f"layer_{index}_feed_forward_in/kernel"].shape for index in (0, 1)] == [(8, 16), (8, 6)]


def test_dropout_layers_draw_masks_of_their_own():
    inputs = text_inputs()
    spec = dataclasses.replace(SPEC, heads=(2,) * 12, feed_forward=(16,) * 12)
    layers = tf.keras.Model(inputs, body(spec, inputs, dropout=0.1, attention_dropout=0.1, seed=3)).layers
    seeds = [layer.seed for layer in layers if hasattr(layer, "seed")] + [
        layer.dropout.seed for layer in layers if hasattr(layer, "dropout")
    ]
    assert len(seeds) == 1 + 3 * 12
    assert len(set(seeds)) == len(seeds)
