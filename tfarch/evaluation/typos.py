"""Texts with a slip of the finger, to see what a model makes of them."""

from __future__ import annotations

import re

import numpy as np

_WORD = re.compile(r"[^\W\d_]{4,}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {letter: (row[max(0, at - 1) : at] + row[at + 1 : at + 2]) for row in _ROWS for at, letter in enumerate(row)}


def with_typo(text: str, rng: np.random.Generator) -> str:
    """The text with one slip in one word of four letters or more: two letters swapped, one left out, doubled, or hit beside its key on an English keyboard.

    A text without such a word stays as it is.
    """
    words = list(_WORD.finditer(text))
    if not words:
        return text
    begin, end = words[rng.integers(len(words))].span()
    at = int(rng.integers(begin + 1, end - 1))  # first letters are seldom missed
    kind = rng.choice(["swapped", "left out", "doubled", "beside"])
    letter, after = text[at], text[at + 1]
    if kind == "swapped" and letter != after:
        return text[:at] + after + letter + text[at + 2 :]
    if kind == "doubled":
        return text[:at] + letter + text[at:]
    beside = _BESIDE.get(letter.lower(), "")
    if kind == "beside" and beside:
        return text[:at] + beside[rng.integers(len(beside))] + text[at + 1 :]
    return text[:at] + text[at + 1 :]
