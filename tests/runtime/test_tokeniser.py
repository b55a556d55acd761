import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.nasty_texts import ADDRESSES, NASTY
from tfarch.errors import InputError
from tfarch.runtime.tokeniser import Tokeniser, flags_of

TEXTS = ["My card has not arrived, where is my card?", "The card was declined", "Déjà vu: the card arrived", "我的卡 [SEP] 100"] * 3
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def tokeniser() -> Tokeniser:
    return Tokeniser([*SPECIAL, "card", "c", "##a", "##ard", "lost", "[", "]", "sep", "mask", "e", "ete", "i", "ss", "ß", "σ", "卡", "!"])


def pieces(tokeniser: Tokeniser, text: str, max_length: int = 64) -> list[str]:
    return [tokeniser.vocabulary[each] for each in tokeniser.encode([text], max_length)[0]]


def test_ids_stand_between_cls_and_sep_as_int32(tokeniser):
    ids = tokeniser.encode(["Card lost!", ""], 64)
    assert [each.dtype for each in ids] == [np.int32, np.int32]
    assert [each.tolist() for each in ids] == [[2, 5, 9, 21, 3], [2, 3]]


def test_no_texts_give_no_ids(tokeniser):
    assert tokeniser.encode([], 64) == []


def test_the_longest_piece_is_taken_from_the_left_and_a_word_without_pieces_is_unknown(tokeniser):
    assert pieces(tokeniser, "caca card cab") == ["[CLS]", "[UNK]", "card", "[UNK]", "[SEP]"]
    assert pieces(tokeniser, "caard") == ["[CLS]", "c", "##a", "##ard", "[SEP]"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Été É É", ["ete", "e", "e"]),  # composed or not
        ("İ ẞ ß ΟΣ", ["i", "ß", "ß", "οσ"]),  # case by the character: no final sigma, no double s
        ("my卡card", ["my", "卡", "card"]),
        ("a\x00b\u200bc\ufffdd e\u00a0f", ["abcd", "e", "f"]),
        ("wait… don’t $5", ["wait", "…", "don", "’", "t", "$", "5"]),
        ("ﬁ Ｆｕｌｌ x²", ["ﬁ", "ｆｕｌｌ", "x²"]),  # compatibility forms are not folded
        ("[MASK]", ["[", "mask", "]"]),
    ],
)
def test_words_are_those_of_bert(tokeniser, text, words):
    assert tokeniser.words(text) == words


def test_a_cased_tokeniser_keeps_case_and_accents():
    cased = Tokeniser(SPECIAL, lowercase=False, strip_accents=False)
    assert cased.words("Été ÉTÉ") == ["Été", "ÉTÉ"]


@pytest.mark.parametrize("special", SPECIAL)
def test_a_special_piece_that_a_user_types_is_plain_text(tokeniser, special):
    ids = tokeniser.encode([f"card {special} card{special}"], 64)[0]
    assert ids[0] == tokeniser.cls_id
    assert ids[-1] == tokeniser.sep_id
    assert not {tokeniser.cls_id, tokeniser.sep_id, tokeniser.pad_id, tokeniser.vocabulary.index("[MASK]")} & set(ids[1:-1].tolist())


def test_a_word_of_100_characters_is_cut_into_pieces_and_one_of_101_is_unknown(tokeniser):
    assert len(pieces(tokeniser, "c" + "a" * 99, 256)) == 102
    assert pieces(tokeniser, "c" + "a" * 100, 256) == ["[CLS]", "[UNK]", "[SEP]"]


def test_a_long_text_is_cut_and_keeps_sep(tokeniser):
    assert pieces(tokeniser, "card lost " * 50, 5) == ["[CLS]", "card", "lost", "card", "[SEP]"]
    assert pieces(tokeniser, "card", 2) == ["[CLS]", "[SEP]"]


def test_a_length_without_room_is_an_input_error(tokeniser):
    with pytest.raises(InputError, match="max_length=1"):
        tokeniser.encode(["card"], 1)


@pytest.mark.parametrize(
    "text",
    [
        "card lost! " * 2000,
        " " * 9000 + "card " * 3000,  # what counts stands late
        "\u200b" * 9000 + " card" * 300,
        "card" * 4000 + " lost card" * 9,  # one endless word, then more
        "卡" * 9000,
        "ca" * 10_000,
        "\ud800card " * 3000,
        ("x\u0301" * 90 + ", ") * 200,
        "".join(NASTY[:50]) * 9,
    ],
    ids=lambda text: repr(text[:6]),
)
@pytest.mark.parametrize("max_length", [2, 5, 64, 500])
def test_what_a_long_text_is_read_of_does_not_change_its_ids(tokeniser, text, max_length):
    whole = tokeniser.encode([text], 10**6)[0]  # so much room that the text is not long
    expected = whole if len(whole) <= max_length else [*whole[: max_length - 1], tokeniser.sep_id]
    assert tokeniser.encode([text], max_length)[0].tolist() == list(expected)


def test_of_a_million_characters_only_a_beginning_is_read(tokeniser, monkeypatch):
    read = []
    encode = tokeniser._rust.encode_batch_fast

    class Counted:
        def encode_batch_fast(self, texts, **settings):
            read.extend(map(len, texts))
            return encode(texts, **settings)

    monkeypatch.setattr(tokeniser, "_rust", Counted())
    assert len(tokeniser.encode(["card " * 200_000], 64)[0]) == 64
    assert sum(read) < 10_000


def test_lone_surrogates_are_dropped_and_spoil_no_other_text(tokeniser):
    ids = tokeniser.encode(["ca\ud800rd", "card é", "\udfff"], 64)
    assert ids[0].tolist() == tokeniser.encode(["card"], 64)[0].tolist()
    assert ids[1].tolist() == tokeniser.encode(["card é"], 64)[0].tolist()
    assert ids[2].tolist() == [tokeniser.cls_id, tokeniser.sep_id]


def test_a_batch_gives_what_its_texts_give_alone(tokeniser):
    together = tokeniser.encode(NASTY, 64)
    assert [each.tolist() for each in together] == [tokeniser.encode([text], 64)[0].tolist() for text in NASTY]


def test_a_trained_vocabulary_spells_its_texts_and_starts_with_the_special_pieces():
    trained = Tokeniser.train(TEXTS, 120)
    assert trained.vocabulary[:5] == tuple(SPECIAL)
    assert trained.pad_id == 0
    assert len(trained) <= 120
    assert "card" in trained.vocabulary
    assert not any(trained.unk_id in ids for ids in trained.encode(TEXTS, 64))


def test_a_trained_vocabulary_keeps_to_its_size_where_characters_alone_would_fill_it():
    trained = Tokeniser.train(["".join(map(chr, range(0x4E00, 0x4F00))), "card card card"], 60)
    assert len(trained) <= 60
    assert pieces(trained, "card") == ["[CLS]", "card", "[SEP]"]


def test_training_gives_the_same_vocabulary_in_every_process():
    program = "import sys; from tests.runtime.test_tokeniser import *; print(*Tokeniser.train([*NASTY, *TEXTS], 400).vocabulary)"
    root = Path(__file__).parents[2]
    outputs = {subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, check=True).stdout for _ in range(3)}
    assert len(outputs) == 1


def test_a_vocabulary_without_room_is_an_input_error():
    with pytest.raises(InputError, match="8 pieces"):
        Tokeniser.train(TEXTS, 8)


def test_a_written_vocabulary_reads_back(tokeniser, tmp_path):
    tokeniser.write(tmp_path / "vocab.txt")
    assert (tmp_path / "vocab.txt").read_bytes().startswith(b"[PAD]\n[UNK]\n")
    again = Tokeniser.from_file(tmp_path / "vocab.txt", lowercase=False, strip_accents=False)
    assert again.vocabulary == tokeniser.vocabulary
    assert again.as_dict() == {"kind": "wordpiece", "lowercase": False, "strip_accents": False, "file": "vocab.txt"}


def test_windows_line_ends_byte_order_mark_and_odd_separators_in_pieces_are_read(tmp_path):
    (tmp_path / "vocab.txt").write_bytes("\ufeff[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na\u2028b\r\n\x85\r\n\r\n".encode())
    assert Tokeniser.from_file(tmp_path / "vocab.txt").vocabulary == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a\u2028b", "\x85")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[PAD]\n[UNK]\n[CLS]\ncard\n", r"vocab\.txt: the vocabulary lacks \[SEP\]"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\ncard\ncard\n", r"vocab\.txt, line 6: piece 'card' stands twice"),
        (b"[PAD]\n[UNK]\n\n[CLS]\n[SEP]\n", r"vocab\.txt, line 3: piece 2 of the vocabulary is empty"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n\xff\xfe\n", r"vocab\.txt, line 5: is not UTF-8"),
        (b"", r"vocab\.txt: the vocabulary lacks \[PAD\]"),
    ],
)
def test_a_damaged_vocabulary_is_an_input_error_that_names_the_line(tmp_path, content, message):
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        Tokeniser.from_file(tmp_path / "vocab.txt")


def test_a_missing_vocabulary_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Tokeniser.from_file(tmp_path / "vocab.txt")


def test_a_piece_with_a_line_break_is_refused_before_it_spoils_a_file():
    with pytest.raises(InputError, match="line break"):
        Tokeniser([*SPECIAL, "a\nb"])


def test_the_tokeniser_imports_no_tensorflow():
    program = "import sys, tfarch.runtime.tokeniser; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False).returncode == 0


@pytest.mark.parametrize("text", [*ADDRESSES, *NASTY])
def test_addresses_are_read_as_a_word_and_every_other_word_keeps_its_place(tokeniser, text):
    shortening = tokeniser.with_short_addresses()
    spaced = re.sub(r"([Hh][Tt][Tt][Pp])[Ss]?://[!-~]+", lambda found: found[1] + " " * (len(found[0]) - 4), text)
    assert shortening.encode([text], 64)[0].tolist() == tokeniser.encode([spaced], 64)[0].tolist()
    assert shortening.words(text) == tokeniser.words(spaced)
    located = shortening.locate(text, 64)
    assert located.ids.tolist() == shortening.encode([text], 64)[0].tolist()
    assert located.spans == tokeniser.locate(spaced, 64).spans
    assert located.text == text


def test_addresses_are_letters_unless_they_are_to_be_short(tokeniser):
    kept, short = tokeniser, tokeniser.with_short_addresses()
    assert len(kept.encode([ADDRESSES[0]], 64)[0]) > len(short.encode([ADDRESSES[0]], 64)[0])
    assert short.as_dict() == {**kept.as_dict(), "shorten_addresses": True}
    assert flags_of(short.as_dict()) == {"lowercase": True, "strip_accents": True, "shorten_addresses": True}
    assert "shorten_addresses" not in kept.as_dict()
