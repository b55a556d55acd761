"""The places of words: they cut the words out of the text, and the ids are those that the model reads."""

import numpy as np
import pytest

from tests.nasty_texts import NASTY
from tests.tiny_classifier import VOCABULARY
from tfarch.runtime import Tokeniser

LENGTH = 64


@pytest.fixture(scope="module")
def tokeniser():
    return Tokeniser(VOCABULARY)


def words(tokeniser, text, length=LENGTH):
    return [text[start:end] for start, end in tokeniser.locate(text, length).spans]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where is my card?", ["Where", "is", "my", "card", "?"]),
        ("my card, MY card", ["my", "card", ",", "MY", "card"]),
        ("café naïve", ["café", "naïve"]),
        ("cafe\u0301 ok", ["cafe\u0301", "ok"]),
        ("我的card丢了", ["我", "的", "card", "丢", "了"]),
        ("card 👩\u200d💻 lost ❤\ufe0f!", ["card", "👩\u200d💻", "lost", "❤\ufe0f", "!"]),
        ("I don't, can’t 'quote' rock'n'roll", ["I", "don't", ",", "can’t", "'", "quote", "'", "rock'n'roll"]),
        ("the dogs' 90's o'1", ["the", "dogs", "'", "90", "'", "s", "o", "'", "1"]),
        ("  spaced\t\n out ", ["spaced", "out"]),
        ("[MASK]", ["[", "MASK", "]"]),
        ("ca\ud800rd ok", ["ca\ud800rd", "ok"]),
        ("", []),
        (" \x00\u200b", []),
    ],
)
def test_spans_cut_the_words_out_of_the_text(tokeniser, text, expected):
    assert words(tokeniser, text) == expected


def test_pieces_belong_to_their_word(tokeniser):
    located = tokeniser.locate("the cards lost", LENGTH)
    assert [VOCABULARY[number] for number in located.ids] == ["[CLS]", "the", "card", "##s", "lost", "[SEP]"]
    assert located.words.tolist() == [-1, 0, 1, 1, 2, -1]


def test_the_pieces_of_joined_words_belong_to_one_word(tokeniser):
    located = tokeniser.locate("my card's refund", LENGTH)
    assert located.words.tolist() == [-1, 0, 1, 1, 1, 2, -1]
    assert located.text[slice(*located.spans[1])] == "card's"


@pytest.mark.parametrize("text", [*NASTY, "card " * 5000, "where is my card? " * 300, "x" * 10_000])
@pytest.mark.parametrize("length", [4, LENGTH])
def test_the_ids_are_those_that_encode_gives_and_spans_follow_each_other(tokeniser, text, length):
    located = tokeniser.locate(text, length)
    np.testing.assert_array_equal(located.ids, tokeniser.encode([text], length)[0])
    assert len(located.words) == len(located.ids)
    assert sorted(set(located.words[1:-1].tolist())) == list(range(len(located.spans)))
    edges = [edge for span in located.spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= len(text) for start, end in located.spans)


def test_what_is_cut_off_has_no_span_and_is_told(tokeniser):
    located = tokeniser.locate("where is my card", 5)
    assert [located.text[start:end] for start, end in located.spans] == ["where", "is", "my"]
    assert located.cut
    assert not tokeniser.locate("where is my", 5).cut
    assert tokeniser.locate("the cards", 4).cut, "half of a word is missing"
