"""An encoder's file in fewer operators answers as the converter's, and everything else stays as it is."""

import collections

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.tools import flatbuffer_utils

from tests.tiny_training import CLASSES, SPEC, classifier
from tfarch.export.fewer_operators import with_fewer_operators
from tfarch.export.graph_editing import code_of
from tfarch.export.selective import with_float_weights
from tfarch.export.tflite import Converter
from tfarch.models.classifier import with_probabilities

import tensorflow as tf  # isort: skip
from tensorflow.lite.python import schema_py_generated as schema  # isort: skip

NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}


def operators(body):
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(body))
    return collections.Counter(NAMES[code_of(model, each)] for graph in model.subgraphs for each in graph.operators)


def answers(body, shape, padded):
    random = np.random.default_rng(7)
    ids = random.integers(5, SPEC.vocabulary, shape).astype(np.int32)
    mask = np.ones_like(ids)
    if padded:
        mask[:, -padded:] = 0
    return Interpreter(model_content=body).get_signature_runner()(ids=ids, mask=mask, segment_ids=np.zeros_like(ids))["probabilities"]


@pytest.fixture(scope="module")
def files():
    """The files that the converter makes, of open and of fixed length; `mixed` has the weights of its keys alone in float."""
    model = with_probabilities(classifier(), 1.0)
    with Converter.of_texts(model) as converter:
        made = {variant: converter.plain(variant) for variant in ("float32", "float16", "dynamic_int8")}
        made["mixed"] = with_float_weights(made["dynamic_int8"], made["float32"], ["*_key"])
    with Converter.of_texts(model, length=6) as converter:
        return made | {f"{variant} of 6": converter.plain(variant) for variant in ("float32", "dynamic_int8")}


FILES = ("float32", "float16", "dynamic_int8", "mixed", "float32 of 6", "dynamic_int8 of 6")


@pytest.mark.parametrize("name", FILES)
def test_a_file_answers_as_before(files, name):
    written = with_fewer_operators(files[name])
    # Dynamic int8 rounds each layer's input: where a float differs in its last bit a number may fall to the other side.
    near = 1e-6 if name.startswith("float") else 2e-3
    for shape, padded in [((1, 6), 0), ((1, 6), 3)] + ([] if "of" in name else [((1, 2), 0), ((5, 9), 4)]):
        before = answers(files[name], shape, padded)
        assert before.shape == (shape[0], CLASSES)
        np.testing.assert_allclose(answers(written, shape, padded), before, atol=near, err_msg=f"{shape}, {padded} padded")


@pytest.mark.parametrize(
    ("name", "products"), [("float32", 1), ("dynamic_int8", 1), ("mixed", 2), ("float16", 3), ("dynamic_int8 of 6", 1)]
)
def test_queries_keys_and_values_of_one_kind_are_one_product(files, name, products):
    before, after = operators(files[name]), operators(with_fewer_operators(files[name]))
    assert before["FULLY_CONNECTED"] == 7
    gone = 3 - products
    for kind in ("FULLY_CONNECTED", "RESHAPE", "TRANSPOSE"):
        assert after[kind] == before[kind] - gone, kind
    assert after["SPLIT"] == (1 if gone else 0)
    # A layer normalisation of ten operators has nine; there are three.
    assert sum(before.values()) - sum(after.values()) == 3 + (3 * gone - 1 if gone else 0) - (
        name == "mixed"
    )  # two shapes where one product is left
    assert (before["SQUARED_DIFFERENCE"], after["SQUARED_DIFFERENCE"]) == (3, 0)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_left_that_nobody_reads(files, name):
    written = with_fewer_operators(files[name])
    assert len(written) < len(files[name])
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(written))
    (graph,) = model.subgraphs
    named = {index for each in graph.operators for index in [*each.inputs, *each.outputs]} | {*graph.inputs, *graph.outputs}
    assert named - {-1} == set(range(len(graph.tensors)))
    owned = {each.buffer for each in [*graph.tensors, *model.metadata]}
    assert owned | {0} == set(range(len(model.buffers)))
    assert {each.opcodeIndex for each in graph.operators} == set(range(len(model.operatorCodes)))


def test_the_int8_numbers_steps_and_biases_are_those_of_before(files):
    before, after = (
        flatbuffer_utils.read_model_from_bytearray(bytearray(each))
        for each in (files["dynamic_int8"], with_fewer_operators(files["dynamic_int8"]))
    )
    (joined,) = [each for each in after.subgraphs[0].tensors if each.type == schema.TensorType.INT8 and b";" in each.name]
    parts = {each.name: each for each in before.subgraphs[0].tensors}
    kernels = [parts[name] for name in joined.name.split(b";")]
    assert len(kernels) == 3
    assert joined.shape.tolist() == [3 * SPEC.width, SPEC.width]
    np.testing.assert_array_equal(joined.quantization.scale, np.concatenate([each.quantization.scale for each in kernels]))
    numbers = b"".join(bytes(bytearray(before.buffers[each.buffer].data)) for each in kernels)
    assert bytes(bytearray(after.buffers[joined.buffer].data)) == numbers


def test_a_file_without_these_patterns_is_the_same_file():
    inputs = tf.keras.Input((8,))
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(4, activation="relu")(inputs))
    body = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    assert with_fewer_operators(body) == body


def test_a_file_of_several_graphs_is_the_same_file():
    @tf.function(input_signature=[tf.TensorSpec([1, 8], tf.float32)])
    def run(values):
        for _ in tf.range(3):
            values = values * tf.math.rsqrt(tf.reduce_mean(tf.square(values)) + 1.0)
        return values

    body = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()], run).convert()
    assert len(flatbuffer_utils.read_model_from_bytearray(bytearray(body)).subgraphs) > 1
    assert with_fewer_operators(body) == body


def half_a_pattern(what, kept):
    """A file with a pattern, of which `kept` is an answer of the model too."""
    inputs = tf.keras.Input((4, 32), batch_size=1, name="values")
    if what.startswith("heads"):
        heads = [tf.keras.layers.Dense(32, name=name)(inputs) for name in ("query", "key")]
        shape = [-1, 8, 2, 8] if what == "heads of half a token" else [-1, 4, 2, 16]
        turned = [tf.transpose(tf.reshape(each, shape), [0, 2, 1, 3]) for each in heads]
        parts = {"product": heads[0], "end": tf.matmul(*turned, transpose_b=True)}
    else:
        mean = tf.reduce_mean(inputs, axis=-1, keepdims=True)
        squares = tf.math.squared_difference(inputs, mean)
        scale = tf.math.rsqrt(tf.reduce_mean(squares, axis=-1, keepdims=True) + 1e-6) * tf.range(1.0, 33.0)
        less = tf.range(32.0) - mean * scale
        parts = {"mean": mean, "squares": squares, "scale": scale, "less": less, "end": inputs * scale + less}
    model = tf.keras.Model(inputs, [parts["end"]] if kept == "end" else [parts["end"], parts[kept]])
    return tf.lite.TFLiteConverter.from_keras_model(model).convert()


@pytest.mark.parametrize("what", ["heads", "normalisation"])
def test_a_pattern_of_any_model_is_written_anew(what):
    body = half_a_pattern(what, "end")
    written = with_fewer_operators(body)
    assert operators(written) != operators(body)
    values = np.random.default_rng(3).normal(size=(1, 4, 32)).astype(np.float32)
    before, after = (Interpreter(model_content=each).get_signature_runner()(values=values).values() for each in (body, written))
    np.testing.assert_allclose(*after, *before, atol=1e-4)


@pytest.mark.parametrize(
    ("what", "kept"),
    [("heads", "product"), ("heads of half a token", "end"), *(("normalisation", each) for each in ("mean", "squares", "scale", "less"))],
)
def test_what_is_only_nearly_a_pattern_or_of_which_a_part_is_an_answer_too_is_left_as_it_is(what, kept):
    body = half_a_pattern(what, kept)
    assert with_fewer_operators(body) == body
