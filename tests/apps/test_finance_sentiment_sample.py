"""The embedded sample is what its README says: every topic and sentiment in every part, and each text a person's own words."""

import re
from collections import Counter, defaultdict

import pytest

from apps.finance_sentiment.app import APP
from tests.sample_texts import closest, openings, rows_of, words
from tfarch.data.normal_form import normal_form

ROWS_OF_A_CELL = {"train": 20, "valid": 4, "test": 8}  # of each topic and sentiment
SENTIMENTS = {"negative", "neutral", "positive"}

# The closest two share 0.27 of their word pairs: "five things to know about" and "five things to know before".
MOST_ALIKE = 0.3
MOST_OPENINGS, MOST_OPENINGS_OF_A_CELL = 5, 3


@pytest.fixture(scope="module")
def rows():
    """(part, text, sentiment, topic) of every row."""
    return rows_of(APP.sample, ROWS_OF_A_CELL, "text", "sentiment", "topic")


def texts(rows):
    return [text for _, text, _, _ in rows]


def test_every_topic_has_as_many_texts_of_each_sentiment_in_every_part(rows):
    counts = Counter((part, sentiment, topic) for part, _, sentiment, topic in rows)
    topics = {topic for _, _, _, topic in rows}
    assert len(topics) == 12
    assert counts == {
        (part, sentiment, topic): count for part, count in ROWS_OF_A_CELL.items() for sentiment in SENTIMENTS for topic in topics
    }


def test_the_topics_are_those_of_the_readme(rows):
    told = re.findall(r"^\| `(\w+)` \|", (APP.sample / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(told) == sorted({topic for _, _, _, topic in rows})


def test_no_text_stands_twice(rows):
    assert [form for form, count in Counter(map(normal_form, texts(rows))).items() if count > 1] == []


def test_no_two_texts_are_nearly_the_same(rows):
    likeness, one, other = closest(texts(rows))
    assert likeness < MOST_ALIKE, (one, other)


def test_no_opening_is_a_template(rows):
    opening, count = openings(texts(rows), 3).most_common(1)[0]
    assert count <= MOST_OPENINGS, opening
    cells = defaultdict(list)
    for _, text, sentiment, topic in rows:
        cells[sentiment, topic].append(text)
    repeated = {cell: openings(each, 2).most_common(1)[0] for cell, each in cells.items()}
    assert {cell: found for cell, found in repeated.items() if found[1] > MOST_OPENINGS_OF_A_CELL} == {}


def test_texts_are_short_and_long_and_of_many_voices(rows):
    lengths = sorted(len(words(text)) for text in texts(rows))
    assert lengths[len(lengths) // 10] <= 9
    assert lengths[-len(lengths) // 10] >= 22
    flashes = sum(text == text.upper() for text in texts(rows))
    posts = sum(text[0].islower() or ("$" in text and text.lower() == text) for text in texts(rows))
    assert flashes > len(rows) // 15
    assert posts > len(rows) // 15


def test_no_ticker_or_cashtag_is_used_again_and_again(rows):
    tickers = Counter(ticker for text in texts(rows) for ticker in set(re.findall(r"\$[A-Z]{3,6}\b", text)))
    assert len(tickers) > 100
    assert max(tickers.values()) <= 3


def test_the_licence_stands_beside_it():
    assert "Licence: Apache-2.0" in (APP.sample / "README.md").read_text(encoding="utf-8")
