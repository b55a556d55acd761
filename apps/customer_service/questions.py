"""A message taken apart into its questions: "where is my parcel and can I have a static ip" holds two.

The message is cut where a sentence ends, at line breaks, list marks and joining words; then neighbouring pieces are put together again, the pair first that
loses least, as long as the whole is understood better than its parts. What a piece is worth is said by whoever understands it (`Understanding`).
"""

from __future__ import annotations

import itertools
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
MOST_PIECES = 16  # of a message: more are left in the last one


@dataclass(frozen=True)
class Understanding:
    """What a piece of a message is taken for.

    meaning: the intent, the FAQ's entry, or None where it is not understood.
    confidence: the probability of that, 0 to 1.
    """

    meaning: str | None
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


def questions(message: str, understand: Callable[[Sequence[str]], Sequence[Understanding]], *, gain: float = 0.0) -> list[str]:
    """The questions of a message, each as it stands in it without the joining words at its beginning; one for a message that is one.

    Neighbours become one where they mean the same, where one of them is not understood, or where together they are understood
    better than the weaker of them alone.

    Args:
        understand: what a list of texts means, one for each.
        gain: how much better than alone, in probability, two pieces must be understood as two questions to stay apart.
    """
    parts = pieces(message)
    if len(parts) < 2:
        return [message.strip()]
    spans = _spans(message, parts)
    known: dict[tuple[int, int], Understanding] = {}

    def text(span: tuple[int, int]) -> str:
        return _LEAD.sub("", message[span[0] : span[1]]).strip() or message[span[0] : span[1]].strip()

    def learn(wanted: Sequence[tuple[int, int]]) -> None:
        new = [span for span in dict.fromkeys(wanted) if span not in known]
        known.update(zip(new, understand([text(span) for span in new]), strict=True) if new else ())

    while len(spans) > 1:
        joined = [(left[0], right[1]) for left, right in itertools.pairwise(spans)]
        learn([*spans, *joined])
        losses = [_loss(known[left], known[right], known[both]) for left, right, both in zip(spans[:-1], spans[1:], joined, strict=True)]
        least = min(range(len(losses)), key=losses.__getitem__)
        if losses[least] > gain:
            break
        spans[least : least + 2] = [joined[least]]
    return [text(span) for span in spans]


def _loss(left: Understanding, right: Understanding, both: Understanding) -> float:
    """What is lost where two neighbours are taken for one question: below 0 where they belong together."""
    if left.meaning is None or right.meaning is None or left.meaning == right.meaning:
        return -1.0
    weaker = min(left.confidence, right.confidence)
    return weaker - both.confidence


def _spans(message: str, parts: Sequence[str]) -> list[tuple[int, int]]:
    spans, start = [], 0
    for part in parts:
        begin = message.index(part, start)
        spans.append((begin, begin + len(part)))
        start = begin + len(part)
    return spans
