"""Text to WordPiece ids as BERT does it, on the Rust `tokenizers` package: the reference that the exported files must equal.

Normalisation drops control characters and U+FFFD, makes all white space a space, puts spaces round CJK ideographs, decomposes (NFD) and
drops non-spacing marks, and lower-cases. Words end at spaces and at punctuation, which is a word of its own; a word over 100 characters
is [UNK], of any other the longest piece is taken again and again from the left (Devlin et al. 2019, `tokenization.py` of
google-research/bert). What a user types is always plain text: "[SEP]" is three words.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers

from tfarch.errors import InputError

PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
MAX_WORD_CHARACTERS = 100

# ASCII white space and punctuation, CJK punctuation and ideographs: a text can be cut before one without changing the tokens on its left.
_ALWAYS_A_NEW_WORD = re.compile(r"[\t\n\r -/:-@\[-`{-~\u3001\u3002\u3400-\u4dbf\u4e00-\u9fff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Of ASCII alone and without a flag for case, so that RE2, which TensorFlow uses, matches the very same.
ADDRESS = "([Hh][Tt][Tt][Pp])[Ss]?://[!-~]+"
_ADDRESS = re.compile(ADDRESS)


@dataclass(frozen=True)
class Located:
    """The ids of one text, and where in it they come from.

    text: as it was given.
    ids: int32 `[tokens]`, as `Tokeniser.encode` gives them.
    words: the number of the word that each id is a piece of, int64 `[tokens]`; -1 for [CLS] and [SEP].
    spans: start and end of each word in the text; words that are cut off have none.
    cut: whether words were cut off.
    passages: how many a longer text was taken apart into, of which this is one.
    """

    text: str
    ids: np.ndarray
    words: np.ndarray
    spans: tuple[tuple[int, int], ...]
    cut: bool
    passages: int = 1


FLAGS = ("lowercase", "strip_accents", "shorten_addresses")


def flags_of(described: Mapping[str, Any]) -> dict[str, bool]:
    """The settings of a tokeniser as `Tokeniser.as_dict` tells them; one that an older file lacks is off."""
    return {name: bool(described[name]) for name in FLAGS if name in described}


class Tokeniser:
    """A WordPiece vocabulary and the way to it.

    Args:
        vocabulary: the pieces, a piece's place is its id; "##" begins a piece that continues a word.
        lowercase: lower-case each character by itself (a final sigma stays a sigma).
        strip_accents: decompose and drop non-spacing marks.
        shorten_addresses: read a web address as the word "http": that there is one says something, a shortened one's random letters are a dozen pieces that do not.

    Raises:
        InputError: a special piece is missing, a piece is empty, holds a line break or stands twice.
    """

    def __init__(self, vocabulary: Sequence[str], *, lowercase: bool = True, strip_accents: bool = True, shorten_addresses: bool = False):
        self.vocabulary = tuple(vocabulary)
        self.lowercase, self.strip_accents, self.shorten_addresses = lowercase, strip_accents, shorten_addresses
        ids = _ids_of(self.vocabulary, None)
        self.pad_id, self.unk_id, self.cls_id, self.sep_id = ids[PAD], ids[UNK], ids[CLS], ids[SEP]
        # The special pieces are not registered as such: `tokenizers` would then find them in what a user types.
        self._rust = tokenizers.Tokenizer(models.WordPiece(ids, unk_token=UNK, max_input_chars_per_word=MAX_WORD_CHARACTERS))
        self._rust.normalizer = normalizers.BertNormalizer(
            clean_text=True, handle_chinese_chars=True, strip_accents=strip_accents, lowercase=lowercase
        )
        self._rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def __len__(self) -> int:
        return len(self.vocabulary)

    @classmethod
    def from_file(cls, vocab_txt: Path, **settings: bool) -> Tokeniser:
        """The vocabulary of a UTF-8 file with a piece a line (BERT's `vocab.txt`), and the settings of the constructor.

        Raises:
            InputError: the file cannot be read, or is damaged as the constructor says; names file and line.
        """
        try:
            lines = Path(vocab_txt).read_bytes().decode("utf-8-sig").split("\n")
        except OSError as error:
            raise InputError(f"cannot be read: {error.strerror}", file=vocab_txt) from error
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise InputError("is not UTF-8", file=vocab_txt, line=line, mend="a vocabulary is a text file with a piece a line") from error
        pieces = [line.removesuffix("\r") for line in lines]
        while pieces and not pieces[-1]:
            pieces.pop()
        _ids_of(pieces, vocab_txt)
        return cls(pieces, **settings)

    @classmethod
    def train(cls, texts: Iterable[str], size: int, *, shorten_addresses: bool = False) -> Tokeniser:
        """A lower-case vocabulary of at most `size` pieces from `texts`, the same on every run.

        The trainer of `tokenizers` breaks ties by ids that it gives in the order of a hash map, so they are given here: the special
        pieces, then single characters (the commonest, at most half of `size`), and only then what it learns from words that they spell.

        Raises:
            InputError: `size` has no room for the special pieces and some characters.
        """
        if size < 16:
            raise InputError(f"a vocabulary of {size} pieces is too small", mend="16 are the least, thousands are usual")
        special = [PAD, UNK, CLS, SEP, MASK]
        splitter = cls(special, shorten_addresses=shorten_addresses)
        counts = Counter(word for text in texts for word in splitter.words(text) if len(word) <= MAX_WORD_CHARACTERS)
        singles: Counter[str] = Counter()
        for word, count in counts.items():
            for place, character in enumerate(word):
                singles[character] += count
                if place:
                    singles[f"##{character}"] += count
        # A character is at least as frequent as its continuing form, and stands before it.
        kept = sorted(singles, key=lambda piece: (-singles[piece], len(piece), piece))[: (size - len(special)) // 2]
        alphabet = sorted(piece for piece in kept if len(piece) == 1)
        continuing = sorted(piece for piece in kept if len(piece) > 1)
        known = set(kept)
        spelt = [
            word
            for word in sorted(counts)
            if word[0] in known and all(character in known and f"##{character}" in known for character in word[1:])
        ]
        learner = tokenizers.Tokenizer(models.WordPiece(unk_token=UNK))
        learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        trainer = trainers.WordPieceTrainer(
            vocab_size=size, min_frequency=2, special_tokens=special + alphabet + continuing, show_progress=False
        )
        learner.train_from_iterator((" ".join([word] * counts[word]) for word in spelt), trainer)
        learnt = learner.get_vocab()
        return cls(sorted(learnt, key=learnt.__getitem__), shorten_addresses=shorten_addresses)

    def with_short_addresses(self) -> Tokeniser:
        """The same, but that it reads web addresses as a word."""
        return Tokeniser(self.vocabulary, lowercase=self.lowercase, strip_accents=self.strip_accents, shorten_addresses=True)

    def write(self, vocab_txt: Path) -> None:
        """Writes the vocabulary as `from_file` reads it."""
        Path(vocab_txt).write_bytes(self.as_text().encode())

    def as_text(self) -> str:
        """The content of such a file."""
        return "".join(f"{piece}\n" for piece in self.vocabulary)

    def as_dict(self) -> dict:
        """What `bundle.json` says of the tokeniser."""
        flags = {name: getattr(self, name) for name in FLAGS if name != "shorten_addresses" or self.shorten_addresses}
        return {"kind": "wordpiece", **flags, "file": "vocab.txt"}

    def words(self, text: str) -> list[str]:
        """The normalised words of a text, before they are cut into pieces."""
        normalised = self._rust.normalizer.normalize_str(_without_surrogates(self._read(text)))
        return [word for word, _ in self._rust.pre_tokenizer.pre_tokenize_str(normalised)]

    def encode(self, texts: Sequence[str], max_length: int) -> list[np.ndarray]:
        """Ids of each text: int32 `[tokens]`, [CLS] first and [SEP] last, at most `max_length` of them.

        A lone surrogate (which no UTF-8 text can hold) is dropped. Of a very long text only as much is read as its ids need.

        Raises:
            InputError: `max_length` is under 2.
        """
        room = room_for_pieces(max_length)
        long = 64 * max_length
        texts = [self._needed(text, room) if len(text) > long else text for text in map(self._read, texts)]
        try:
            encodings = self._rust.encode_batch_fast(texts, add_special_tokens=False)
        except TypeError:  # what a str with a lone surrogate raises
            encodings = self._rust.encode_batch_fast([_without_surrogates(text) for text in texts], add_special_tokens=False)
        return [np.array([self.cls_id, *encoding.ids[:room], self.sep_id], np.int32) for encoding in encodings]

    def locate(self, text: str, max_length: int) -> Located:
        """As `encode` for one text, with the places of its words.

        A word is what stands between spaces and punctuation, an ideograph, or a mark of punctuation; an apostrophe between letters joins ("don't" is
        one). Its combining marks and joiners belong to it, though the ids know nothing of them.

        Raises:
            InputError: `max_length` is under 2.
        """
        room = room_for_pieces(max_length)
        # U+FFFD is dropped by the normaliser as lone surrogates are by `encode`, and keeps the places.
        read = _LONE_SURROGATE.sub("\ufffd", self._read(text))
        if len(read) > 64 * max_length:
            read = self._needed(read, room)
        encoding = self._rust.encode(read, add_special_tokens=False)
        spans: dict[int, tuple[int, int]] = {}
        for word, (start, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
            known = spans.get(word, (start, end))
            spans[word] = (min(known[0], start), max(known[1], end))
        joined, numbers = _joined(text, _with_marks(text, list(spans.values())))
        number_of = dict(zip(spans, numbers, strict=True))
        words = [number_of[word] for word in encoding.word_ids[:room]]
        kept = max(words, default=-1) + 1
        return Located(
            text,
            np.array([self.cls_id, *encoding.ids[:room], self.sep_id], np.int32),
            np.array([-1, *words, -1]),
            tuple(joined[:kept]),
            len(encoding.ids) > room or len(read) < len(text),
        )

    def _read(self, text: str) -> str:
        """The text as it is read; what is left out becomes spaces, and all else keeps its place."""
        if not self.shorten_addresses or "://" not in text:
            return text
        return _ADDRESS.sub(lambda found: found[1].ljust(len(found[0])), text)

    def _needed(self, text: str, room: int) -> str:
        """A beginning of a long text whose first `room` pieces are those of the whole.

        It ends before a character that always begins a new word: no word reaches over it, and no mark is sorted over it. Each try reads
        twice as much as the one before, so that the work grows with what is needed, not with the text.
        """
        end = 16 * max(room, 64)
        while boundary := _ALWAYS_A_NEW_WORD.search(text, end):
            beginning = _without_surrogates(text[: boundary.start()])
            if len(self._rust.encode_batch_fast([beginning], add_special_tokens=False)[0].ids) >= room:
                return beginning
            end = 2 * boundary.start()
        return text


def room_for_pieces(max_length: int) -> int:
    """How many pieces stand between [CLS] and [SEP]."""
    if max_length < 2:
        raise InputError(f"max_length={max_length} has no room for [CLS] and [SEP]", mend="2 is the least")
    return max_length - 2


def _with_marks(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans of words with the marks, joiners and variation selectors behind each."""
    result = []
    for place, (start, end) in enumerate(spans):
        most = spans[place + 1][0] if place + 1 < len(spans) else len(text)
        while end < most and unicodedata.category(text[end]) in ("Mn", "Me", "Cf"):
            end += 1
        result.append((start, end))
    return result


def _joined(text: str, spans: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[int]]:
    """The spans with those joined that an apostrophe between letters parts, and for each of `spans` the number of the one that it became part of."""
    joined: list[tuple[int, int]] = []
    numbers = []
    behind_apostrophe = False
    for place, (start, end) in enumerate(spans):
        apostrophe = (
            0 < place < len(spans) - 1
            and text[start:end] in ("'", "\u2019")
            and spans[place - 1][1] == start
            and spans[place + 1][0] == end
            and text[start - 1].isalpha()
            and text[end].isalpha()
        )
        if apostrophe or behind_apostrophe:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
        numbers.append(len(joined) - 1)
        behind_apostrophe = apostrophe
    return joined, numbers


def _without_surrogates(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "ignore").decode()


def _ids_of(pieces: Sequence[str], file: Path | None) -> dict[str, int]:
    """Each piece's id; the checks of a vocabulary, whose lines are counted where it comes from a file."""
    ids: dict[str, int] = {}
    for place, piece in enumerate(pieces):
        at = {"file": file, "line": place + 1} if file is not None else {}
        if not piece:
            raise InputError(f"piece {place} of the vocabulary is empty", **at, mend="every line is one piece")
        if "\n" in piece or "\r" in piece:
            raise InputError(f"piece {place} of the vocabulary, {piece!r}, holds a line break", **at, mend="every line is one piece")
        if piece in ids:
            raise InputError(
                f"piece {piece!r} stands twice in the vocabulary, as {ids[piece]} and {place}", **at, mend="remove one of them"
            )
        ids[piece] = place
    for special in (PAD, UNK, CLS, SEP):
        if special not in ids:
            raise InputError(
                f"the vocabulary lacks {special}", file=file, mend="it is not a WordPiece vocabulary of BERT's kind, or it was cut"
            )
    return ids
