"""Our encoder and keras-nlp's BertBackbone are the same function of the same weights, and its presets load."""

import numpy as np
import pytest

from tests.tiny_encoder import RAGGED, VOCABULARY, states_model
from tfarch.errors import InputError
from tfarch.models.pretrained import from_bert_backbone, load_pretrained
from tfarch.models.weights import set_weights


@pytest.fixture(scope="module")
def keras_nlp():
    import keras_nlp

    return keras_nlp


@pytest.fixture(scope="module")
def backbone(keras_nlp):
    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=len(VOCABULARY),
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=12,
        num_segments=2,
    )
    random = np.random.default_rng(0)
    for variable in backbone.weights:  # norms and biases too; at the published scale the two kinds of GELU would look alike
        variable.assign(random.normal(1.0 if variable.name == "gamma" else 0.0, 0.5, variable.shape))
    return backbone


def their_states(backbone):
    inputs = {"token_ids": RAGGED["ids"], "padding_mask": RAGGED["mask"], "segment_ids": RAGGED["segment_ids"]}
    return np.asarray(backbone(inputs, training=False)["sequence_output"])


def our_states(spec, weights):
    model = states_model(spec)
    set_weights(model, weights)
    return model(RAGGED, training=False).numpy()


def test_the_same_weights_give_the_same_token_states(backbone):
    kept = RAGGED["mask"].astype(bool)
    assert RAGGED["segment_ids"].any()
    assert not kept.all()
    states = our_states(*from_bert_backbone(backbone))
    np.testing.assert_allclose(states[kept], their_states(backbone)[kept], rtol=0, atol=1e-4)


def test_a_preset_folder_gives_the_same_states_and_vocabulary(keras_nlp, backbone, tmp_path):
    backbone.save_to_preset(str(tmp_path))
    keras_nlp.models.BertTokenizer(vocabulary=list(VOCABULARY), lowercase=True).save_to_preset(str(tmp_path))
    loaded = load_pretrained(f"keras-nlp:{tmp_path}")
    kept = RAGGED["mask"].astype(bool)
    np.testing.assert_allclose(our_states(loaded.spec, loaded.weights)[kept], their_states(backbone)[kept], rtol=0, atol=1e-4)
    assert loaded.tokeniser.vocabulary == VOCABULARY
    assert loaded.tokeniser.encode(["Where IS my card?"], 12)[0].tolist() == [2, 5, 6, 7, 8, 13, 3]
    assert loaded.provenance["source"] == f"keras-nlp preset {tmp_path}"


def test_an_unknown_preset_is_named_with_the_mend():
    with pytest.raises(InputError, match=r"no preset 'bert_of_nobody'.*is there a network, and is the name one of"):
        load_pretrained("keras-nlp:bert_of_nobody")
