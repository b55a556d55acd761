"""Long texts are cut into passages of whole sentences that hold everything, and answered by their mean."""

import itertools

import numpy as np
import pytest

from tests.nasty_texts import NASTY
from tests.tiny_classifier import LABELS, MAX_LENGTH, VOCABULARY, tiny_tflite
from tfarch.runtime import Network, Tokeniser
from tfarch.runtime.passages import of_long_texts, passages, sentences

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


def test_no_texts_are_no_answers(network):
    assert of_long_texts(network, [], ["probabilities"])[0].shape == (0, len(LABELS))
