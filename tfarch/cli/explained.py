"""An explanation for people: the text with the words marked that moved the answer, their figures, the scope score, and the nearest training rows.

Marks and figures say all without colour; colour is added on a terminal, unless NO_COLOR is set (no-color.org).
"""

from __future__ import annotations

import os
import sys

from tfarch.evaluation.markup import UNPRINTABLE
from tfarch.runtime.explanation import Explanation, Word

_BAR = 12  # characters of the longest bar
_MOST = 80  # characters of a training row
_FOR, _AGAINST, _FAINT, _PLAIN = "\033[32m", "\033[31m", "\033[2m", "\033[0m"


def colours() -> bool:
    """Whether standard output is a terminal that may be coloured."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def shown(explanation: Explanation, *, colour: bool) -> str:
    """The lines below a prediction, indented by four."""
    moving = explanation.moving()
    lines = [marked(explanation, moving, colour)] if explanation.words else ["(no words)"]
    if explanation.scope is not None:
        lines.append(_scope(explanation))
    if moving:
        lines.append(_head(explanation))
        width = max(len(_clean(word.text)) for word in moving)
        largest = max(abs(explanation.moved(word)) for word in moving)
        lines += [_figure(word.text, explanation.moved(word), width, largest, colour) for word in moving]
    if explanation.completeness is not None:
        sums = explanation.completeness
        kept = "within" if sums.holds else "NOT within"
        lines.append(
            f"all words sum to {sums.total:+.3f}, the difference to a text of nothing but [PAD] is {sums.difference:+.3f}: {kept} "
            f"{sums.tolerance:.3f} ({sums.steps} steps)"
        )
    if explanation.nearest:
        lines.append("nearest training rows, by cosine:")
        names = max(len(row.label) for row in explanation.nearest)
        lines += [f"  {row.cosine:.3f}  {row.label:<{names}}  {_short(row.text)}" for row in explanation.nearest]
    lines += [_painted(f"note: {note}", _FAINT, colour) for note in explanation.notes]
    return "".join(f"    {line}\n" for line in lines)


def marked(explanation: Explanation, moving: tuple[Word, ...], colour: bool) -> str:
    """The text as far as it was read, on one line, with the words of `moving` in brackets: [+word] raised what is explained, [-word] lowered it."""
    text, parts, at = explanation.prediction.text, [], 0
    for word in sorted(moving, key=lambda word: word.start):
        up = explanation.moved(word) > 0
        parts.append(_clean(text[at : word.start]))
        parts.append(_painted(f"[{'+' if up else '-'}{_clean(word.text)}]", _FOR if up else _AGAINST, colour))
        at = word.end
    read = explanation.words[-1].end if explanation.words else 0
    if not text[read:].strip() or len(text) - read <= 1:
        read = len(text)
    parts.append(_clean(text[at:read]) + ("…" if read < len(text) else ""))
    return "".join(parts)


def _head(explanation: Explanation) -> str:
    """What the figures below it are."""
    if explanation.by_scope:
        return "what each word does to that score (below 0: it takes the text out of scope):"
    how = "when it is left out" if explanation.method == "occlusion" else "against [PAD] in its place"
    return f"what each word adds to the log-odds of {explanation.label}, {how}:"


def _scope(explanation: Explanation) -> str:
    scope, out = explanation.scope, explanation.prediction.out_of_scope
    where = "below the threshold" if out else "not below the threshold"
    verdict = "out of scope" if out else "in scope"
    return f"{verdict}: its score by {scope.method} is {scope.score:.3f}, {where} {scope.threshold:.3f}"


def _figure(text: str, value: float, width: int, largest: float, colour: bool) -> str:
    bar = ("+" if value > 0 else "-") * max(1, round(_BAR * abs(value) / largest))
    return f"  {_clean(text):<{width}}  {value:+7.2f}  " + _painted(bar, _FOR if value > 0 else _AGAINST, colour)


def _short(text: str) -> str:
    text = " ".join(_clean(text).split())
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def _clean(text: str) -> str:
    """Text on one line, without what would steer a terminal."""
    return "".join(" " if character.isspace() else character for character in text).translate(UNPRINTABLE)


def _painted(text: str, colour: str, wanted: bool) -> str:
    return f"{colour}{text}{_PLAIN}" if wanted else text
