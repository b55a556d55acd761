"""What training starts from: the structure, tokeniser and weights that the settings ask for."""

import dataclasses

import numpy as np
import pytest

from tests.tiny_encoder import SPEC, VOCABULARY, hugging_face_tensors, write_folder
from tfarch.config import ModelConfig
from tfarch.errors import InputError
from tfarch.models import start_from
from tfarch.models.classifier import build_classifier
from tfarch.models.spec import AveragedSpec, EncoderSpec
from tfarch.models.weights import set_weights

TEXTS = ["where is my card", "my card is lost", "where is my refund", "is my refund lost"] * 3


def never():
    raise AssertionError("the texts were read")
    yield


def test_the_averaged_structure_learns_its_vocabulary_from_the_texts():
    start = start_from(ModelConfig(structure="averaged", vocabulary=80, averaged_width=12), TEXTS)
    assert start.spec == AveragedSpec(len(start.tokeniser), 12)
    assert len(start.tokeniser) <= 80
    assert start.tokeniser.unk_id not in start.tokeniser.encode(["my refund"], 8)[0]
    assert start.weights == {}


def test_a_random_encoder_is_as_large_as_the_settings_say():
    settings = ModelConfig(weights="random", width=12, heads=3, layers=2, feed_forward=20, gelu="tanh", pooling="first", vocabulary=40)
    start = start_from(settings, TEXTS)
    assert start.spec == EncoderSpec(len(start.tokeniser), 12, (3, 3), 4, (20, 20), gelu="tanh", pooling="first")
    assert start.weights == {}
    assert start.provenance["name"] == "random initial weights"


def test_a_random_encoder_has_four_layers_by_default():
    assert start_from(ModelConfig(weights="random", vocabulary=40), TEXTS).spec.layers == 4


@pytest.mark.parametrize("heads", [0, 5])
def test_a_width_that_the_heads_cannot_share_is_refused(heads):
    with pytest.raises(InputError, match=f"model.width=12 is not a multiple of model.heads={heads}"):
        start_from(ModelConfig(weights="random", width=12, heads=heads), TEXTS)


def test_a_folder_brings_its_own_tokeniser_and_takes_the_pooling_of_the_settings(tmp_path):
    start = start_from(ModelConfig(weights=str(write_folder(tmp_path / "my-bert")), pooling="first"), never())
    assert start.spec == dataclasses.replace(SPEC, pooling="first", unit_vectors=True)
    assert start.tokeniser.vocabulary == VOCABULARY
    assert start.provenance["name"] == "my-bert"
    set_weights(build_classifier(start.spec, 3), start.weights, optional=("head",))


def test_a_pre_trained_encoder_keeps_the_lengths_of_its_vectors_where_asked(tmp_path):
    start = start_from(ModelConfig(weights=str(write_folder(tmp_path)), unit_vectors=False), never())
    assert start.spec == SPEC


def test_fewer_layers_of_pre_trained_weights_can_be_asked_for(tmp_path):
    start = start_from(ModelConfig(weights=str(write_folder(tmp_path)), layers=1), never())
    assert start.spec.layers == 1
    kernel = hugging_face_tensors()["encoder.layer.0.attention.self.query.weight"].T
    np.testing.assert_array_equal(start.weights["layer_0_query/kernel"], kernel)


def test_weights_that_are_nowhere_are_named():
    with pytest.raises(InputError, match="no encoder 'minillm'"):
        start_from(ModelConfig(weights="minillm"), never())
