"""A smaller vocabulary: pieces that the data hardly use go from the token table, and every text can still be read.

The token table is half of a small encoder. Special pieces and single characters stay, so that a word whose pieces are gone is spelt by smaller ones (Abdaoui et al. 2020 trim by
language; here it is by use).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfarch.data.tokens import Tokens
from tfarch.runtime.tokeniser import CLS, MASK, PAD, SEP, UNK, Tokeniser, room_for_pieces

TABLE = "token_embedding/embeddings"
_CONTINUES = "##"


def chosen_pieces(tokeniser: Tokeniser, texts: Sequence[Tokens], rows: int, most: int = 0) -> np.ndarray:
    """The ids of the pieces that stay, rising: special pieces and single characters in any case, then those that stand most often in the texts, then the first of the others,
    as BERT's vocabulary has the common ones first. Pieces that no text is cut into go first.

    Args:
        rows: how many stay.
        most: up to how many, where more of them stand in the texts.
    """
    pieces = tokeniser.vocabulary
    used = np.zeros(len(pieces), np.int64)
    for tokens in texts:
        used += np.bincount(tokens.ids, minlength=len(pieces))
    reached = np.array([count > 0 or _reached(tokeniser, piece) for count, piece in zip(used, pieces, strict=True)])
    always = np.isin(pieces, (PAD, UNK, CLS, SEP, MASK)) | (reached & [len(piece.removeprefix(_CONTINUES)) == 1 for piece in pieces])
    used[~reached], used[always] = -1, np.iinfo(np.int64).max
    order = np.argsort(-used, kind="stable")
    return np.sort(order[: max(rows, min(most, np.count_nonzero(used > 0)), np.count_nonzero(always))])


def _reached(tokeniser: Tokeniser, piece: str) -> bool:
    """Whether a text can be cut into it: it stands in a word as it is. BERT's unused ones do not, nor do ideographs and punctuation that continue a word."""
    spelt = "a" + piece.removeprefix(_CONTINUES) if piece.startswith(_CONTINUES) and piece != _CONTINUES else piece
    return tokeniser.words(spelt) == [spelt]


def trimmed(tokeniser: Tokeniser, kept: np.ndarray) -> Tokeniser:
    """The tokeniser with these pieces alone, in their order."""
    flags = {"lowercase": tokeniser.lowercase, "strip_accents": tokeniser.strip_accents, "shorten_addresses": tokeniser.shorten_addresses}
    return Tokeniser([tokeniser.vocabulary[place] for place in kept], **flags)


def trimmed_weights(weights: Mapping[str, np.ndarray], kept: np.ndarray) -> dict[str, np.ndarray]:
    """The weights with these rows of the token table."""
    return {**weights, TABLE: weights[TABLE][kept]}


class Retokeniser:
    """Token ids of a tokeniser as those of another, whose pieces are some of its own: what the other makes of the same texts.

    A word's pieces are put together and cut anew, so no text is needed. Of a text that was cut inside a word the last pieces may differ from those of the whole text.
    """

    def __init__(self, before: Tokeniser, after: Tokeniser, max_length: int):
        self._pieces, self._after, self._room = before.vocabulary, after, room_for_pieces(max_length)
        self._ids = {piece: place for place, piece in enumerate(after.vocabulary)}
        self._unknown = before.unk_id
        self._known: dict[tuple[int, ...], list[int]] = {}

    def __call__(self, tokens: Tokens) -> Tokens:
        texts = []
        for begin, end in zip(tokens.offsets[:-1].tolist(), tokens.offsets[1:].tolist(), strict=True):
            found: list[int] = []
            for word in self._words(tokens.ids[begin + 1 : end - 1].tolist()):
                if word not in self._known:
                    self._known[word] = self._cut(word)
                found += self._known[word]
            texts.append([self._after.cls_id, *found[: self._room], self._after.sep_id])
        offsets = np.concatenate([[0], np.cumsum([len(each) for each in texts])]).astype(np.int64)
        return Tokens(np.array([each for text in texts for each in text], np.int32), offsets)

    def _words(self, ids: Sequence[int]) -> list[tuple[int, ...]]:
        words: list[list[int]] = []
        for each in ids:
            if words and self._pieces[each].startswith(_CONTINUES) and len(self._pieces[each]) > len(_CONTINUES):
                words[-1].append(each)
            else:
                words.append([each])
        return [tuple(word) for word in words]

    def _cut(self, word: tuple[int, ...]) -> list[int]:
        """The longest piece again and again from the left, as WordPiece does."""
        if self._unknown in word:
            return [self._after.unk_id]
        spelt = "".join(self._pieces[each].removeprefix(_CONTINUES) if place else self._pieces[each] for place, each in enumerate(word))
        found, begin = [], 0
        while begin < len(spelt):
            before = _CONTINUES if begin else ""
            end = next((end for end in range(len(spelt), begin, -1) if before + spelt[begin:end] in self._ids), None)
            if end is None:
                return [self._after.unk_id]
            found.append(self._ids[before + spelt[begin:end]])
            begin = end
        return found
