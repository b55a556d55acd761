"""A message taken apart into its questions: "where is my parcel and can I have a static ip" holds two.

The message is cut where a sentence ends, at line breaks, list marks and joining words. Of all ways to put neighbouring pieces together again the one is
taken whose questions are understood best, each costing a little, so that only what adds meaning becomes a question of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Where a message may hold another question: behind a sentence's end, a line break, a list's mark, and before joining words.
_CUTS = re.compile(
    r"""
    (?<=[.!?…;])["')\]]*\s+                                   # behind a sentence
    | \s*\n+\s*                                               # lines
    | \s*(?:(?<=\s)|^)(?:\(?\d{1,2}[.)]|[a-z]\)|[-*•])\s+     # 1. 2) a) -
    | ,?\s+(?=(?:and|also|plus|btw|by\s+the\s+way|oh|ps|p\.s\.|another\s+thing|one\s+more\s+thing|as\s+well\s+as|secondly|second)\b)
    | ,\s+
    """,
    re.IGNORECASE | re.VERBOSE,
)
_LEAD = re.compile(r"^(?:(?:and|also|plus|btw|by the way|oh|ps|p\.s\.|then|but|so)\b[\s,:.]*)+", re.IGNORECASE)
# A piece behind a comma or a plain "and" is less likely a question of its own than one behind a sentence or "also".
_STRONG = re.compile(r"(?:also|plus|btw|by\s+the\s+way|oh|ps|p\.s\.|and\s+also|another|one\s+more|second)", re.IGNORECASE)
_ASKS = re.compile(
    r"\?|^(?:how|what|when|where|who|why|which|can|could|do|does|did|is|are|will|would|should|may|have|has|am|any|please|pls|"
    r"i\s+(?:want|need|wanna|would\s+like))\b",
    re.IGNORECASE,
)
MOST_PIECES = 12  # of a message: more are left in the last one

# In probabilities of being understood; chosen on the sample's validation questions and queries, alone (92 % stay whole) and two joined at random (52 % are
# parted). On its messages.jsonl 96 % of the single questions stay whole and 75 % of the others are parted into as many as they hold.
COST, WEAK, ASKING, SHORT = 0.5, 0.3, 0.3, 0.3


@dataclass(frozen=True)
class Understanding:
    """What a piece of a message is taken for.

    meaning: the likeliest intent or entry of the FAQ.
    confidence: the probability of that, 0 to 1.
    """

    meaning: str
    confidence: float


def pieces(message: str) -> list[str]:
    """The smallest pieces that may hold a question, in their order, as they stand in the message."""
    found, start = [], 0
    for cut in _CUTS.finditer(message):
        if len(found) == MOST_PIECES - 1:
            break
        piece = message[start : cut.start()].strip()
        if piece and not _LEAD.sub("", f"{piece} ").strip():  # joining words alone belong to what follows
            continue
        if piece:
            found.append(piece)
        start = cut.end()
    if message[start:].strip():
        found.append(message[start:].strip())
    return found


def questions(message: str, understand: Callable[[Sequence[str]], Sequence[Understanding]]) -> list[str]:
    """The questions of a message, each as it stands in it without the joining words at its beginning; one for a message that is one.

    A question is worth the confidence with which it is understood, and more where it is put as a question; it costs `COST`, and more behind a weak cut
    or where it is one or two words. The division that is worth most is found by dynamic programming; neighbours of the same meaning are one.

    Args:
        understand: what a list of texts means, one for each; asked once.
    """
    parts = pieces(message)
    if len(parts) < 2:
        return [message.strip()]
    places = _places(message, parts)
    spans = [(first, last) for first in range(len(places)) for last in range(first, len(places))]
    texts = [_text(message, places[first][0], places[last][1]) for first, last in spans]
    worth: dict[tuple[int, int], tuple[str, float]] = {}
    for span, text, found in zip(spans, texts, understand(texts), strict=True):
        weak = span[0] > 0 and not _strong(message, places[span[0] - 1][1], places[span[0]][0])
        cost = COST + WEAK * weak + SHORT * (len(text.split()) < 3) - ASKING * bool(_ASKS.search(text))
        worth[span] = (found.meaning, found.confidence - cost)
    chosen = _most_worth(len(places), worth)
    return [_text(message, places[first][0], places[last][1]) for first, last in chosen]


def _most_worth(count: int, worth: dict[tuple[int, int], tuple[str, float]]) -> list[tuple[int, int]]:
    """The division of pieces 0 to `count` - 1 into spans that is worth most, no two neighbours of the same meaning."""
    # best[n]: over the first n pieces, by the last span's meaning: (worth, spans)
    best: list[dict[str | None, tuple[float, list[tuple[int, int]]]]] = [{None: (0.0, [])}]
    for end in range(1, count + 1):
        found: dict[str | None, tuple[float, list[tuple[int, int]]]] = {}
        for first in range(end):
            meaning, value = worth[first, end - 1]
            for before, (total, spans) in best[first].items():
                if before != meaning and (meaning not in found or total + value > found[meaning][0]):
                    found[meaning] = (total + value, [*spans, (first, end - 1)])
        best.append(found)
    return max(best[count].values(), key=lambda each: each[0])[1]


def _text(message: str, start: int, end: int) -> str:
    text = message[start:end].strip()
    return _LEAD.sub("", text).strip() or text


def _strong(message: str, end: int, start: int) -> bool:
    """Whether the cut between a piece that ends and one that starts is a sentence's end, a line break, a list's mark, or a word such as "also"."""
    gap = message[end:start]
    return message[end - 1] in ".!?;…" or bool(re.search(r"\n|\w[.)]|[-*•]", gap)) or bool(_STRONG.match(message, start))


def _places(message: str, parts: Sequence[str]) -> list[tuple[int, int]]:
    """Where each piece begins and ends."""
    places, start = [], 0
    for part in parts:
        begin = message.index(part, start)
        start = begin + len(part)
        places.append((begin, start))
    return places
