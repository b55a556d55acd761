"""Texts made of other texts, of which a teacher says what they are: it knows more than it says of the training texts alone (Jiao et al. 2020 replace words for this).

A made text need not make sense, nor mean what the one that it was made of means: it only shows the teacher's answer at one more place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfarch.evaluation.typos import with_typo

LEAST, MOST = 0.1, 0.3  # share of a text's words that go, half of them for another word


def varied_texts(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """`count` texts for each, in one of three ways by chance: some words left out and others in the place of some; the beginning of the text and the end of another; two typos.

    Each stands once, none of `texts`; those of a part that is all one word may be fewer. Those of a smaller count are the first of them.
    """
    rng = np.random.default_rng(seed)
    split = [words for text in texts if (words := text.split())]
    every = [word for words in split for word in words]
    made = dict.fromkeys(_varied(words, split, every, rng) for _ in range(count) for words in split)
    known = {"", *(" ".join(words) for words in split)}
    return [text for text in made if text not in known]


def _varied(words: Sequence[str], split: Sequence[Sequence[str]], every: Sequence[str], rng: np.random.Generator) -> str:
    way = rng.integers(3)
    if way == 0:
        gone, chances, others = rng.uniform(LEAST, MOST), rng.random(len(words)), rng.integers(len(every), size=len(words))
        kept = [
            (word, chance < gone, every[other]) for word, chance, other in zip(words, chances, others, strict=True) if chance >= gone / 2
        ]
        return " ".join(other if replaced else word for word, replaced, other in kept)
    if way == 1:
        end = split[rng.integers(len(split))]
        return " ".join([*words[: rng.integers(1, len(words) + 1)], *end[rng.integers(len(end) + 1) :]])
    return with_typo(with_typo(" ".join(words), rng), rng)
