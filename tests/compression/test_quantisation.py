"""Quantisation-aware training rounds to the grid of the exported int8 file: the same integers, the same scales, the same zeros."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.tiny_training import CLASSES, ENCODER_KERNELS, SPEC, classifier, examples, fit
from tfarch.compression.pruning import HoldZeros, zero_masks
from tfarch.compression.quantisation import rounded, weights_of_quantised, with_quantisation
from tfarch.compression.recipe import QuantisationAware
from tfarch.errors import InputError
from tfarch.export.tflite import Converter
from tfarch.models.classifier import build_classifier, with_probabilities
from tfarch.models.weights import get_weights, set_weights
from tfarch.runtime.logistic import softmax
from tfarch.training.inference import Forward


def integers(kernel):
    """The int8 values and the scales of a kernel `[in, out]`: 127 is the largest magnitude of each output."""
    scales = np.abs(kernel).max(axis=0) / np.float32(127)
    return np.round(kernel / scales), scales


def half_pruned():
    """The classifier with the smaller half of each encoder kernel at zero."""
    model = classifier()
    weights = get_weights(model)
    for name in ENCODER_KERNELS:
        weights[name][np.abs(weights[name]) < np.median(np.abs(weights[name]))] = 0.0
    set_weights(model, weights)
    return model


@pytest.fixture(scope="module")
def trained():
    """A half pruned classifier after quantisation-aware training: the wrapped model."""
    callbacks = [HoldZeros(zero_masks(get_weights(half_pruned())))]
    return fit(lambda: with_quantisation(half_pruned(), QuantisationAware()), callbacks, epochs=3).model


@pytest.fixture(scope="module")
def exported(trained):
    """An interpreter of the dynamic_int8 file that is made of the trained weights."""
    plain = build_classifier(SPEC, CLASSES)
    set_weights(plain, weights_of_quantised(trained))
    with Converter.of_texts(with_probabilities(plain, 1.0)) as converter:
        return Interpreter(model_content=converter.convert("dynamic_int8"))


@pytest.fixture(scope="module")
def exported_kernels(exported):
    """The int8 matrices `[in, out]` of the file with their scales, as (values, scales), those that stand in one product apart."""
    exported.allocate_tensors()
    found = []
    for each in exported.get_tensor_details():
        scales = each["quantization_parameters"]["scales"]
        if each["dtype"] == np.int8 and len(each["shape"]) == 2 and len(scales) > 1:
            parts = each["name"].count(";") + 1
            found += zip(np.split(exported.get_tensor(each["index"]).T, parts, axis=1), np.split(scales, parts), strict=True)
    return found


def test_the_file_holds_the_integers_and_scales_that_training_rounded_to(trained, exported_kernels):
    weights = weights_of_quantised(trained)
    assert len(exported_kernels) == len(ENCODER_KERNELS)
    for name in ENCODER_KERNELS:
        values, scales = integers(weights[name])
        found = [each for each in exported_kernels if np.array_equal(each[0], values)]
        assert len(found) == 1, name
        if name == "layer_0_query/kernel":
            scales = scales / SPEC.head_width**0.5  # the converter folds attention's factor into them
        np.testing.assert_allclose(found[0][1], scales, rtol=1e-6, err_msg=name)


def test_zeros_of_an_earlier_pruning_stand_in_the_same_places_of_the_file(exported_kernels):
    before = get_weights(half_pruned())
    for name in ENCODER_KERNELS:
        zeros = before[name] == 0
        assert zeros.mean() == 0.5
        assert sum(values.shape == zeros.shape and bool((values[zeros] == 0).all()) for values, _ in exported_kernels) == 1, name


def test_the_file_answers_as_the_trained_model_does(trained, exported):
    tokens = examples().tokens
    inputs = tokens.padded(range(len(tokens)), 8)
    run = exported.get_signature_runner("serving_default")
    probabilities = np.concatenate(
        [run(**{name: value[row : row + 1] for name, value in inputs.items()})["probabilities"] for row in range(len(tokens))]
    )
    expected = softmax(Forward(trained)(tokens))
    assert expected.max(axis=1).mean() > 0.5  # not a model that says 1/4 whatever it is asked
    # What is left is the rounding of the activations to int8, which TFLite does at run time and training does not see.
    np.testing.assert_allclose(probabilities, expected, atol=0.02)


def test_the_first_inference_is_that_of_the_rounded_weights_before_any_training():
    plain = classifier()
    quantised = Forward(with_quantisation(plain, QuantisationAware()))(examples().tokens)
    weights = get_weights(plain)
    for name in (*ENCODER_KERNELS, "head/kernel"):
        values, scales = integers(weights[name])
        weights[name] = values * scales
    float_answers = Forward(plain)(examples().tokens)
    set_weights(plain, weights)
    np.testing.assert_allclose(quantised, Forward(plain)(examples().tokens), atol=1e-4)
    assert np.abs(quantised - float_answers).max() > 1e-3


def test_rounding_meets_the_grid_and_keeps_zeros_and_columns_of_zeros():
    import tensorflow as tf

    kernel = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
    kernel[:, 2], kernel[3, :] = 0.0, 0.0
    result = rounded(tf.constant(kernel)).numpy()
    live = [0, 1, 3, 4]
    values, scales = integers(kernel[:, live])
    np.testing.assert_allclose(result[:, live], values * scales, atol=1e-6)
    assert (result[:, 2] == 0).all()
    assert (result[3] == 0).all()


def test_gradients_pass_straight_through_also_at_the_largest_weights():
    import tensorflow as tf

    kernel, upstream = (tf.constant(np.random.default_rng(seed).normal(size=(64, 50)), tf.float32) for seed in (0, 1))
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        loss = tf.reduce_sum(rounded(kernel) * upstream)
    np.testing.assert_array_equal(tape.gradient(loss, kernel), upstream)


def test_the_float_weights_have_the_names_and_shapes_of_the_plain_model():
    plain = classifier()
    weights = weights_of_quantised(with_quantisation(plain, QuantisationAware()))
    expected = get_weights(plain)
    assert weights.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(weights[name], value, err_msg=name)


def test_only_the_chosen_layers_are_rounded():
    model = with_quantisation(classifier(), QuantisationAware(layers=["*_feed_forward_*"]))
    assert [layer.name for layer in model.layers if layer.name.startswith("quant")] == [
        "quant_layer_0_feed_forward_in",
        "quant_layer_0_feed_forward_out",
    ]
    with pytest.raises(InputError, match=r"no layer matches nothing; the model's Dense layers: layer_0_query"):
        with_quantisation(classifier(), QuantisationAware(layers=["nothing"]))
