"""Long texts are cut into passages of whole sentences that hold everything, and answered by their mean."""

import itertools
import time

import numpy as np
import pytest

from tests.nasty_texts import NASTY
from tests.tiny_classifier import LABELS, MAX_LENGTH, VOCABULARY, tiny_tflite
from tfarch.runtime import Network, Tokeniser
from tfarch.runtime.passages import Parts, of_long_texts, passages, sentences

TOKENISER = Tokeniser(VOCABULARY)


def parts(text):
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Profit fell. Sales rose!", ["Profit fell.", "Sales rose!"]),
        ("Shares fell 3.5% to $2.10 a piece.", ["Shares fell 3.5% to $2.10 a piece."]),
        ("Mr. Brandt of Kelmo Inc. resigned. Why?", ["Mr. Brandt of Kelmo Inc. resigned.", "Why?"]),
        ('He said: "We are done." Nobody asked.', ['He said: "We are done."', "Nobody asked."]),
        ("U.S. stocks fell vs. Europe's. J. Doe left.", ["U.S. stocks fell vs. Europe's.", "J. Doe left."]),
        ("A headline\n\nThe text below it", ["A headline", "The text below it"]),
        ("the end. no capital after it", ["the end. no capital after it"]),
        ("  \n ", []),
        ("", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text, expected):
    assert parts(text) == expected


@pytest.mark.parametrize("text", [*NASTY, "where is my card? " * 30, "card" * 400, "x. " * 50, "one two three " * 40])
def test_passages_hold_all_that_is_no_white_space_and_fit_the_model(text):
    spans = passages(text, TOKENISER, MAX_LENGTH)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))
    for start, end in spans:
        fits = len(TOKENISER.encode([text[start:end]], 10_000)[0]) <= MAX_LENGTH
        assert fits or " " not in text[start:end].strip()  # one word that is too long for the model stays one


@pytest.mark.parametrize("text", ["Sales rose. ", "wait... ", "."])
def test_a_million_characters_are_sentences_well_under_a_second(text):
    long = text * (1_000_000 // len(text))
    started = time.process_time()
    assert sentences(long)
    assert time.process_time() - started < 0.8


def test_a_character_that_is_several_pieces_counts_as_these():
    tokeniser = Tokeniser([*VOCABULARY, "\u1100", "##\u1100", "##\u1161"])  # what a syllable of Hangul is made of
    text = "\uac00\uac00\uac00\uac00 " * 3
    assert len(tokeniser.encode([text], 99)[0]) == 2 + 3 * 8
    assert len(passages(text, tokeniser, MAX_LENGTH)) == 3


def test_passages_are_as_long_as_there_is_room():
    text = "Where is my card? " * 6  # five tokens each, and room for fourteen
    assert [text[start:end] for start, end in passages(text, TOKENISER, MAX_LENGTH)] == ["Where is my card? Where is my card?"] * 3


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    file = tmp_path_factory.mktemp("model") / "model.tflite"
    file.write_bytes(tiny_tflite())
    return Network(file, TOKENISER, MAX_LENGTH)


def test_texts_that_fit_are_answered_as_ever(network):
    texts = ["where is my card", "", "refund please"]
    np.testing.assert_array_equal(of_long_texts(network, texts, ["probabilities"])[0], network.of_texts(texts, ["probabilities"])[0])


def test_a_long_text_is_the_mean_of_its_passages_by_their_tokens(network):
    text = "Where is my card? " * 3 + "Refund lost. " * 2
    spans = passages(text, TOKENISER, MAX_LENGTH)
    assert len(spans) > 1
    own = [text[start:end] for start, end in spans]
    weights = [len(TOKENISER.encode([each], MAX_LENGTH)[0]) - 2 for each in own]
    assert len(set(weights)) > 1
    expected = np.average(network.of_texts(own, ["probabilities"])[0], axis=0, weights=weights)
    found = of_long_texts(network, ["refund", text], ["probabilities", "text_vector"])
    np.testing.assert_allclose(found[0][1], expected, rtol=1e-5)
    np.testing.assert_allclose(found[0][0], network.of_texts(["refund"], ["probabilities"])[0][0], rtol=1e-5)
    assert found[0].shape == (2, len(LABELS))


def test_the_vector_of_a_long_text_is_as_long_as_those_of_its_passages():
    parts = Parts(("a", "b", "c", "d"), (0, 0, 9, 0), np.array([0, 1, 1, 2]), 3)
    vectors = np.array([[3, 4], [1, 0], [0, 1], [0, 7]], np.float32)
    (found,) = parts.together([vectors], ["text_vector"], [7, 5, 5, 9])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [5, 1, 7], rtol=1e-6)
    np.testing.assert_allclose(found[1], np.sqrt([0.5, 0.5]), rtol=1e-6)
    np.testing.assert_array_equal(found[[0, 2]], vectors[[0, 3]])
    # Three tokens in four are the second's: it gives direction and length as much.
    (found,) = parts.together([vectors * [[1], [1], [2], [1]]], ["text_vector"], [7, 3, 5, 9])
    assert found[1, 1] / found[1, 0] == pytest.approx(2 * 3)
    assert np.linalg.norm(found[1]) == pytest.approx(1 / 4 + 2 * 3 / 4)
    (found,) = parts.together([vectors], ["probabilities"], [7, 5, 5, 9])
    np.testing.assert_allclose(found[1], [0.5, 0.5])


def test_vectors_that_cancel_out_are_none(recwarn):
    parts = Parts(("a", "b"), (0, 9), np.array([0, 0]), 1)
    (found,) = parts.together([np.array([[1, 0], [-1, 0]], np.float32)], ["text_vector"], [4, 4])
    np.testing.assert_array_equal(found, [[0, 0]])
    assert not recwarn


def test_a_long_text_beside_them_changes_nothing_for_short_ones(network):
    texts, names = ["where is my card", "refund please"], ["probabilities", "text_vector"]
    alone = network.of_texts(texts, names, batch_size=1)
    beside = of_long_texts(network, [texts[0], "Where is my card? " * 6, texts[1]], names, batch_size=1)
    for one, other in zip(alone, beside, strict=True):
        np.testing.assert_array_equal(other[[0, 2]], one)


def test_no_texts_are_no_answers(network):
    assert of_long_texts(network, [], ["probabilities"])[0].shape == (0, len(LABELS))
