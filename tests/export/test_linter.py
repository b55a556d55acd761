"""The linter tells what is in a TFLite file and refuses one that may not ship."""

import zipfile

import numpy as np
import pytest

from tests.tiny_classifier import LABELS, MAX_LENGTH, VOCABULARY, converted, tiny_tflite
from tfarch.errors import InputError
from tfarch.export.linter import examine, lint
from tfarch.export.metadata import write_metadata


@pytest.fixture
def model(tmp_path):
    """Puts a model into a file and gives its path."""

    def write(content):
        (tmp_path / "model.tflite").write_bytes(content)
        return tmp_path / "model.tflite"

    return write


def test_a_dynamic_file_of_ours_may_ship(model):
    path = model(tiny_tflite())
    assert lint(path) == []
    facts = examine(path)
    assert facts.dynamic
    assert facts.subgraphs == 1
    assert facts.bytes == path.stat().st_size
    assert {each.name: (each.dtype, each.shape) for each in facts.inputs} == dict.fromkeys(
        ("ids", "mask", "segment_ids"), ("int32", (None, None))
    )
    assert {each.name: (each.dtype, each.shape) for each in facts.outputs} == {
        "probabilities": ("float32", (None, len(LABELS))),
        "text_vector": ("float32", (None, 32)),
    }


def test_a_file_of_fixed_length_may_ship(model):
    path = model(tiny_tflite(length=8))
    assert lint(path) == []
    assert not examine(path).dynamic
    assert {each.shape for each in examine(path).inputs} == {(1, 8)}


def test_operators_are_counted(model):
    operators = examine(model(tiny_tflite())).operators
    assert operators["FULLY_CONNECTED"] == 2
    assert operators["SOFTMAX"] == 1
    assert operators["GATHER"] == 2


def test_zeros_are_counted_in_the_weights_of_the_file(model):
    facts = examine(model(tiny_tflite()))
    assert {(each.operator, each.shape, each.dtype) for each in facts.weights} == {
        ("GATHER", (len(VOCABULARY), 16), "float32"),
        ("GATHER", (2, 16), "float32"),
        ("FULLY_CONNECTED", (32, 16), "float32"),
        ("FULLY_CONNECTED", (4, 32), "float32"),
    }
    assert facts.sparsity("FULLY_CONNECTED") == 256 / (512 + 128)
    assert facts.sparsity("GATHER") == 0
    assert facts.sparsity() == 256 / (512 + 128 + len(VOCABULARY) * 16 + 32)
    assert facts.weight_bytes() == {"float32": 4 * (512 + 128 + len(VOCABULARY) * 16 + 32)}
    assert facts.sparsity("CONV_2D") == 0


def test_float16_weights_are_found_behind_their_dequantising(model):
    facts = examine(model(tiny_tflite("float16")))
    assert "float16" in facts.weight_bytes()
    assert facts.sparsity("FULLY_CONNECTED") == 256 / (512 + 128)


@pytest.mark.parametrize("flex", [True, False])
def test_an_operator_from_outside_tflite_may_not_ship(model, flex):
    import tensorflow as tf

    def determinant(ids):
        return {"probabilities": tf.linalg.det(tf.cast(ids, tf.float32))}

    chosen = [tf.lite.OpsSet.TFLITE_BUILTINS, *([tf.lite.OpsSet.SELECT_TF_OPS] if flex else [])]
    settings = {"target_spec": tf.lite.TargetSpec(supported_ops=chosen), "allow_custom_ops": not flex}
    path = model(converted(determinant, [("ids", np.int32, (2, 3, 3))], **settings))
    name = "FlexMatrixDeterminant" if flex else "MatrixDeterminant"
    assert examine(path).custom == (name,)
    assert f"{name} is a {'Flex' if flex else 'custom'} operator" in lint(path)[0]


def test_inputs_and_outputs_of_another_kind_are_named(model):
    path = model(converted(lambda x, y: {"scores": x + y}, [("x", np.float32, (1, 4)), ("y", np.float32, (1, 1))]))
    problems = lint(path)
    assert "input 'x' is float32 [1, 4], not int32 [batch, length]" in problems
    assert problems[0] in [f"inputs are named {names}, not ['ids', 'mask', 'segment_ids']" for names in (["x", "y"], ["y", "x"])]
    assert any(each.startswith("inputs differ in shape: ") for each in problems)
    assert "outputs are named ['scores'], not ['probabilities', 'text_vector']" in problems


def test_other_names_may_be_asked_for(model):
    path = model(converted(lambda items: {"scores": tf_float(items)}, [("items", np.int32, (1, 4))]))
    assert lint(path, inputs=["items"], outputs=["scores"]) == []


def tf_float(values):
    import tensorflow as tf

    return tf.cast(values, tf.float32)


def metadata_of(tflite):
    return write_metadata(
        tflite,
        name="t",
        description="t",
        labels={"probabilities": LABELS},
        vocabulary="[PAD]\n",
        max_length=MAX_LENGTH,
        licence="Apache-2.0",
        version="1",
    )


def test_sound_metadata_have_no_problem(model):
    assert lint(model(metadata_of(tiny_tflite()))) == []


def test_metadata_in_another_order_than_the_file_are_found(model):
    content = metadata_of(tiny_tflite())
    first = content.index(b"M001")
    place = content.index(b"mask\0", first)
    swapped = content[:place] + b"muss\0" + content[place + 5 :]
    (problem,) = lint(model(swapped))
    assert "the metadata lists the inputs" in problem
    assert "muss" in problem


def test_metadata_whose_files_are_gone_are_found(model):
    content = metadata_of(tiny_tflite())
    assert lint(model(content[: content.index(b"PK\x03\x04")])) == [
        "the metadata names labels.txt, which is not packed in the file",
        "the metadata names vocab.txt, which is not packed in the file",
    ]


def test_a_label_too_few_in_the_packed_file_is_found(model):
    content = metadata_of(tiny_tflite())
    path = model(content[: content.index(b"PK\x03\x04")])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "a\nb\nc\n")
        archive.writestr("vocab.txt", "[PAD]\n")
    assert lint(path) == ["labels.txt has 3 labels, the output 4 classes"]


def test_what_is_not_a_tflite_file_is_refused(model):
    with pytest.raises(InputError, match=r"model\.tflite: is not a TFLite file"):
        lint(model(b"PK"))
