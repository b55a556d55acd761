"""Whether two texts are one piece of news, word for word nearly: alike in meaning is not meant.

A company, a number or a "not" that only one of them has makes them two, but for what a house marks as an update of its own text.
"""

from __future__ import annotations

from itertools import pairwise

from apps.finance_sentiment.stream.headline import LIGHT, MOST_WORDS, NAME, NEGATION, NUMBER, Words

# Jaccard similarity of the words and neighbouring pairs of words. Of n words and n with one more it is (2n - 2) / (2n + 2); with one exchanged
# (2n - 4) / (2n + 2).
OTHER_FAMILY = 0.8  # a headline of ten words with one more has 0.82
SAME_FAMILY = 0.5  # a house words its own anew: of six words with one exchanged 0.57, of seven with two more 0.62
NEARLY_ALL, LONG_TEXT = 0.9, 30  # from there a name that is added, or a plain word that is exchanged, is a detail of the same report
# Words with a meaning of their own that two texts have to share at all: "Shares fall" is said of many companies.
FEWEST_OTHER_FAMILY, FEWEST_SAME_FAMILY = 5, 3
_LOOSE = 8  # last words of a text that was cut: an insertion may have pushed them out of the other one


def similarity(one: Words, other: Words) -> float:
    """Jaccard similarity, 0 to 1, of two texts' words and pairs of neighbouring words (shingles; Broder 1997)."""
    shared = every = 0
    for ones, others in ((one.hashes, other.hashes), (pairwise(one.hashes), pairwise(other.hashes))):
        first, second = set(ones), set(others)
        both = len(first & second)
        shared, every = shared + both, every + len(first) + len(second) - both
    return shared / every if every else 1.0


def same_news(one: Words, other: Words, same_family: bool) -> float:
    """The similarity of two texts that are one piece of news; 0 where they are two.

    Args:
        same_family: whether one house published both.
    """
    alike = similarity(one, other)
    if alike < (SAME_FAMILY if same_family else OTHER_FAMILY):
        return 0.0
    ones, others = set(one.hashes), set(other.hashes)
    shared = {word for word, kind in zip(one.hashes, one.kinds, strict=True) if kind != LIGHT and word in others}
    if len(shared) < (FEWEST_SAME_FAMILY if same_family else FEWEST_OTHER_FAMILY) and not (same_family and alike == 1.0):
        return 0.0
    extra, missing = _only(one, others), _only(other, ones)
    if same_family and (one.update or other.update):
        return alike if _same_subject(one, other, extra, missing) else 0.0
    either = extra | missing
    if NUMBER in either or NEGATION in either:
        return 0.0
    nearly_all = alike >= NEARLY_ALL and min(len(one.hashes), len(other.hashes)) >= LONG_TEXT
    exchanged = bool(extra and missing)
    if NAME in either and (exchanged or not nearly_all):
        return 0.0
    return 0.0 if exchanged and not nearly_all else alike


def _only(words: Words, others: set[int]) -> set[int]:
    """The kinds, but light, of words that the other text does not have."""
    sure = len(words.kinds) - (_LOOSE if len(words.kinds) == MOST_WORDS else 0)
    return {kind for word, kind in zip(words.hashes[:sure], words.kinds, strict=False) if word not in others} - {LIGHT}


def _same_subject(one: Words, other: Words, extra: set[int], missing: set[int]) -> bool:
    """Whether an update is one of this text: no name was exchanged, or, where names cannot be told, both begin with the same word."""
    if one.cased and other.cased:
        return not (NAME in extra and NAME in missing)
    return _first(one) == _first(other)


def _first(words: Words) -> int | None:
    """The first word that is not said in passing."""
    return next((word for word, kind in zip(words.hashes, words.kinds, strict=True) if kind != LIGHT), None)
