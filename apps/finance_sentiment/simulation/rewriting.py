"""One text as another piece of news: other companies, tickers and numbers, the same meaning.

A row of the sample stands for many stories of the same kind. What cannot be changed safely is left alone.
"""

from __future__ import annotations

import re

import numpy as np

from apps.finance_sentiment.simulation.names import company_names, new_name, new_ticker, rename
from apps.finance_sentiment.simulation.numbers import rescale

_TICKER = re.compile(r"(?<![\w$])\$(?P<letters>[A-Z]{3,6})\b")
_WORD = re.compile(r"[^\W\d_]+")
_FACTORS = ((0.75, 0.92), (1.09, 1.3))  # what numbers are multiplied by: enough to read as other ones
_TRIES = 6


def vary(text: str, rng: np.random.Generator) -> str:
    """The text with its companies renamed, its tickers replaced and its numbers multiplied, as far as that is safe."""
    names = company_names(text)
    text = _other_numbers(text, rng)
    staying = [word.lower() for word in _WORD.findall(_TICKER.sub(" ", text)) if word.lower() not in names]
    tickers = dict.fromkeys(match["letters"] for match in _TICKER.finditer(text))
    replaced = {ticker: new_ticker(rng) for ticker in tickers if not any(_abbreviates(ticker, word) for word in staying)}
    text = rename(text, {name: new_name(rng) for name in names})
    return _TICKER.sub(lambda match: f"${replaced.get(match['letters'], match['letters'])}", text)


def corrected(text: str, rng: np.random.Generator) -> str | None:
    """The text with numbers a little off what they were, as a correction brings them; None where they have to stay."""
    for _ in range(_TRIES):
        changed = rescale(text, float(rng.uniform(0.93, 1.07)))
        if changed is not None:
            return changed
    return None


def _other_numbers(text: str, rng: np.random.Generator) -> str:
    for _ in range(_TRIES):
        low, high = _FACTORS[int(rng.integers(len(_FACTORS)))]
        changed = rescale(text, float(rng.uniform(low, high)))
        if changed is not None:
            return changed
    return text


def _abbreviates(ticker: str, word: str) -> bool:
    """Whether a ticker may stand for a word: it begins as the word does, whose letters hold its first three in their order."""
    letters = iter(word)
    return word[0] == ticker[0].lower() and all(letter in letters for letter in ticker[:3].lower())
