"""The tokeniser as TensorFlow operations, so that a SavedModel takes strings: the same ids as `tfarch.runtime.tokeniser`, for every text.

The runtime's tokeniser is made of libraries whose Unicode tables are of different ages (decomposition, categories and lower case are not
of one version), and ICU's, which TensorFlow's string operations use, are of another: each operation that sounds right (NFD, `\\p{Mn}`,
lower case) differs on hundreds of characters. So nothing is looked up again here: the runtime's normaliser is asked, once, what it makes
of every code point, and its answers become constants of the graph. A code point at a time is enough, because BERT's normalisation looks
at no neighbours but in one place: NFD sorts adjacent combining marks. Nearly all of them are dropped afterwards; the graph sorts those
that stay.

No difference is known, and the tests allow none: every code point, marks in every order, the nasty texts, random mixtures, random bytes.
Bytes that are not UTF-8 (surrogates too) are dropped, just as they are when `bytes.decode("utf-8", "replace")` goes through the runtime's
tokeniser.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from tokenizers import normalizers, pre_tokenizers

from tfarch.runtime.tokeniser import ADDRESS, MAX_WORD_CHARACTERS, UNK, Tokeniser, room_for_pieces

_SELF = -1  # in a rewriting: the code point itself
_BARRIER = 0  # a dropped mark that others are not sorted over; U+0000 itself never survives the cleaning
_RANK_SHIFT = 21  # a mark that is sorted carries its rank above its code point's 21 bits
_PAGE = 256  # code points that share a row of the table, as most rows are alike


class TextGraph(tf.Module):
    """Texts to padded ids, in TensorFlow operations only.

    Args:
        tokeniser: whose ids are given.
        max_length: most tokens of a text, [CLS] and [SEP] included; longer texts are cut.
    """

    def __init__(self, tokeniser: Tokeniser, max_length: int):
        super().__init__(name="text_graph")
        self._table = _rewriting_table(tokeniser.lowercase, tokeniser.strip_accents)
        self._short_addresses = tokeniser.shorten_addresses
        self._room = room_for_pieces(max_length)
        self._cls_id, self._sep_id = tokeniser.cls_id, tokeniser.sep_id
        self._wordpiece = tf_text.FastWordpieceTokenizer(
            list(tokeniser.vocabulary),
            max_bytes_per_word=4 * MAX_WORD_CHARACTERS,  # never the tighter bound: `words` counts characters
            token_out_type=tf.int32,
            unknown_token=UNK,
            no_pretokenization=True,
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")])
    def __call__(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """(ids, mask, segment_ids), each int32 `[batch, longest]`, for UTF-8 `texts`, string `[batch]`; 0 where a text is over."""
        words = self.words(texts)[:, : self._room]  # every word gives a piece or more
        too_long = tf.strings.length(words.values, unit="UTF8_CHAR") > MAX_WORD_CHARACTERS
        words = words.with_values(tf.where(too_long, UNK, words.values))
        pieces = self._wordpiece.tokenize(words).merge_dims(1, 2)[:, : self._room]
        beside = tf.ones([tf.size(texts), 1], tf.int32)
        ids = tf.concat([beside * self._cls_id, pieces, beside * self._sep_id], axis=1)
        lengths = ids.row_lengths()
        longest = tf.maximum(tf.reduce_max(lengths), 2)  # of no text at all, the maximum is negative
        mask = tf.sequence_mask(lengths, longest, tf.int32)
        return ids.to_tensor(shape=tf.stack([ids.nrows(), longest])), mask, tf.zeros_like(mask)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")])
    def words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """The normalised words of each text, string `[batch, words]`, before they are cut into pieces."""
        if self._short_addresses:
            texts = tf.strings.regex_replace(texts, ADDRESS, r"\1 ")
        characters = _rewritten(tf.strings.unicode_decode(texts, "UTF-8"), self._table)
        characters = characters.with_values(_sorted_marks(characters.values, characters.value_rowids()))
        characters = tf.ragged.boolean_mask(characters, characters != _BARRIER)
        return tf.strings.split(tf.strings.unicode_encode(characters, "UTF-8"))


@dataclass(frozen=True)
class _RewritingTable:
    """What becomes of each code point: of code point c, rewriting r = `rows[pages[c // 256], c % 256]`.

    pages: int32 `[4352]`.
    rows: int32 `[different pages, 256]`.
    values, splits: rewriting r is `values[splits[r] : splits[r + 1]]`: code points (there may be none), `_SELF` for c itself, spaces where
        words are split, a rank above the code point of a mark that is sorted.
    """

    pages: np.ndarray
    rows: np.ndarray
    values: np.ndarray
    splits: np.ndarray


def _rewritten(characters: tf.RaggedTensor, table: _RewritingTable) -> tf.RaggedTensor:
    """`characters` `[batch, characters]` with each replaced by its rewriting."""
    page = tf.gather(table.pages, characters.values // _PAGE)
    row = tf.gather(table.rows.ravel(), page * _PAGE + characters.values % _PAGE)
    rewriting = tf.gather(tf.RaggedTensor.from_row_splits(tf.constant(table.values), table.splits, validate=False), row)
    itself = tf.repeat(characters.values, rewriting.row_lengths())
    rewriting = rewriting.with_values(tf.where(rewriting.values == _SELF, itself, rewriting.values))
    return characters.with_values(rewriting).merge_dims(1, 2)


def _sorted_marks(characters: tf.Tensor, text: tf.Tensor) -> tf.Tensor:
    """The canonical ordering (Unicode 3.11, D109): runs of marks that carry a rank sorted by it, stably; and the ranks taken off.

    Args:
        characters: int32 `[n]`, of all texts.
        text: int64 `[n]`, the text that each stands in.
    """
    rank = tf.bitwise.right_shift(characters, _RANK_SHIFT)
    plain = tf.bitwise.bitwise_and(characters, (1 << _RANK_SHIFT) - 1)

    def by_rank() -> tf.Tensor:
        run = tf.cumsum(tf.cast(rank == 0, tf.int64)) + text
        return tf.gather(plain, tf.argsort(run * tf.cast(tf.reduce_max(rank) + 1, tf.int64) + tf.cast(rank, tf.int64), stable=True))

    return tf.cond(tf.reduce_any(rank > 0), by_rank, lambda: plain)


@lru_cache(maxsize=4)
def _rewriting_table(lowercase: bool, strip_accents: bool) -> _RewritingTable:
    """The table of a tokeniser with these settings, asked from the runtime's normaliser for every code point."""
    rewritings = {(_SELF,): 0}
    rows = np.zeros([0x110000 // _PAGE, _PAGE], np.int32)
    for code, rewriting in _rewritings(lowercase, strip_accents):
        rows[code // _PAGE, code % _PAGE] = rewritings.setdefault(rewriting, len(rewritings))
    # Planes 4 to 13 are empty, and an unknown character stays. Planes 15 and 16 are private characters, but for the last two of each.
    rows[0xF0000 // _PAGE :] = rows[0xE000 // _PAGE, 0]
    rows[[0xFFFFF // _PAGE, 0x10FFFF // _PAGE], -2:] = 0
    unique, pages = np.unique(rows, axis=0, return_inverse=True)
    return _RewritingTable(
        pages.astype(np.int32).ravel(),
        unique,
        np.array([each for rewriting in rewritings for each in rewriting], np.int32),
        np.cumsum([0, *map(len, rewritings)]),
    )


def _rewritings(lowercase: bool, strip_accents: bool) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Every code point of the planes in use whose rewriting is not itself, with that rewriting.

    The normaliser's steps are asked in two parts, before and after the place where NFD has sorted the marks.
    """
    assigned = [chr(code) for plane in (0, 1, 2, 3, 14) for code in range(plane << 16, (plane + 1) << 16) if not 0xD800 <= code < 0xE000]
    before = _normaliser(clean_text=True, handle_chinese_chars=True)
    if strip_accents:
        before = normalizers.Sequence([before, normalizers.NFD()])
    decomposed = dict(zip(assigned, _each(before, assigned), strict=True))
    parts = sorted(set("".join(decomposed.values())))
    final = dict(zip(parts, _each(_normaliser(strip_accents=strip_accents, lowercase=lowercase), parts), strict=True))
    punctuation = _punctuation(set("".join(final.values())))
    sorted_marks = _sorted_by_nfd(parts) if strip_accents else set()
    ranks = _ranks([mark for mark in sorted_marks if final[mark]])

    def rewrite(part: str) -> tuple[int, ...]:
        if part in ranks:
            return (ord(part) | ranks[part] << _RANK_SHIFT,)
        if not final[part]:
            return () if part in sorted_marks else (_BARRIER,)
        return tuple(map(ord, "".join(f" {each} " if each in punctuation else each for each in final[part])))

    for character, whole in decomposed.items():
        if whole == character == final[character] and character not in punctuation and character not in ranks:
            continue
        rewriting = tuple(code for part in whole for code in rewrite(part))
        yield ord(character), tuple(_SELF if code == ord(character) else code for code in rewriting)


def _normaliser(**steps: bool) -> normalizers.Normalizer:
    """The runtime's normaliser with only these of its steps."""
    every = dict.fromkeys(("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"), False)
    return normalizers.BertNormalizer(**every | steps)


def _each(normaliser: normalizers.Normalizer, characters: Sequence[str]) -> list[str]:
    """What the normaliser makes of each by itself, asked in a few long texts; the '|' between them is never changed."""
    answers = []
    for start in range(0, len(characters), 1 << 14):
        asked = characters[start : start + (1 << 14)]
        answers += normaliser.normalize_str("|".join("" if each == "|" else each for each in asked)).split("|")
    return ["|" if character == "|" else answer for character, answer in zip(characters, answers, strict=True)]


def _punctuation(characters: Iterable[str]) -> set[str]:
    """Those that are words of their own wherever they stand."""
    pieces = pre_tokenizers.BertPreTokenizer().pre_tokenize_str("a" + "a".join(sorted(characters)))
    return {piece for piece, _ in pieces if len(piece) == 1 and piece != "a"}


def _sorted_by_nfd(characters: Iterable[str]) -> set[str]:
    """Those that NFD sorts: marks with a combining class over 0, by the normaliser's own table."""
    highest = "\u0345"  # the only mark of class 240, the highest there is
    characters = [each for each in characters if each != "|"]
    pairs = _each(normalizers.NFD(), [highest + each for each in characters])
    return {highest} | {each for each, pair in zip(characters, pairs, strict=True) if pair != highest + each}


def _ranks(marks: list[str]) -> dict[str, int]:
    """A number from 1 for each of `marks` that grows with its combining class: of how many marks does NFD not sort it ahead?"""
    nfd = normalizers.NFD().normalize_str
    return {mark: sum(mark == other or nfd(other + mark) == other + mark for other in marks) for mark in marks}
