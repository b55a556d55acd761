"""Token ids in a flat array: selecting, cutting, padding, and a cache that is never wrong and never in the way."""

import numpy as np
import pytest

from tfarch.data.tokens import tokenise
from tfarch.errors import TfarchError
from tfarch.runtime.tokeniser import Tokeniser

PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "where", "is", "my", "card", "the", "##s")
TOKENISER = Tokeniser(PIECES)
TEXTS = ("where is my card", "", "the cards", "Zürich")
IDS = [[2, 4, 5, 6, 7, 3], [2, 3], [2, 8, 7, 9, 3], [2, 1, 3]]


class NoTokeniser(Tokeniser):
    """Fails when asked, to show that an answer comes from the cache."""

    def encode(self, texts, max_length):
        raise AssertionError("the texts were tokenised")


def as_lists(tokens):
    return [tokens.ids[start:end].tolist() for start, end in zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)]


@pytest.fixture
def tokens():
    return tokenise(TEXTS, TOKENISER, 8)


# Tokens


def test_every_text_stands_between_cls_and_sep(tokens):
    assert as_lists(tokens) == IDS
    assert len(tokens) == 4
    assert tokens.lengths.tolist() == [6, 2, 5, 3]
    assert (tokens.ids.dtype, tokens.offsets.dtype) == (np.int32, np.int64)


def test_a_long_text_is_cut_to_the_length_asked_for():
    assert as_lists(tokenise(TEXTS, TOKENISER, 4)) == [[2, 4, 5, 3], [2, 3], [2, 8, 7, 3], [2, 1, 3]]


def test_no_texts_are_no_tokens():
    tokens = tokenise((), TOKENISER, 8)
    assert (len(tokens), tokens.ids.dtype, tokens.lengths.tolist()) == (0, np.int32, [])


@pytest.mark.parametrize("rows", [[2, 0], [1, 1, 3], [3, 2, 1, 0], [0]])
def test_selected_texts_come_in_the_order_asked_for(tokens, rows):
    assert as_lists(tokens.select(np.array(rows))) == [IDS[row] for row in rows]


def test_a_selection_can_be_empty(tokens):
    selected = tokens.select(np.zeros(0, np.int64))
    assert (len(selected), selected.ids.tolist()) == (0, [])


@pytest.mark.parametrize("length", [2, 3, 4, 5, 6, 7])
def test_cutting_is_the_same_as_tokenising_to_that_length(tokens, length):
    cut, direct = tokens.cut(length), tokenise(TEXTS, TOKENISER, length)
    assert as_lists(cut) == as_lists(direct)


def test_padded_inputs_hold_the_texts_on_the_left(tokens):
    inputs = tokens.padded([2, 1], 6)
    assert inputs["ids"].tolist() == [[2, 8, 7, 9, 3, 0], [2, 3, 0, 0, 0, 0]]
    assert inputs["mask"].tolist() == [[1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0]]
    assert inputs["segment_ids"].tolist() == [[0] * 6] * 2
    assert {value.dtype for value in inputs.values()} == {np.dtype(np.int32)}


def test_a_row_of_minus_one_is_all_padding(tokens):
    inputs = tokens.padded([-1, 3], 3)
    assert inputs["ids"].tolist() == [[0, 0, 0], [2, 1, 3]]
    assert inputs["mask"].tolist() == [[0, 0, 0], [1, 1, 1]]


# The cache


def cached(folder, texts=TEXTS, tokeniser=TOKENISER, length=8):
    return tokenise(texts, tokeniser, length, folder)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_second_time_the_ids_are_read(tmp_path):
    first = cached(tmp_path / "run" / "cache")
    second = cached(tmp_path / "run" / "cache", tokeniser=NoTokeniser(PIECES))
    assert as_lists(second) == as_lists(first) == IDS
    assert (second.ids.dtype, second.offsets.dtype) == (np.int32, np.int64)


@pytest.mark.parametrize(
    ("texts", "tokeniser", "length"),
    [
        (("where is my cards", *TEXTS[1:]), TOKENISER, 8),
        (TEXTS[::-1], TOKENISER, 8),
        (("where is", " my card", *TEXTS[1:]), TOKENISER, 8),
        (TEXTS, Tokeniser(PIECES[:-2] + PIECES[:-3:-1]), 8),
        (TEXTS, Tokeniser(PIECES, lowercase=False), 8),
        (TEXTS, Tokeniser(PIECES, strip_accents=False), 8),
        (TEXTS, TOKENISER, 5),
    ],
    ids=["a text", "their order", "where texts end", "the vocabulary", "case", "accents", "the length"],
)
def test_a_cache_of_anything_else_is_not_read(tmp_path, texts, tokeniser, length):
    cached(tmp_path)
    assert as_lists(cached(tmp_path, texts, tokeniser, length)) == as_lists(tokenise(texts, tokeniser, length))
    assert len(files(tmp_path)) == 2


def test_a_lone_surrogate_can_be_cached(tmp_path):
    assert as_lists(cached(tmp_path, ("my \ud800 card",))) == as_lists(cached(tmp_path, ("my \ud800 card",))) == [[2, 6, 7, 3]]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"not an archive",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: bytes(len(content)),
        lambda content: content.replace(np.int32(7).tobytes(), np.int32(8).tobytes(), 1),
        lambda content: content.replace(b"offsets.npy", b"0ffsets.npy"),
    ],
    ids=["empty", "other bytes", "half", "a byte short", "zeros", "an id changed", "a name changed"],
)
def test_a_damaged_file_is_made_again(tmp_path, damage):
    cached(tmp_path)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    assert damage(content) != content
    file.write_bytes(damage(content))
    assert as_lists(cached(tmp_path)) == IDS
    assert as_lists(cached(tmp_path, tokeniser=NoTokeniser(PIECES))) == IDS


def test_nothing_is_left_beside_the_file(tmp_path):
    cached(tmp_path)
    assert len(files(tmp_path)) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(TfarchError, match=r"cache/tokens-\w+\.npz could not be written: File exists"):
        cached(tmp_path / "cache")


def test_a_place_that_cannot_be_replaced_is_told_and_nothing_is_left_beside_it(tmp_path):
    cached(tmp_path)
    (file,) = tmp_path.iterdir()
    file.unlink()
    (file / "inner").mkdir(parents=True)
    with pytest.raises(TfarchError, match="could not be written: Is a directory"):
        cached(tmp_path)
    assert files(tmp_path) == [file.name]
