"""Integrated gradients against their axioms and, where the model is linear, against the closed form."""

import numpy as np
import pytest

from tests.tiny_classifier import VOCABULARY
from tests.tiny_encoder import randomise
from tests.tiny_planted import LABELS, PLANTED, SPECS, TEMPERATURE, planted_model
from tests.tiny_training import CLASSES, SPEC, classifier
from tfarch.models.classifier import build_classifier
from tfarch.models.integrated_gradients import STEPS, IntegratedGradients, baseline_of
from tfarch.models.spec import AveragedSpec
from tfarch.runtime.tokeniser import Tokeniser

CLS, SEP, PAD = (VOCABULARY.index(piece) for piece in ("[CLS]", "[SEP]", "[PAD]"))
IDS = np.array([CLS, 5, 6, 7, 13, 8, SEP], np.int32)
WORDS = np.array([-1, 0, 1, 2, 3, 4, -1])
BASELINE = baseline_of(IDS, WORDS, PAD)


def odds(model, ids, label, temperature=1.0):
    """log p / (1 - p), from the model's own logits."""
    logits = model({"ids": ids[None], "mask": np.ones_like(ids)[None], "segment_ids": np.zeros_like(ids)[None]}).numpy()[0]
    logits = logits.astype(np.float64) / temperature
    return logits[label] - np.log(np.exp(np.delete(logits, label)).sum())


MODELS = {
    "encoder": lambda: classifier(),
    "averaged": lambda: randomise(build_classifier(AveragedSpec(SPEC.vocabulary, 16), CLASSES), seed=4),
}


def test_the_baseline_keeps_what_is_no_word():
    assert BASELINE.tolist() == [CLS, PAD, PAD, PAD, PAD, PAD, SEP]


@pytest.mark.parametrize("structure", MODELS)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_attributions_sum_to_the_difference_of_log_odds(structure, temperature):
    model = MODELS[structure]()
    gradients, differences = IntegratedGradients(model, temperature), []
    for label in range(CLASSES):
        found = gradients(IDS, BASELINE, label)
        expected = odds(model, IDS, label, temperature) - odds(model, BASELINE, label, temperature)
        assert found.difference == pytest.approx(expected, abs=1e-3)
        differences.append(abs(expected))
        assert found.holds
        assert found.tokens.sum() == pytest.approx(expected, abs=max(0.01 * abs(expected), 0.01) + 1e-3)
    assert max(differences) > 0.5, "nothing to explain: this test could not fail"


def test_of_two_classes_and_averaged_embeddings_the_attributions_are_the_terms_of_the_sum():
    model = randomise(build_classifier(AveragedSpec(SPEC.vocabulary, 16), 2), seed=2)
    table, (kernel, _) = model.get_layer("token_embedding").get_weights()[0], model.get_layer("head").get_weights()
    expected = (table[IDS] - table[BASELINE]) @ (kernel[:, 1] - kernel[:, 0]) / len(IDS)
    found = IntegratedGradients(model)(IDS, BASELINE, 1)
    np.testing.assert_allclose(found.tokens, expected, atol=1e-5)
    assert found.steps == 16


def test_a_piece_that_is_the_same_at_both_ends_counts_nothing():
    ids = np.array([CLS, PAD, 6, SEP], np.int32)
    found = IntegratedGradients(MODELS["encoder"]())(ids, np.array([CLS, PAD, PAD, SEP], np.int32), 0)
    assert found.tokens[[0, 1, 3]].tolist() == [0.0, 0.0, 0.0]
    assert found.tokens[2] != 0.0


def test_a_text_that_is_its_own_baseline_has_nothing_to_share():
    ids = np.array([CLS, SEP], np.int32)
    found = IntegratedGradients(MODELS["encoder"]())(ids, ids, 0)
    assert (found.tokens.tolist(), found.difference, found.holds) == ([0.0, 0.0], 0.0, True)


def test_more_points_are_taken_where_the_path_is_steep():
    found = IntegratedGradients(classifier(scale=1.0))(IDS, BASELINE, 0)
    assert found.steps > STEPS[0]
    assert found.holds


def test_a_path_that_is_too_steep_ends_with_the_last_number_of_points_and_is_told():
    found = IntegratedGradients(classifier(scale=1.5), 0.05)(IDS, BASELINE, 0)
    assert found.steps == STEPS[-1]
    assert not found.holds


@pytest.mark.parametrize("structure", SPECS)
def test_the_planted_word_gets_the_highest_attribution(structure):
    located = Tokeniser(VOCABULARY).locate("where is my refund please", 16)
    model = planted_model(structure)
    found = IntegratedGradients(model, TEMPERATURE)(located.ids, baseline_of(located.ids, located.words, PAD), LABELS.index(PLANTED))
    weights = found.tokens[1:-1]
    assert found.holds
    assert weights.argmax() == 3
    assert weights[3] > 2 * np.abs(np.delete(weights, 3)).max()
