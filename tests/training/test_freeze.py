"""Patterns of `train.freeze`: each must name some weight, so that a slip of the pen does not train what was to stay fixed."""

import pytest

from tests.tiny_training import classifier, fit
from tfarch.errors import InputError


def test_a_pattern_that_matches_no_weight_is_told_with_the_layers_that_there_are():
    with pytest.raises(InputError, match=r"train\.freeze: no weight matches 'token_embeding/\*'; .*: token_embedding, .*, head$"):
        fit(classifier, epochs=1, freeze=["head/bias", "token_embeding/*"])


def test_auto_that_nobody_settled_is_told():
    with pytest.raises(InputError, match=r"train\.freeze=auto is still open"):
        fit(classifier, epochs=1, freeze=["auto"])


def test_patterns_may_overlap():
    trained = fit(classifier, epochs=1, freeze=["layer_0_*", "layer_*_query/kernel"])
    start = classifier().get_layer("layer_0_query").kernel.numpy()
    assert (trained.weights["layer_0_query/kernel"] == start).all()
