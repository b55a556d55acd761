"""Texts that are longer than the model reads at once: cut into passages of whole sentences, each answered by itself, the answers put together."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from tfarch.runtime.network import Network, checked
from tfarch.runtime.tokeniser import Tokeniser, room_for_pieces

Span = tuple[int, int]

# A full stop, question or exclamation mark with what closes after it, white space, and the start of another sentence; or an empty line.
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s+[\"'“‘(\[]*[A-Z0-9$€£#@])|\n\s*\n")
# What a full stop ends without ending a sentence: an initial, or one of these.
_ABBREVIATION = re.compile(
    r"(?:(?<![\w'’])[A-Za-z]|\b(?:Mr|Mrs|Ms|Dr|Prof|St|Inc|Corp|Co|Ltd|Bros|No|Nos|vs|approx|est|etc|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|"
    r"Gov|Sen|Rep|Gen|Jr|Sr|U\.S|U\.K|e\.g|i\.e))\.$"
)


def sentences(text: str) -> list[Span]:
    """Start and end of each sentence, white space around it left out; English punctuation, no model behind it.

    >>> [text[a:b] for text in ["Profit fell. Analysts at J. Doe Inc. had hoped for 3.5%!"] for a, b in sentences(text)]
    ['Profit fell.', 'Analysts at J. Doe Inc. had hoped for 3.5%!']
    """
    ends = [each.end() for each in _END.finditer(text) if each.group().isspace() or not _ABBREVIATION.search(text[: each.end()][-12:])]
    spans = []
    for start, end in zip([0, *ends], [*ends, len(text)], strict=True):
        part = text[start:end]
        if part.strip():
            spans.append((start + len(part) - len(part.lstrip()), start + len(part.rstrip())))
    return spans


def passages(text: str, tokeniser: Tokeniser, max_length: int) -> list[Span]:
    """Start and end of passages of at most `max_length` tokens each, [CLS] and [SEP] included, that hold the whole text but white space.

    As many whole sentences as there is room for make a passage; a sentence that is too long for one is cut between words. A text of no sentence is one.
    """
    room, found = room_for_pieces(max_length), []
    begin, filled = None, 0
    end = 0
    for start, stop in sentences(text):
        for first, last, pieces in _within(text, start, stop, tokeniser, room):
            if begin is not None and filled + pieces > room:
                found.append((begin, end))
                begin, filled = None, 0
            begin = first if begin is None else begin
            filled, end = filled + pieces, last
    return [*found, (begin, end)] if begin is not None else [(0, len(text))]


def _within(text: str, start: int, stop: int, tokeniser: Tokeniser, room: int) -> list[tuple[int, int, int]]:
    """A sentence as (start, end, pieces), or where it has more pieces than there is room, parts of it."""
    pieces = _count(text[start:stop], tokeniser)
    if pieces <= room:
        return [(start, stop, pieces)]
    parts: list[tuple[int, int, int]] = []
    for word in re.finditer(r"\S+", text[start:stop]):
        first, last = start + word.start(), start + word.end()
        count = _count(word.group(), tokeniser)
        if parts and parts[-1][2] + count <= room:
            parts[-1] = (parts[-1][0], last, parts[-1][2] + count)
        else:
            parts.append((first, last, min(count, room)))  # one word that is longer than all the room is cut by the model
    return parts


def _count(text: str, tokeniser: Tokeniser) -> int:
    return len(tokeniser.encode([text], len(text) + 3)[0]) - 2


def of_long_texts(network: Network, texts: Sequence[str], names: Sequence[str], *, batch_size: int = 32) -> tuple[np.ndarray, ...]:
    """As `Network.of_texts`, but of a text that is too long for the model the mean over its passages, each by its tokens.

    Raises:
        InputError: as `Network.of_texts`.
    """
    texts = checked(texts)
    lengths = [len(each) for each in network.tokeniser.encode(texts, network.max_length + 1)]
    parts: list[str] = []
    owners: list[int] = []
    for number, (text, length) in enumerate(zip(texts, lengths, strict=True)):
        spans = passages(text, network.tokeniser, network.max_length) if length > network.max_length else [(0, len(text))]
        parts += [text[start:stop] for start, stop in spans]
        owners += [number] * len(spans)
    outputs = network.of_texts(parts, names, batch_size=batch_size)
    if len(parts) == len(texts):
        return outputs
    weights = np.array([max(1, len(each) - 2) for each in network.tokeniser.encode(parts, network.max_length)], np.float64)
    totals = np.bincount(owners, weights, len(texts))
    results = []
    for output in outputs:
        sums = np.zeros((len(texts), output.shape[1]))
        np.add.at(sums, owners, output * weights[:, None])
        results.append((sums / totals[:, None]).astype(np.float32))
    return tuple(results)
