"""Labels and vocabulary inside the file: what was written is read back, and the file answers as before."""

import zipfile

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.tiny_classifier import LABELS, MAX_LENGTH, VOCABULARY, tiny_tflite
from tfarch.errors import InputError
from tfarch.export.linter import examine
from tfarch.export.metadata import read_metadata, write_metadata

PIECES = "".join(f"{piece}\n" for piece in VOCABULARY)


def with_metadata(tflite, **changes):
    given = {
        "name": "tiny – größer",
        "description": "Understands four questions.",
        "labels": {"probabilities": LABELS},
        "vocabulary": PIECES,
        "max_length": MAX_LENGTH,
        "licence": "Apache-2.0",
        "version": "0.1.0",
    }
    return write_metadata(tflite, **given | changes)


def test_what_was_written_is_read_back():
    metadata = read_metadata(with_metadata(tiny_tflite()))
    assert metadata["name"] == "tiny – größer"
    assert metadata["license"] == "Apache-2.0"
    assert metadata["version"] == "0.1.0"
    assert metadata["files"] == {"labels.txt": "".join(f"{label}\n" for label in LABELS), "vocab.txt": PIECES}
    (graph,) = metadata["subgraph_metadata"]
    output, vector = graph["output_tensor_metadata"]
    assert (output["name"], vector["name"]) == ("probabilities", "text_vector")
    assert "associated_files" not in vector
    assert output["stats"] == {"max": [1.0], "min": [0.0]}
    assert [(file["name"], file["type"]) for file in output["associated_files"]] == [("labels.txt", "TENSOR_AXIS_LABELS")]
    (unit,) = graph["input_process_units"]
    (vocabulary,) = unit["options"]["BertTokenizerOptions"]["vocab_file"]
    assert (vocabulary["name"], vocabulary["type"]) == ("vocab.txt", "VOCABULARY")


def test_inputs_are_described_in_the_order_of_the_file(tmp_path):
    (tmp_path / "model.tflite").write_bytes(with_metadata(tiny_tflite()))
    (graph,) = read_metadata(tmp_path / "model.tflite")["subgraph_metadata"]
    described = [each["name"] for each in graph["input_tensor_metadata"]]
    assert described == [each.name for each in examine(tmp_path / "model.tflite").inputs]
    assert described != ["ids", "mask", "segment_ids"], "the converter kept our order: this test could not fail"


def test_the_probabilities_come_first_in_the_file(tmp_path):
    for name, content in (("plain", tiny_tflite()), ("described", with_metadata(tiny_tflite()))):
        (tmp_path / name).write_bytes(content)
    assert [each.name for each in examine(tmp_path / "described").outputs] == ["probabilities", "text_vector"]
    assert examine(tmp_path / "plain").outputs[0].name == "text_vector", "the order is ours already: this test could not fail"


@pytest.mark.parametrize("variant", ["float32", "float16", "dynamic_int8"])
def test_the_file_answers_as_before_and_its_weights_are_aligned(variant, tmp_path):
    plain = tiny_tflite(variant)
    (tmp_path / "model.tflite").write_bytes(with_metadata(plain))
    ids = np.array([[2, 5, 6, 8, 3], [2, 13, 3, 0, 0]], np.int32)
    texts = {"ids": ids, "mask": (ids > 0).astype(np.int32), "segment_ids": np.zeros_like(ids)}

    def answer(interpreter):
        return interpreter.get_signature_runner("serving_default")(**texts)["probabilities"]

    found = answer(Interpreter(model_path=str(tmp_path / "model.tflite")))
    np.testing.assert_array_equal(found, answer(Interpreter(model_content=plain)))
    facts = examine(tmp_path / "model.tflite")
    assert facts.weights
    assert all(weight.aligned for weight in facts.weights)


def test_the_converter_s_own_metadata_are_kept():
    from ai_edge_litert import schema_py_generated as schema

    def names(tflite):
        model = schema.Model.GetRootAs(tflite)
        return [model.Metadata(index).Name() for index in range(model.MetadataLength())]

    assert names(with_metadata(tiny_tflite())) == [*names(tiny_tflite()), b"TFLITE_METADATA"]
    assert b"min_runtime_version" in names(tiny_tflite())


def test_any_unzip_takes_the_files_out(tmp_path):
    (tmp_path / "model.tflite").write_bytes(with_metadata(tiny_tflite()))
    with zipfile.ZipFile(tmp_path / "model.tflite") as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist() == ["labels.txt", "vocab.txt"]


def test_the_same_model_gives_the_same_bytes():
    assert with_metadata(tiny_tflite()) == with_metadata(tiny_tflite())


def test_a_file_without_metadata_has_none():
    assert read_metadata(tiny_tflite()) == {}


def test_older_metadata_give_way():
    old = with_metadata(tiny_tflite(), name="older", vocabulary="[PAD]\n")
    assert read_metadata(old)["name"] == "older"
    metadata = read_metadata(with_metadata(old))
    assert metadata["name"] == "tiny – größer"
    assert metadata["files"]["vocab.txt"] == PIECES


def test_damaged_packed_files_are_told():
    content = with_metadata(tiny_tflite())
    place = content.index(f"{LABELS[0]}\n".encode())
    with pytest.raises(InputError, match=r"the files packed in it are damaged: .*labels\.txt"):
        read_metadata(content[:place] + b"X" + content[place + 1 :])


def test_labels_that_do_not_fit_the_output_are_refused():
    with pytest.raises(InputError, match="gives 4 probabilities, but there are 3 labels"):
        with_metadata(tiny_tflite(), labels={"probabilities": LABELS[:3]})


@pytest.mark.parametrize("label", ["", "two\nlines", " padded", "a\u2028b"])
def test_a_label_that_cannot_stand_on_a_line_is_refused(label):
    with pytest.raises(InputError, match=r"label 1 is .* cannot stand on a line of labels\.txt \(rename it\)"):
        with_metadata(tiny_tflite(), labels={"probabilities": [LABELS[0], label, *LABELS[2:]]})


def test_what_is_not_a_tflite_file_is_refused(tmp_path):
    (tmp_path / "model.tflite").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(InputError, match=r"model\.tflite: is not a TFLite file"):
        read_metadata(tmp_path / "model.tflite")
    with pytest.raises(InputError, match=r"model\.tflite: is not a TFLite file"):
        with_metadata(tmp_path / "model.tflite")
