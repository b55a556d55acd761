"""A BERT encoder from a Hugging Face style folder: the same function as there, or an error that names the file and what is wrong in it."""

import dataclasses
import json

import numpy as np
import pytest

from tests.tiny_encoder import CONFIG, RAGGED, SPEC, VOCABULARY, hugging_face_tensors, numpy_bert, states_model, write_folder
from tfarch.errors import InputError
from tfarch.models.pretrained import from_folder, load_pretrained
from tfarch.models.weights import set_weights


@pytest.mark.parametrize(("prefix", "activation"), [("", "gelu"), ("bert.", "gelu"), ("", "gelu_new"), ("", "gelu_pytorch_tanh")])
def test_the_loaded_encoder_gives_the_states_of_the_paper_s_equations(tmp_path, prefix, activation):
    config = CONFIG | {"hidden_act": activation, "layer_norm_eps": 1e-3}
    loaded = from_folder(write_folder(tmp_path, config, prefix=prefix))
    model = states_model(loaded.spec)
    set_weights(model, loaded.weights)
    states = model(RAGGED, training=False).numpy()
    for row, length in enumerate(RAGGED["mask"].sum(axis=1)):
        expected = numpy_bert(hugging_face_tensors(), config, *(RAGGED[name][row, :length] for name in ("ids", "mask", "segment_ids")))
        np.testing.assert_allclose(states[row, :length], expected, rtol=0, atol=2e-5)


def test_structure_and_provenance_are_those_of_the_folder(tmp_path):
    loaded = load_pretrained(str(write_folder(tmp_path / "my-bert")))
    assert loaded.spec == SPEC
    assert loaded.provenance == {"name": "my-bert", "licence": "unknown", "source": "a local folder"}


def test_half_precision_tensors_are_read_as_float32(tmp_path):
    tensors = {name: value.astype(np.float16) for name, value in hugging_face_tensors().items()}
    weights = from_folder(write_folder(tmp_path, tensors=tensors)).weights
    assert {value.dtype for value in weights.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, "cafe"),
        ({"do_lower_case": True, "strip_accents": None}, "cafe"),
        ({"do_lower_case": True, "strip_accents": False}, "café"),
        ({"do_lower_case": False}, "[UNK]"),
    ],
)
def test_the_tokeniser_follows_tokenizer_config(tmp_path, options, expected):
    write_folder(tmp_path)
    if options is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(options))
    assert VOCABULARY[from_folder(tmp_path).tokeniser.encode(["CAFÉ"], 8)[0][1]] == expected


@pytest.mark.parametrize("file", ["config.json", "vocab.txt", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, file):
    (write_folder(tmp_path) / file).unlink()
    with pytest.raises(InputError, match=f"lacks {file}") as caught:
        from_folder(tmp_path)
    assert caught.value.file == tmp_path


def test_a_missing_folder_is_named_with_what_the_setting_takes(tmp_path):
    with pytest.raises(InputError, match=r"no encoder '.*nowhere'.*takes minilm, random, keras-nlp:PRESET or a folder"):
        load_pretrained(str(tmp_path / "nowhere"))


def _rejected(folder):
    with pytest.raises(InputError) as caught:
        from_folder(folder)
    return caught.value.file.name, caught.value.message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "roberta"}, "model_type 'roberta'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type 'relative_key'"),
        ({"hidden_act": "relu"}, "hidden_act 'relu' is none of gelu, gelu_new, gelu_pytorch_tanh"),
        ({"hidden_size": None}, "hidden_size is None, expected a whole number above 0"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0, expected a whole number above 0"),
        ({"num_attention_heads": 3}, "hidden_size 8 is not a multiple of num_attention_heads 3"),
    ],
)
def test_another_architecture_is_refused(tmp_path, changes, message):
    file, said = _rejected(write_folder(tmp_path, CONFIG | changes))
    assert file == "config.json"
    assert message in said


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "not JSON: "),
        ("config.json", "[]", "holds a list, expected an object"),
        ("tokenizer_config.json", "{", "not JSON: "),
        ("vocab.txt", "[PAD]\n[UNK]\n[CLS]\nwhere\n", "the vocabulary lacks [SEP]"),
        ("vocab.txt", "\n".join((*VOCABULARY, "one", "more")), "has 18 pieces, but config.json states vocab_size 16"),
        ("model.safetensors", "not tensors", "not a safetensors file: "),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, message):
    (write_folder(tmp_path) / name).write_text(content, encoding="utf-8")
    file, said = _rejected(tmp_path)
    assert file == name
    assert said.startswith(message)


def test_missing_tensors_are_named(tmp_path):
    tensors = hugging_face_tensors()
    del tensors["encoder.layer.1.attention.self.key.bias"], tensors["embeddings.LayerNorm.weight"]
    file, said = _rejected(write_folder(tmp_path, tensors=tensors))
    assert file == "model.safetensors"
    assert said == "lacks the tensors embeddings.LayerNorm.weight, encoder.layer.1.attention.self.key.bias"


def test_of_many_missing_tensors_some_are_named_and_the_rest_counted(tmp_path):
    file, said = _rejected(write_folder(tmp_path, CONFIG | {"num_hidden_layers": 3}))
    assert file == "model.safetensors"
    assert "encoder.layer.2.attention.self.query.weight" in said
    assert said.endswith(" and 11 more")


def test_a_misshapen_tensor_is_named_with_both_shapes(tmp_path):
    tensors = hugging_face_tensors()
    tensors["encoder.layer.0.intermediate.dense.weight"] = tensors["encoder.layer.0.intermediate.dense.weight"].T
    file, said = _rejected(write_folder(tmp_path, tensors=tensors, prefix="bert."))
    assert file == "model.safetensors"
    assert said == "does not fit config.json: bert.encoder.layer.0.intermediate.dense.weight is (8, 16), expected (16, 8)"


def test_fewer_layers_are_taken_evenly_spaced(tmp_path):
    config = CONFIG | {"num_hidden_layers": 6}
    tensors = hugging_face_tensors(config)
    kept = from_folder(write_folder(tmp_path, config, tensors)).with_layers(3)
    assert kept.spec == dataclasses.replace(SPEC, heads=(2, 2, 2), feed_forward=(16, 16, 16))
    for new, old in enumerate((0, 2, 4)):
        expected = tensors[f"encoder.layer.{old}.attention.self.query.weight"].T
        np.testing.assert_array_equal(kept.weights[f"layer_{new}_query/kernel"], expected)
    set_weights(states_model(kept.spec), kept.weights)  # no name of another layer is left


def test_the_tenth_layer_is_not_taken_for_the_first(tmp_path):
    config = CONFIG | {"num_hidden_layers": 11}
    tensors = hugging_face_tensors(config)
    whole = from_folder(write_folder(tmp_path, config, tensors))
    assert whole.with_layers(11).weights.keys() == whole.weights.keys()
    np.testing.assert_array_equal(whole.with_layers(11).weights["layer_1_query/bias"], tensors["encoder.layer.1.attention.self.query.bias"])


@pytest.mark.parametrize("count", [-1, 0, 3])
def test_more_layers_than_there_are_or_none_are_refused(tmp_path, count):
    loaded = from_folder(write_folder(tmp_path / "my-bert"))
    with pytest.raises(InputError, match=f"model.layers={count}: my-bert has 2 layers"):
        loaded.with_layers(count)
