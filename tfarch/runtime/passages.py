"""Texts that are longer than the model reads at once: cut into passages of whole sentences, each answered by itself, the answers put together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfarch.runtime.network import Network, checked
from tfarch.runtime.signature import VECTOR
from tfarch.runtime.tokeniser import Tokeniser, room_for_pieces

Span = tuple[int, int]

# A full stop, question or exclamation mark with what closes after it, white space, and the start of another sentence; or an empty line. A row of full stops
# is tried once, from its first: what is never given back keeps the search linear.
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?=\s++[\"'“‘(\[]*+[A-Z0-9$€£#@])|\n\s*\n")
# What a full stop ends without ending a sentence: an initial, or one of these.
_ABBREVIATION = re.compile(
    r"(?:(?<![\w'’])[A-Za-z]|\b(?:Mr|Mrs|Ms|Dr|Prof|St|Inc|Corp|Co|Ltd|Bros|No|Nos|vs|approx|est|etc|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|"
    r"Gov|Sen|Rep|Gen|Jr|Sr|U\.S|U\.K|e\.g|i\.e))\.$"
)
_LONGEST = 12  # characters that it is looked for in


def sentences(text: str) -> list[Span]:
    """Start and end of each sentence, white space around it left out; English punctuation, no model behind it.

    >>> [text[a:b] for text in ["Profit fell. Analysts at J. Doe Inc. had hoped for 3.5%!"] for a, b in sentences(text)]
    ['Profit fell.', 'Analysts at J. Doe Inc. had hoped for 3.5%!']
    """
    ends = [each.end() for each in _END.finditer(text) if each.group().isspace() or not _is_abbreviation(text, each.end())]
    spans = []
    for start, end in zip([0, *ends], [*ends, len(text)], strict=True):
        part = text[start:end]
        if part.strip():
            spans.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
    return spans


def _is_abbreviation(text: str, end: int) -> bool:
    return _ABBREVIATION.search(text, max(0, end - _LONGEST), end) is not None


def passages(text: str, tokeniser: Tokeniser, max_length: int) -> list[Span]:
    """Start and end of passages of at most `max_length` tokens each, [CLS] and [SEP] included, that hold the whole text but white space.

    As many whole sentences as there is room for make a passage; a sentence that is too long for one is cut between words. A text of no sentence is one.
    """
    room, found = room_for_pieces(max_length), []
    begin, filled = None, 0
    end = 0
    whole = sentences(text)
    for (start, stop), count in zip(whole, _counts([text[start:stop] for start, stop in whole], tokeniser), strict=True):
        for first, last, pieces in [(start, stop, count)] if count <= room else _between_words(text, start, stop, tokeniser, room):
            if begin is not None and filled + pieces > room:
                found.append((begin, end))
                begin, filled = None, 0
            begin = first if begin is None else begin
            filled, end = filled + pieces, last
    return [*found, (begin, end)] if begin is not None else [(0, len(text))]


def _between_words(text: str, start: int, stop: int, tokeniser: Tokeniser, room: int) -> list[tuple[int, int, int]]:
    """Parts of a sentence that has more pieces than there is room, as (start, end, pieces)."""
    parts: list[tuple[int, int, int]] = []
    words = list(re.finditer(r"\S+", text[start:stop]))
    for word, count in zip(words, _counts([word.group() for word in words], tokeniser), strict=True):
        first, last = start + word.start(), start + word.end()
        if parts and parts[-1][2] + count <= room:
            parts[-1] = (parts[-1][0], last, parts[-1][2] + count)
        else:
            parts.append((first, last, min(count, room)))  # one word that is longer than all the room is cut by the model
    return parts


def _counts(texts: Sequence[str], tokeniser: Tokeniser) -> list[int]:
    """The pieces of each text."""
    longest = 4 * max(map(len, texts), default=0)  # decomposed, a character is four at most
    return [len(ids) - 2 for ids in tokeniser.encode(texts, longest + 2)]


@dataclass(frozen=True)
class Parts:
    """What the model reads of n texts: each text whole where it fits, else its passages.

    texts: the parts, those of one text after those of the one before.
    starts: where each begins in its text.
    owners: the number of the text that each is of, int64 `[parts]`.
    count: n.
    """

    texts: tuple[str, ...]
    starts: tuple[int, ...]
    owners: np.ndarray
    count: int

    @staticmethod
    def whole(texts: Sequence[str]) -> Parts:
        """Of each text its beginning, as much of it as the model reads at once."""
        return Parts(tuple(texts), (0,) * len(texts), np.arange(len(texts)), len(texts))

    @staticmethod
    def of(texts: Sequence[str], tokeniser: Tokeniser, max_length: int) -> Parts:
        """Of each text all of it."""
        found: list[tuple[str, int, int]] = []
        for number, (text, ids) in enumerate(zip(texts, tokeniser.encode(texts, max_length + 1), strict=True)):
            spans = passages(text, tokeniser, max_length) if len(ids) > max_length else [(0, len(text))]
            found += [(text[start:stop], start, number) for start, stop in spans]
        own, starts, owners = zip(*found, strict=True) if found else ((), (), ())
        return Parts(own, starts, np.array(owners, np.int64), len(texts))

    @property
    def counts(self) -> np.ndarray:
        """How many parts each text has, int64 `[n]`."""
        return np.bincount(self.owners, minlength=self.count)

    def shares(self, tokens: Sequence[int]) -> np.ndarray:
        """How much each part counts in its text, float64 `[parts]`, by its tokens but [CLS] and [SEP], which their numbers include."""
        weights = np.maximum(1.0, np.asarray(tokens, np.float64) - 2)
        return weights / np.bincount(self.owners, weights, self.count)[self.owners]

    def together(self, outputs: Sequence[np.ndarray], names: Sequence[str], tokens: Sequence[int]) -> tuple[np.ndarray, ...]:
        """The outputs `[n, ...]` of the texts from those of their parts `[parts, ...]`, which have so many tokens: their mean by `shares`.

        The mean of vectors that point different ways is shorter than they are, and lies where no text's vector does: it gets their mean length, so that the
        scores of the scope rule, which are fitted on vectors of texts, mean the same.
        """
        if len(self.texts) == self.count:
            return tuple(outputs)
        shares = self.shares(tokens)
        return tuple(self._mean(output.astype(np.float64), shares, name == VECTOR) for output, name in zip(outputs, names, strict=True))

    def _mean(self, output: np.ndarray, shares: np.ndarray, keep_length: bool) -> np.ndarray:
        mean = np.zeros((self.count, output.shape[1]))
        np.add.at(mean, self.owners, output * shares[:, None])
        if keep_length:
            lengths = np.bincount(self.owners, shares * np.linalg.norm(output, axis=1), self.count)
            mean *= (lengths / np.maximum(np.linalg.norm(mean, axis=1), 1e-12))[:, None]
        return mean.astype(np.float32)


def of_long_texts(network: Network, texts: Sequence[str], names: Sequence[str], *, batch_size: int = 32) -> tuple[np.ndarray, ...]:
    """As `Network.of_texts`, but of a text that is too long for the model all of its passages, put together by `Parts.together`.

    Raises:
        InputError: as `Network.of_texts`.
    """
    parts = Parts.of(checked(texts), network.tokeniser, network.max_length)
    outputs = network.of_texts(parts.texts, names, batch_size=batch_size)
    if len(parts.texts) == parts.count:
        return outputs
    return parts.together(outputs, names, [len(ids) for ids in network.tokeniser.encode(parts.texts, network.max_length)])


def of_texts(
    network: Network, texts: Sequence[str], names: Sequence[str], *, long_texts: bool, batch_size: int = 32
) -> tuple[np.ndarray, ...]:
    """The outputs `names` of texts: with `long_texts` of all that a text says (`of_long_texts`), else of as much as the model reads (`Network.of_texts`)."""
    if long_texts:
        return of_long_texts(network, texts, names, batch_size=batch_size)
    return network.of_texts(texts, names, batch_size=batch_size)
