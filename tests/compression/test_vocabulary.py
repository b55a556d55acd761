"""With a smaller vocabulary every text is still read, and ids are turned into what the new tokeniser makes of the texts."""

from pathlib import Path

import numpy as np
import pytest

import apps
from tests.nasty_texts import NASTY
from tests.sample_texts import rows_of
from tfarch.compression.vocabulary import TABLE, Retokeniser, chosen_pieces, trimmed, trimmed_weights
from tfarch.data.tokens import tokenise
from tfarch.runtime.tokeniser import Tokeniser

SAMPLE = [text for _, text in rows_of(Path(apps.__path__[0]) / "customer_service" / "data", ["train"], "text")]
LENGTH, WHOLE = 20, 600


@pytest.fixture(scope="module")
def whole():
    return Tokeniser.train([*SAMPLE, *NASTY], 3000)


def kept_of(whole, texts, rows):
    return chosen_pieces(whole, [tokenise(texts, whole, LENGTH)], rows)


@pytest.mark.parametrize("rows", [600, 1200, 2500])
def test_ids_become_what_the_smaller_tokeniser_makes_of_the_texts(whole, rows):
    small = trimmed(whole, kept_of(whole, SAMPLE[:300], rows))
    before, expected = (tokenise([*SAMPLE, *NASTY], each, WHOLE) for each in (whole, small))
    found = Retokeniser(whole, small, WHOLE)(before)
    assert np.array_equal(found.offsets, expected.offsets)
    assert np.array_equal(found.ids, expected.ids)
    assert len(found.ids) > len(before.ids)  # some words are spelt by more pieces now


def test_of_a_text_that_was_cut_no_more_is_known(whole):
    small = trimmed(whole, kept_of(whole, SAMPLE[:300], 600))
    found, expected = Retokeniser(whole, small, LENGTH)(tokenise(SAMPLE, whole, LENGTH)), tokenise(SAMPLE, small, LENGTH)
    assert (found.lengths <= LENGTH).all()
    whole_texts = np.flatnonzero(tokenise(SAMPLE, whole, WHOLE).lengths <= LENGTH)
    assert np.array_equal(found.select(whole_texts).ids, expected.select(whole_texts).ids)
    same = [
        np.array_equal(found.select(np.array([row])).ids, expected.select(np.array([row])).ids) for row in range(len(SAMPLE))
    ]  # of the others at most a word that was cut in its middle differs
    assert np.mean(same) > 0.97


def test_what_could_be_read_can_be_read(whole):
    small = trimmed(whole, kept_of(whole, SAMPLE[:50], 600))
    before, after = (tokenise(SAMPLE, each, 200) for each in (whole, small))
    assert np.count_nonzero(before.ids == whole.unk_id) == np.count_nonzero(after.ids == small.unk_id) == 0


def test_pieces_that_are_used_stay_and_with_them_the_ids_of_the_texts(whole):
    tokens = tokenise(SAMPLE, whole, LENGTH)
    used = np.unique(tokens.ids)
    kept = chosen_pieces(whole, [tokens], 3 * len(used) // 2)
    assert set(used) <= set(kept)
    assert np.array_equal(kept, np.unique(kept))
    small = trimmed(whole, kept)
    assert [small.vocabulary[each] for each in Retokeniser(whole, small, LENGTH)(tokens).ids] == [
        whole.vocabulary[each] for each in tokens.ids
    ]


def test_special_pieces_and_characters_stay_whatever_is_asked(whole):
    small = trimmed(whole, kept_of(whole, SAMPLE, 10))
    assert {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##a", "é" if "é" in whole.vocabulary else "e"} <= set(small.vocabulary)
    assert all(len(piece.removeprefix("##")) == 1 for piece in small.vocabulary[5:])


def test_pieces_that_no_text_is_cut_into_go_first():
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    unreached = ["[unused0]", "##!", "##中", "Upper", "##Upper", "é", "...", "two words", "##"]
    reached = ["!", "中", "a", "##a", "the", "##ing"]
    tokeniser = Tokeniser([*specials, *unreached, *reached])
    tokens = tokenise(["the ... Upper é! 中中", "a##a"], tokeniser, LENGTH)
    assert not {tokeniser.vocabulary[each] for each in tokens.ids} & set(unreached)
    for rows in (1, 9, 10, len(specials) + len(reached)):
        assert not {tokeniser.vocabulary[each] for each in chosen_pieces(tokeniser, [tokens], rows)} & set(unreached)
    assert len(chosen_pieces(tokeniser, [tokens], 15)) == 15  # more is asked for than texts can reach


def test_where_the_texts_use_more_than_is_asked_for_theirs_stay_up_to_a_bound(whole):
    tokens = tokenise(SAMPLE, whole, LENGTH)
    characters = chosen_pieces(whole, [tokens], 1)
    used = np.union1d(characters, tokens.ids)
    assert len(used) < len(whole.vocabulary)
    assert np.array_equal(chosen_pieces(whole, [tokens], 700, most=len(whole.vocabulary)), used)
    assert len(chosen_pieces(whole, [tokens], 700, most=len(used) - 9)) == len(used) - 9
    assert (
        len(chosen_pieces(whole, [tokens], len(used) + 9, most=len(used) + 99)) == len(used) + 9
    )  # no more than is asked for where it is enough


def test_the_most_used_stay(whole):
    often, seldom = [piece for piece in whole.vocabulary if piece.isalpha() and len(piece) > 3][-2:]
    tokens = tokenise([f"{often} {often} {seldom}"], whole, LENGTH)
    least = len(chosen_pieces(whole, [tokens], 1))
    pieces = {whole.vocabulary[each] for each in chosen_pieces(whole, [tokens], least + 1)}
    assert often in pieces
    assert seldom not in pieces


def test_the_table_keeps_the_rows_of_the_pieces(whole):
    kept = kept_of(whole, SAMPLE, 700)
    weights = {TABLE: np.arange(len(whole) * 2.0).reshape(-1, 2), "head/bias": np.zeros(2)}
    found = trimmed_weights(weights, kept)
    assert np.array_equal(found[TABLE], weights[TABLE][kept])
    assert found["head/bias"] is weights["head/bias"]
    assert trimmed(whole, kept).vocabulary[100] == whole.vocabulary[kept[100]]
