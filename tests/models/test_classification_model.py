"""The classifier: its inputs, logits and probabilities, under mixed precision too, and the size of the smallest structure."""

import dataclasses

import numpy as np
import pytest

from tests.tiny_encoder import RAGGED, SPEC, batch, randomise

import tensorflow as tf  # isort: skip

from tfarch.config import ModelConfig
from tfarch.export.tflite import Converter
from tfarch.models.classifier import build_classifier, text_vector, with_probabilities
from tfarch.models.spec import AveragedSpec

AVERAGED = AveragedSpec(SPEC.vocabulary, 8)


@pytest.mark.parametrize("spec", [SPEC, AVERAGED], ids=["encoder", "averaged"])
def test_ids_mask_and_segments_give_a_float32_logit_for_each_class(spec):
    model = build_classifier(spec, 5, dropout=0.1, attention_dropout=0.1)
    assert {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in model.input.items()} == dict.fromkeys(
        ("ids", "mask", "segment_ids"), (tf.int32, (None, None))
    )
    logits = model(RAGGED, training=False)
    assert (logits.dtype, tuple(logits.shape)) == (tf.float32, (3, 5))


def test_dropout_acts_in_training_alone():
    model = randomise(build_classifier(SPEC, 5, dropout=0.5))
    at_rest = model(RAGGED, training=False).numpy()
    np.testing.assert_array_equal(model(RAGGED, training=False), at_rest)
    assert np.abs(model(RAGGED, training=True) - at_rest).max() > 0.01


def test_the_seed_decides_the_masks():
    def trained_logits(seed):
        return randomise(build_classifier(SPEC, 5, dropout=0.5, seed=seed))(RAGGED, training=True).numpy()

    np.testing.assert_array_equal(trained_logits(1), trained_logits(1))
    assert np.abs(trained_logits(1) - trained_logits(2)).max() > 0.01


def test_probabilities_are_the_softmax_of_the_tempered_logits():
    model = randomise(build_classifier(SPEC, 5))
    logits = model(RAGGED).numpy()
    expected = np.exp(logits / 1.6) / np.exp(logits / 1.6).sum(axis=1, keepdims=True)
    closed = with_probabilities(model, 1.6)
    np.testing.assert_allclose(closed(RAGGED), expected, atol=1e-6)
    assert closed.output_names == ["probabilities"]


@pytest.fixture
def mixed_precision():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


@pytest.mark.usefixtures("mixed_precision")
@pytest.mark.parametrize("spec", [SPEC, AVERAGED], ids=["encoder", "averaged"])
def test_mixed_precision_computes_in_bfloat16_and_keeps_weights_and_logits_in_float32(spec):
    model = build_classifier(spec, 5, dropout=0.1, attention_dropout=0.1)
    assert model.get_layer("pooling").output.dtype == tf.bfloat16
    assert model(RAGGED, training=True).dtype == tf.float32
    assert {variable.dtype for variable in model.trainable_variables} == {tf.float32}
    assert with_probabilities(model, 1.5)(RAGGED).dtype == tf.float32


def test_mixed_precision_is_near_float32():
    plain = randomise(build_classifier(SPEC, 5))
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = randomise(build_classifier(SPEC, 5))
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    np.testing.assert_allclose(with_probabilities(mixed, 1.0)(RAGGED), with_probabilities(plain, 1.0)(RAGGED), atol=0.05)


def test_the_averaged_structure_is_under_a_megabyte_with_default_settings():
    settings = ModelConfig()
    model = with_probabilities(build_classifier(AveragedSpec(settings.vocabulary, settings.averaged_width), 150), 1.0)
    assert sum(4 * weight.size for weight in model.get_weights()) < 1e6
    with Converter.of_texts(model) as converter:
        assert len(converter.convert("float32")) < 1e6


@pytest.mark.parametrize("gelu", ["exact", "tanh"])
def test_the_encoder_becomes_a_tflite_file_of_dynamic_length_without_custom_operations(gelu):
    from ai_edge_litert.interpreter import Interpreter

    spec = dataclasses.replace(SPEC, gelu=gelu)
    model = with_probabilities(randomise(build_classifier(spec, 5)), 1.2)
    with Converter.of_texts(model) as converter:
        runner = Interpreter(model_content=converter.convert("float32")).get_signature_runner("serving_default")
    np.testing.assert_allclose(runner(**RAGGED)["probabilities"], model(RAGGED), atol=1e-5)


def test_the_text_vector_of_a_model_in_training_is_that_before_dropout():
    model = build_classifier(AveragedSpec(20, 8), 3, dropout=0.5)
    vectors = tf.keras.Model(model.input, text_vector(model))
    inputs = batch([2, 5, 6, 3], [2, 7, 3])
    np.testing.assert_array_equal(vectors(inputs, training=True), vectors(inputs, training=False))
    assert np.abs(model(inputs, training=True) - model(inputs, training=False)).max() > 1e-6
