"""The normal form of a text: what remains when case, spacing and punctuation are folded away.

Two texts with one normal form are the same question to a reader. The split keeps them in one part, and the checks count them as repeated.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


class _Folding(dict):
    """A table for `str.translate` that fills itself: apostrophes vanish; other punctuation, spaces, control characters become a space."""

    def __missing__(self, code: int) -> int | str:
        character, category = chr(code), unicodedata.category(chr(code))
        # Symbols (currency, plus, emoji) and combining marks stay: they tell "£5" from "$5", and one Hindi or Thai word from another.
        folded = "" if character in "'\u2019" else " " if category[0] in "PZ" or category in ("Cc", "Cf") else code
        self[code] = folded
        return folded


_FOLDING = _Folding()


def normal_form(text: str) -> str:
    """`text` in lower case, NFKC, with apostrophes removed and every other run of punctuation and white space as one space.

    A text of nothing but punctuation keeps it, so that "?" and "!" stay apart.

    >>> normal_form("What's  my BALANCE?!")
    'whats my balance'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.casefold()
    return " ".join(text.translate(_FOLDING).split()) or "".join(text.split())


def same_question(texts: Iterable[str]) -> list[int]:
    """A number for each text that it shares with those of the same normal form.

    >>> same_question(["My card?", "a refund", "my  card"])
    [0, 1, 0]
    """
    numbers: dict[str, int] = {}
    return [numbers.setdefault(normal_form(text), len(numbers)) for text in texts]
