"""Weight-only int8: whole numbers in the file, floats in the products, and no other rounding than that of the weights."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from tests.tiny_training import classifier, examples
from tfarch.export.linter import examine
from tfarch.export.selective import layer_of
from tfarch.export.tflite import Converter
from tfarch.models.classifier import with_probabilities


@pytest.fixture(scope="module")
def converter():
    model = classifier()
    random = np.random.default_rng(4)
    for variable in model.weights:  # long weights, so that what rounding costs stands out of the noise of float sums
        variable.assign(variable + random.normal(0.0, 0.2, variable.shape))
    with Converter.of_texts(with_probabilities(model, 1.0)) as converter:
        yield converter


def answers(body):
    texts = examples()
    runner = Interpreter(model_content=body).get_signature_runner()
    return runner(**texts.tokens.padded(np.arange(len(texts)), 8))["probabilities"]


def with_the_weights_of(body, whole):
    """The float32 file with the products' weights of an int8 one, times their steps."""
    rounded, model = (flatbuffer_utils.read_model_from_bytearray(bytearray(each)) for each in (body, whole))
    places = {
        tensor.name: tensor.buffer for tensor in model.subgraphs[0].tensors
    }  # kernels of one product are named one after another in both
    changed = 0
    for tensor in rounded.subgraphs[0].tensors:
        data = rounded.buffers[tensor.buffer].data
        if tensor.type == schema.TensorType.INT8 and data is not None and len(tensor.quantization.scale) == tensor.shape[0] > 1:
            numbers = np.frombuffer(bytes(bytearray(data)), np.int8).reshape(tensor.shape)
            floats = (numbers * np.array(tensor.quantization.scale)[:, None]).astype(np.float32)
            model.buffers[places[tensor.name]].data = floats.view(np.uint8).ravel()
            changed += 1
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)), changed


def test_it_answers_as_the_float_file_with_the_same_rounded_weights(converter):
    # Tables as small as these stay float in int8 files.
    whole, made = converter.convert("float32"), converter.convert("weight_only_int8")
    same, changed = with_the_weights_of(made, whole)
    assert changed >= 4, "the kernels of a layer, three of them one after another"
    np.testing.assert_allclose(answers(made), answers(same), atol=2e-5)
    assert np.abs(answers(made) - answers(whole)).max() > 1e-3


def test_it_is_nearer_to_float_than_dynamic_int8_and_hardly_larger(converter, tmp_path):
    whole, dynamic, made = (converter.convert(variant) for variant in ("float32", "dynamic_int8", "weight_only_int8"))
    far = {name: np.abs(answers(body) - answers(whole)).mean() for name, body in (("dynamic", dynamic), ("made", made))}
    assert far["made"] < far["dynamic"]
    assert len(dynamic) < len(made) < len(dynamic) + 4_000
    file = tmp_path / "made.tflite"
    file.write_bytes(made)
    facts = examine(file)
    assert not facts.custom
    kernels = [each for each in facts.weights if layer_of(each.name).startswith("layer_")]
    assert len(kernels) == 4  # three stand one after another
    assert {(each.operator, each.dtype) for each in kernels} == {("FULLY_CONNECTED", "int8")}


def test_layers_kept_float_are_not_rounded_at_all(converter):
    np.testing.assert_allclose(
        answers(converter.convert("weight_only_int8", keep_float=["layer_*"])), answers(converter.convert("float32")), atol=1e-5
    )
