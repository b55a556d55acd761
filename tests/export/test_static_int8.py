"""Full-integer files: everything between the inputs and the answers is computed in int8, by ranges that the texts fix, and the answers stay near the float file's."""

import collections

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from tests.tiny_training import classifier, examples, fit
from tfarch.errors import InputError
from tfarch.export.static_int8 import CALIBRATIONS, CLIPPED, _least_error, _percentile, _rounded, static_int8, with_clipped_masks
from tfarch.export.tflite import Converter
from tfarch.models.classifier import with_probabilities
from tfarch.models.layers import MASKED_SCORE


@pytest.fixture(scope="module")
def files():
    """A trained toy as a float32 file, and inputs that it learned from: (file, batches)."""
    model = with_probabilities(fit(classifier, epochs=10).model, 1.0)
    texts = examples()
    with Converter.of_texts(model) as converter:
        body = converter.plain("float32")
    return body, [texts.tokens.padded(np.arange(begin, begin + 8), 8) for begin in range(0, 24, 8)]


def answers(body, batches):
    runner = Interpreter(model_content=body).get_signature_runner()
    return np.concatenate([runner(**batch)["probabilities"] for batch in batches])


def operators(body):
    opened = Interpreter(model_content=body, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    opened.allocate_tensors()
    types = {each["index"]: np.dtype(each["dtype"]).name for each in opened.get_tensor_details() if each["name"]}
    return [(each["op_name"], [types.get(index) for index in each["inputs"] if index >= 0]) for each in opened._get_ops_details()]


@pytest.mark.parametrize("calibration", CALIBRATIONS)
def test_products_are_of_int8_and_the_answers_near_the_float_files(files, calibration):
    body, batches = files
    made = static_int8(body, batches, calibration)
    whole, small = answers(body, batches), answers(made, batches)
    assert (whole.argmax(axis=1) == small.argmax(axis=1)).mean() >= 0.95
    assert np.abs(whole - small).max() < 0.3
    found = operators(made)
    products = [types for name, types in found if name in ("FULLY_CONNECTED", "BATCH_MATMUL")]
    assert len(products) >= 9
    assert all(types[:2] == ["int8", "int8"] for types in products)
    assert collections.Counter(name for name, _ in found)["DEQUANTIZE"] <= 2
    assert len(made) < len(body)


def test_attention_masks_are_clipped_and_nothing_else(files):
    def numbers(body):
        model = flatbuffer_utils.read_model_from_bytearray(bytearray(body))
        constants = [(tensor, model.buffers[tensor.buffer].data) for tensor in model.subgraphs[0].tensors]
        single = [data for tensor, data in constants if tensor.type == schema.TensorType.FLOAT32 and data is not None and len(data) == 4]
        return sorted(float(np.frombuffer(bytes(bytearray(data)), np.float32)[0]) for data in single)

    body, batches = files
    clipped = with_clipped_masks(body)
    before, after = numbers(body), numbers(clipped)
    assert MASKED_SCORE in before
    assert after == sorted(CLIPPED if each == MASKED_SCORE else each for each in before)
    np.testing.assert_allclose(answers(clipped, batches), answers(body, batches), atol=1e-5)


def test_longer_texts_than_those_that_fixed_the_ranges_are_answered_too(files):
    body, batches = files
    made = static_int8(body, batches[:1])
    longer = {name: np.concatenate([each, each], axis=1)[:3] for name, each in batches[1].items()}
    np.testing.assert_allclose(answers(made, [longer]).sum(axis=1), 1.0, atol=0.02)


def test_ranges_leave_out_the_tails_or_round_with_the_least_error():
    values = np.concatenate([np.random.default_rng(0).normal(0, 1, 100_000), [60.0, -55.0]])
    low, high = _percentile(values)
    assert -5 < low < -3 < 3 < high < 5
    low, high = _least_error(values)
    errors = [np.mean((_rounded(values, share * -55.0, share * 60.0) - values) ** 2) for share in (0.3, 0.5, 0.8, 1.0)]
    assert np.mean((_rounded(values, low, high) - values) ** 2) <= min(errors)
    assert _least_error(np.zeros(5)) == (0.0, 0.0)
    assert _least_error(np.array([1.0, 2.0]))[0] == 0.0  # TFLite's ranges hold 0


def test_without_texts_or_by_an_unknown_way_it_is_not_made(files):
    with pytest.raises(InputError, match="unknown calibration 'luck'; known: min_max, mse, percentile"):
        static_int8(*files, "luck")
    with Converter.of_texts(with_probabilities(classifier(), 1.0)) as converter, pytest.raises(InputError, match="needs texts"):
        converter.convert("static_int8")
