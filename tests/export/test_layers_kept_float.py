"""Weights that stay float in an int8 file: those of the layers asked for and no others, and the file runs and answers as the two it is made of do."""

import fnmatch

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from tests.tiny_training import classifier, examples
from tfarch.errors import InputError
from tfarch.export.linter import examine
from tfarch.export.selective import layer_of
from tfarch.export.tflite import Converter
from tfarch.models.classifier import with_probabilities

LAYERS = [f"layer_0_{each}" for each in ("query", "key", "value", "attention_output", "feed_forward_in", "feed_forward_out")]


@pytest.fixture(scope="module")
def converter():
    with Converter.of_texts(with_probabilities(classifier(), 1.0)) as converter:
        yield converter


def constants(body):
    """Types of the weights of `Dense` layers, by layer."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(body))
    found = {}
    for tensor in model.subgraphs[0].tensors:
        if model.buffers[tensor.buffer].data is not None and len(tensor.shape) == 2:
            kind = {schema.TensorType.INT8: "int8", schema.TensorType.FLOAT32: "float32"}.get(tensor.type)
            found |= {layer_of(name): kind for name in tensor.name.decode().split(";")}
    return {layer: found[layer] for layer in LAYERS}


def answers(body):
    texts = examples()
    runner = Interpreter(model_content=body).get_signature_runner()
    return runner(**texts.tokens.padded(np.arange(len(texts)), 8))["probabilities"]


def test_layers_are_told_by_the_names_of_constants(converter):
    assert constants(converter.convert("float32")) == dict.fromkeys(LAYERS, "float32")
    assert constants(converter.convert("dynamic_int8")) == dict.fromkeys(LAYERS, "int8")


@pytest.mark.parametrize("patterns", [["*_query"], ["layer_0_feed_forward_*", "*_key"]])
def test_the_layers_asked_for_alone_stay_float(converter, patterns):
    body = converter.convert("dynamic_int8", keep_float=patterns)
    kept = [layer for layer in LAYERS if any(fnmatch.fnmatch(layer, pattern) for pattern in patterns)]
    assert constants(body) == {layer: "float32" if layer in kept else "int8" for layer in LAYERS}


def test_with_all_weights_float_the_file_answers_as_the_float_one(converter, tmp_path):
    whole, rounded = converter.convert("float32"), converter.convert("dynamic_int8")
    mixed, none = (converter.convert("dynamic_int8", keep_float=patterns) for patterns in (["*_feed_forward_*"], ["layer_*"]))
    np.testing.assert_allclose(answers(none), answers(whole), atol=1e-5)
    assert np.abs(answers(mixed) - answers(whole)).max() > 1e-5
    assert np.abs(answers(mixed) - answers(rounded)).max() > 1e-5
    assert len(rounded) < len(mixed) < len(none) <= len(whole) * 1.05
    file = tmp_path / "mixed.tflite"
    file.write_bytes(mixed)
    assert examine(file).sparsity("FULLY_CONNECTED") < 0.05  # still a file that the linter reads


def test_a_pattern_that_matches_nothing_is_told_with_the_layers_that_there_are(converter):
    with pytest.raises(InputError, match=r"export.keep_float: no layer matches encoder_\*; layers with int8 weights: .*layer_0_query"):
        converter.convert("dynamic_int8", keep_float=["encoder_*"])
