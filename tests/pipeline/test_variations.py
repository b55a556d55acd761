"""Texts made of others: so many of each, none of them known, all of these words but for typos."""

import difflib

from tfarch.pipeline.variations import varied_texts

TEXTS = [f"where is the parcel that was sent to me on day {number} of the month" for number in range(40)] + [
    "help",
    "",
    "lost my card again",
]


def test_there_are_about_so_many_of_each_and_the_same_for_the_same_seed():
    made = varied_texts(TEXTS, 3, seed=1)
    assert 3 * 38 < len(made) <= 3 * 42
    assert len(set(made)) == len(made)
    assert not set(made) & set(TEXTS)
    assert made == varied_texts(TEXTS, 3, seed=1) != varied_texts(TEXTS, 3, seed=2)
    assert varied_texts(TEXTS, 0, seed=1) == []
    more = varied_texts(TEXTS, 5, seed=1)
    assert more[: len(made)] == made
    assert len(more) > len(made)


def test_each_way_of_making_one_occurs():
    words, ways = {word for text in TEXTS for word in text.split()}, set()
    for text in varied_texts(TEXTS, 5, seed=0):
        own = text.split()
        if set(own) - words:
            ways.add("typo")
            near = max(difflib.SequenceMatcher(None, text, other).ratio() for other in TEXTS)
            assert near > 0.7
        elif any(
            text.startswith(f"{begin} ") and text.endswith(f" {end}") for begin in ("where is", "help") for end in ("card again", "help")
        ):
            ways.add("joined")
        elif len(own) < 13:
            ways.add("left out")
    assert ways == {"typo", "joined", "left out"}
