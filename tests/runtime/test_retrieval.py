"""Searching by vectors and words, against counting."""

import math

import numpy as np
import pytest

from tfarch.runtime.logistic import softmax
from tfarch.runtime.retrieval import NONE, Weights, Words, conditional_logit, cosines, fit_weights, passages

TEXTS = ["static ip address", "parental controls for kids", "a static fee", "the of and"]


def test_words_that_few_texts_have_count_more():
    scores = Words(TEXTS).scores(["static ip"])[0]
    assert scores.argmax() == 0
    assert scores[2] > 0
    assert scores[1] == scores[3] == 0


def test_a_score_is_bm25_over_what_the_question_could_reach():
    scores = Words(TEXTS).scores(["static ip unheard"])[0]
    idf = {word: math.log(1 + (4 - count + 0.5) / (count + 0.5)) for word, count in (("static", 2), ("ip", 1), ("unheard", 0))}
    lengths = [3, 3, 2, 0]
    tf = 1 / (1 + 1.5 * (1 - 0.75 + 0.75 * lengths[0] / np.mean(lengths)))
    assert scores[0] == pytest.approx((idf["static"] + idf["ip"]) * tf / sum(idf.values()), rel=1e-4)


@pytest.mark.parametrize("question", ["", "the", "unheard of", "?!"])
def test_a_question_without_a_shared_word_scores_nothing(question):
    np.testing.assert_array_equal(Words(TEXTS).scores([question]), np.zeros((1, 4)))


def test_texts_of_stop_words_alone_can_be_searched():
    np.testing.assert_array_equal(Words(["the", "of"]).scores(["the static"]), np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("One two. Three four five.", ["One two. Three four five."]),
        ("One two three. Four five.", ["One two three. Four five."]),
        ("One two three four! Five six?", ["One two three four!", "Five six?"]),
        ("one two three four five six seven", ["one two three four five", "six seven"]),
        (
            "Hi. one two three four five six seven eight nine ten eleven. Bye.",
            ["Hi.", "one two three four five", "six seven eight nine ten", "eleven. Bye."],
        ),
        ("one\ntwo  three", ["one two three"]),
        ("", [""]),
    ],
)
def test_a_long_text_is_cut_at_the_ends_of_sentences_where_it_can_be(text, pieces):
    assert passages(text, 5) == pieces


def test_cosines_do_not_see_the_length():
    np.testing.assert_allclose(cosines(np.array([[3.0, 4.0]]), np.array([[6.0, 8.0], [4.0, -3.0]])), [[1.0, 0.0]], atol=1e-6)


def test_probabilities_are_the_softmax_with_none_of_them_as_the_last():
    found = Weights((2.0, 1.0), 0.5).probabilities(np.array([[[1.0, 0.0], [0.0, 1.0]]]))
    expected = np.exp([2.0, 1.0, 0.5])
    np.testing.assert_allclose(found, [expected / expected.sum()])


def test_the_fitted_weights_are_those_that_made_the_questions():
    rng = np.random.default_rng(0)
    truth = Weights((6.0, 3.0), 2.0)
    features = np.stack([rng.uniform(-0.2, 1, (20000, 8)), rng.uniform(0, 1, (20000, 8))], axis=2)
    probabilities = truth.probabilities(features)
    drawn = (probabilities.cumsum(axis=1) > rng.random((20000, 1))).argmax(axis=1)
    found = fit_weights(features, np.where(drawn == 8, NONE, drawn), l2=1e-9)
    assert found.features == pytest.approx((6.0, 3.0), abs=0.2)
    assert found.none == pytest.approx(2.0, abs=0.2)


def test_no_small_step_from_the_fitted_weights_does_better():
    rng = np.random.default_rng(1)
    features, chosen = rng.normal(size=(60, 5, 3)), rng.integers(0, 5, 60)
    penalty, importance = np.array([1e-3, 0.1, 1.0]), rng.uniform(0.1, 2, 60)

    def loss(weights):
        right = softmax(features @ weights)[np.arange(60), chosen]
        return -(importance * np.log(right)).sum() / importance.sum() + 0.5 * (penalty * weights**2).sum()

    best = conditional_logit(features, chosen, penalty, importance)
    for place in range(3):
        for step in (-0.01, 0.01):
            assert loss(best + step * np.eye(3)[place]) > loss(best)


def test_questions_that_all_have_an_answer_leave_the_weights_finite():
    found = fit_weights(np.eye(3)[:, :, None], np.arange(3))
    assert np.isfinite([*found.features, found.none]).all()
