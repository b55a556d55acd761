"""Weights by name: every copy checks names and shapes and lists what does not fit, and files give back what was written."""

import numpy as np
import pytest

from tests.tiny_encoder import SPEC, randomise
from tfarch.errors import InputError
from tfarch.models.classifier import build_classifier
from tfarch.models.spec import AveragedSpec
from tfarch.models.weights import get_weights, load_weights, named_variables, save_weights, set_weights


@pytest.fixture
def model():
    return randomise(build_classifier(AveragedSpec(10, 4), 3))


@pytest.fixture
def weights():
    random = np.random.default_rng(1)
    shapes = {"token_embedding/embeddings": (10, 4), "head/kernel": (4, 3), "head/bias": (3,)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_what_is_set_can_be_got(model, weights):
    set_weights(model, weights)
    got = get_weights(model)
    assert list(got) == list(weights)
    for name, value in weights.items():
        np.testing.assert_array_equal(got[name], value)


def test_every_weight_of_an_encoder_has_a_name_of_its_own_and_counters_have_none():
    model = build_classifier(SPEC, 3, dropout=0.1, attention_dropout=0.1)
    named = named_variables(model)
    assert len(named) == 3 + 2 + 2 * 16 + 2
    assert {id(variable) for variable in named.values()} == {id(variable) for variable in model.trainable_variables}
    assert {"layer_1_query/kernel", "layer_0_attention_norm/gamma", "embedding_norm/beta", "position_embedding/embeddings"} <= set(named)


def test_dropout_does_not_change_the_names():
    plain, dropping = build_classifier(SPEC, 3), build_classifier(SPEC, 3, dropout=0.1, attention_dropout=0.1)
    assert list(named_variables(plain)) == list(named_variables(dropping))


def test_all_that_does_not_fit_is_listed_and_nothing_is_copied(model, weights):
    before = get_weights(model)
    weights["head/kernel"] = np.zeros((5, 3), np.float32)
    weights["layer_0_query/kernel"] = np.zeros((4, 4), np.float32)
    del weights["head/bias"]
    with pytest.raises(InputError) as caught:
        set_weights(model, weights, source="a file")
    assert str(caught.value) == (
        "a file: do not fit the model: head/kernel is (5, 3), expected (4, 3); head/bias (3,) is missing; "
        "layer_0_query/kernel (4, 4) has no place in it"
    )
    for name, value in get_weights(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_of_many_problems_ten_are_listed_and_the_rest_counted(weights):
    with pytest.raises(InputError) as caught:
        set_weights(build_classifier(SPEC, 3), {})
    assert caught.value.message.count(" is missing") == 10
    assert caught.value.message.endswith(" and 29 more")


def test_an_optional_head_may_be_missing_but_not_misshapen(model, weights):
    head = get_weights(model)["head/kernel"]
    body = {"token_embedding/embeddings": weights["token_embedding/embeddings"]}
    set_weights(model, body, optional=("head",))
    np.testing.assert_array_equal(get_weights(model)["head/kernel"], head)
    np.testing.assert_array_equal(get_weights(model)["token_embedding/embeddings"], body["token_embedding/embeddings"])
    with pytest.raises(InputError, match=r"head/bias is \(4,\), expected \(3,\)"):
        set_weights(model, {**body, "head/bias": np.zeros(4, np.float32)}, optional=("head",))


def test_a_file_gives_back_what_was_written_transposed_arrays_and_scalars_too(tmp_path, weights):
    written = {**weights, "transposed": weights["head/kernel"].T, "scalar": np.float32(1.5), "counter": np.array(7, np.int64)}
    save_weights(written, tmp_path / "weights.safetensors", {"made by": "a test"})
    read = load_weights(tmp_path / "weights.safetensors")
    assert read.keys() == written.keys()
    for name, value in written.items():
        assert (read[name].shape, read[name].dtype) == (value.shape, value.dtype)
        np.testing.assert_array_equal(read[name], value)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere.safetensors: no such weights file"):
        load_weights(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("keep", [0, 4, 60, -1])
def test_a_cut_file_is_refused(tmp_path, weights, keep):
    file = tmp_path / "cut.safetensors"
    save_weights(weights, file)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"cut.safetensors: not a safetensors file: "):
        load_weights(file)
