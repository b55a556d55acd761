"""Tables rounded row by row: nearer to the float file than the converter's, at four bytes a row, in an ordinary file."""

import dataclasses

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.tools import flatbuffer_utils

from tests.tiny_training import CLASSES, SPEC
from tfarch.export.fewer_operators import with_fewer_operators
from tfarch.export.row_tables import with_steps_of_rows
from tfarch.export.selective import with_float_weights
from tfarch.export.tflite import Converter
from tfarch.models.classifier import build_classifier, with_probabilities

ROWS = 300


@pytest.fixture(scope="module")
def files():
    """The float32 file, the converter's int8 one and ours, of a table whose rows differ in length by a factor of 100."""
    random = np.random.default_rng(6)
    model = build_classifier(dataclasses.replace(SPEC, vocabulary=ROWS, positions=64), CLASSES)
    for variable in model.weights:
        variable.assign(random.normal(1.0 if "gamma" in variable.name else 0.0, 0.3, variable.shape))
    table = model.get_layer("token_embedding").embeddings
    table.assign(table * np.geomspace(0.02, 2.0, ROWS)[:, None].astype(np.float32))
    with Converter.of_texts(with_probabilities(model, 1.0)) as converter:
        whole, plain = converter.plain("float32"), converter.plain("dynamic_int8")
        # All but the tables is left float, so that nothing else differs.
        made = {"converter": plain, "rows": with_steps_of_rows(plain, whole)}
        made = {name: with_fewer_operators(with_float_weights(body, whole, ["layer_*"])) for name, body in made.items()}
        return {"float32": whole, "shipped": converter.convert("dynamic_int8", keep_float=["layer_*"]), **made}


def answers(body, ids):
    runner = Interpreter(model_content=body).get_signature_runner()
    return runner(ids=ids, mask=np.ones_like(ids), segment_ids=np.zeros_like(ids))["probabilities"]


@pytest.mark.parametrize("shape", [(1, 3), (16, 8), (4, 40)])
def test_answers_are_nearer_to_the_float_files_than_the_converters_are(files, shape):
    ids = np.random.default_rng(1).integers(0, ROWS // 2, shape).astype(np.int32)  # the rows with small numbers
    found = {name: answers(body, ids) for name, body in files.items()}
    np.testing.assert_array_equal(found["rows"], found["shipped"])
    far = np.abs(found["converter"] - found["float32"]).mean()
    assert np.abs(found["rows"] - found["float32"]).mean() < 0.8 * far


def test_a_row_is_its_whole_numbers_times_its_step(files):
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(files["rows"]))
    tensors = {tensor.name.decode(): tensor for tensor in model.subgraphs[0].tensors}
    (name,) = [each.removesuffix("/steps") for each in tensors if each.endswith("token_embedding/embedding_lookup/steps")]
    steps = np.frombuffer(bytes(bytearray(model.buffers[tensors[f"{name}/steps"].buffer].data)), np.float32)
    whole = np.frombuffer(bytes(bytearray(model.buffers[tensors[name].buffer].data)), np.int8).reshape(ROWS, SPEC.width)
    reference = flatbuffer_utils.read_model_from_bytearray(bytearray(files["float32"]))
    (table,) = [each for each in reference.subgraphs[0].tensors if each.name.decode() == name]
    values = np.frombuffer(bytes(bytearray(reference.buffers[table.buffer].data)), np.float32).reshape(ROWS, SPEC.width)
    assert (np.abs(whole * steps[:, None] - values) <= steps[:, None] / 2 + 1e-6).all()
    assert (np.abs(whole).max(axis=1) == 127).all()


def test_it_costs_four_bytes_a_row(files):
    more = len(files["rows"]) - len(files["converter"])
    assert 4 * ROWS <= more <= 4 * (ROWS + 64) + 2_000
