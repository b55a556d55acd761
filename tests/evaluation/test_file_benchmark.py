"""Any TFLite file is measured: its bytes, its operators, what the delegate takes of them, its memory and its latency."""

import gzip

import numpy as np
import pytest

from tests.tiny_encoder import tf
from tests.tiny_tflite import write_encoder
from tfarch.errors import InputError
from tfarch.evaluation.file_benchmark import benchmark


def written(path, content):
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("files"))


def converted(function, *signature):
    return tf.lite.TFLiteConverter.from_concrete_functions(
        [tf.function(function, input_signature=signature).get_concrete_function()]
    ).convert()


def test_a_text_model_is_measured_at_each_length_and_count_of_threads(encoder):
    found = benchmark(encoder, lengths=(4, 60), threads=(1, 2), repeats=3)
    body = encoder.read_bytes()
    assert (found["bytes"], found["gzip_bytes"]) == (len(body), len(gzip.compress(body, 9)))
    assert found["latency_ms"].keys() == {"threads_1", "threads_2"}
    for lengths in found["latency_ms"].values():
        assert lengths.keys() == {"4", "60"}
        assert all(0 < each["p50"] <= each["p95"] <= each["p99"] and each["n"] == 30 for each in lengths.values())
    one = found["latency_ms"]["threads_1"]
    assert one["60"]["p50"] > 2 * one["4"]["p50"]
    assert found["memory_mb"] > 0.5 * len(body) / 1e6


def test_what_the_delegate_takes_are_operators_of_the_file(encoder):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    found = benchmark(encoder, lengths=(8,), repeats=1)
    plain = Interpreter(str(encoder), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    plain.allocate_tensors()
    assert found["operators"] == len(plain._get_ops_details())
    assert 0.5 < found["delegated"] < 1.0  # gathers of the tables are not
    assert found["stretches"] >= 1


def test_a_file_that_is_delegated_whole_or_not_at_all(tmp_path):
    kernel = tf.constant(np.ones((8, 8), np.float32))
    whole = written(tmp_path / "whole.tflite", converted(lambda x: tf.nn.relu(x @ kernel), tf.TensorSpec((1, 8), tf.float32)))
    assert (benchmark(whole, repeats=1)["delegated"], benchmark(whole, repeats=1)["stretches"]) == (1.0, 1)
    none = written(tmp_path / "none.tflite", converted(lambda x: tf.cumsum(x, axis=1), tf.TensorSpec((1, 8), tf.int32)))
    found = benchmark(none, lengths=(4, 8), repeats=1)
    assert (found["delegated"], found["stretches"]) == (0.0, 0)
    assert found["latency_ms"]["threads_1"].keys() == {"4"}  # no open dimension: one length does


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file"), (b"hello there", "is not a TFLite file"), (b"abcdTFL3" * 40, "LiteRT cannot run")]
)
def test_what_is_no_model_is_refused(tmp_path, content, message):
    file = tmp_path / "odd.tflite"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        benchmark(file)
