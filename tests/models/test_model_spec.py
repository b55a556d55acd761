"""Specs travel as plain values: what is written is read back, and what no model can be is refused."""

import json

import pytest

from tests.tiny_encoder import SPEC
from tfarch.errors import InputError
from tfarch.models.spec import AveragedSpec, EncoderSpec, spec_as_dict, spec_from_dict


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        AveragedSpec(3000, 64),
        EncoderSpec(30, 12, (3, 1), 4, (20, 7), positions=64, segments=3, gelu="tanh", norm_epsilon=1e-5, pooling="first"),
    ],
)
def test_a_spec_survives_json(spec):
    assert spec_from_dict(json.loads(json.dumps(spec_as_dict(spec)))) == spec


def test_the_layers_are_counted():
    assert (SPEC.layers, AveragedSpec(10).layers) == (2, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"structure": "lstm"}, "unknown structure 'lstm'; known: averaged, encoder"),
        ({"structure": None}, "unknown structure None; known: averaged, encoder"),
        ({"depth": 3}, "unknown field of the encoder structure 'depth'; known: feed_forward, gelu"),
        ({"heads": []}, r"one head count and one feed-forward width per layer, not \(\) and \(16, 16\)"),
        ({"heads": [2]}, r"one head count and one feed-forward width per layer, not \(2,\) and \(16, 16\)"),
        ({"heads": [2, 0]}, r"heads=\(2, 0\) of the encoder structure: expected whole numbers above 0"),
        ({"feed_forward": [16, 1.5]}, r"feed_forward=\(16, 1.5\) of the encoder structure"),
        ({"width": "8"}, "width=8 of the encoder structure"),
        ({"gelu": "relu"}, "unknown gelu 'relu'; known: exact, tanh"),
        ({"pooling": "max"}, "unknown pooling 'max'; known: first, mean"),
    ],
)
def test_a_spec_of_no_model_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        spec_from_dict(spec_as_dict(SPEC) | changes)


@pytest.mark.parametrize(
    ("values", "lacking"), [({"structure": "encoder", "width": 8, "heads": [2]}, "vocabulary, head_width, feed_forward")]
)
def test_missing_fields_are_listed(values, lacking):
    with pytest.raises(InputError, match=f"the encoder structure lacks {lacking}"):
        spec_from_dict(values)


def test_an_averaged_structure_has_a_width():
    with pytest.raises(InputError, match="width=0 of the averaged structure"):
        AveragedSpec(3000, 0)
