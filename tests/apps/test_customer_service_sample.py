"""The embedded sample is what its README says: enough of everything, in its right place, and each message a person's own words."""

from collections import Counter, defaultdict

import pytest

from apps.customer_service.app import APP
from tests.sample_texts import closest, openings, rows_of, words
from tfarch.config import DataConfig
from tfarch.data import check, load_dataset
from tfarch.data.normal_form import normal_form

PARTS = ("train", "valid", "test")

# Two messages that fill one template share most of their word pairs: "I want to cancel my order" and "I want to cancel my booking" four of six
# (0.67). The closest two messages here that were written apart share 0.35 ("got the pac from my old network, where do i put it").
MOST_ALIKE = 0.4
# English begins many questions with "how do i" (19 rows of 1,487); a template would give its opening to far more of one intent's 29 or 30 rows.
MOST_OPENINGS, MOST_OPENINGS_OF_AN_INTENT = 25, 4


@pytest.fixture(scope="module")
def rows():
    """(part, text, label) of every row."""
    return rows_of(APP.sample, PARTS, "text", "label")


def test_there_are_forty_intents_with_twenty_five_messages_or_more(rows):
    counts = Counter(label for _, _, label in rows if label != "oos")
    assert len(counts) >= 40
    assert min(counts.values()) >= 25


def test_every_intent_is_in_every_part(rows):
    per_part = {part: {label for where, _, label in rows if where == part} - {"oos"} for part in PARTS}
    assert per_part["train"] == per_part["valid"] == per_part["test"]


def test_there_are_150_messages_out_of_scope_and_training_sees_none(rows):
    counts = Counter(part for part, _, label in rows if label == "oos")
    assert counts.total() >= 150
    assert counts["train"] == 0
    assert min(counts["valid"], counts["test"]) >= 50


def test_no_text_stands_twice(rows):
    forms = Counter(normal_form(text) for _, text, _ in rows)
    assert [form for form, count in forms.items() if count > 1] == []


def test_no_two_messages_are_nearly_the_same(rows):
    likeness, one, other = closest([text for _, text, _ in rows])
    assert likeness < MOST_ALIKE, (one, other)


def test_the_bound_tells_a_template():
    assert closest(["I want to cancel my order", "I want to cancel my booking", "hello there"])[0] > MOST_ALIKE


def test_no_opening_of_three_words_is_a_template(rows):
    opening, count = openings([text for _, text, _ in rows], 3).most_common(1)[0]
    assert count <= MOST_OPENINGS, opening


def test_no_intent_repeats_an_opening_of_two_words(rows):
    texts = defaultdict(list)
    for _, text, label in rows:
        texts[label].append(text)
    del texts["oos"]
    repeated = {label: openings(each, 2).most_common(1)[0] for label, each in texts.items()}
    assert {label: found for label, found in repeated.items() if found[1] > MOST_OPENINGS_OF_AN_INTENT} == {}


def test_messages_are_short_and_long_plain_and_shouted(rows):
    lengths = sorted(len(words(text)) for _, text, _ in rows)
    assert lengths[len(lengths) // 10] <= 7
    assert lengths[-len(lengths) // 10] >= 18
    assert sum(text == text.lower() for _, text, _ in rows) > len(rows) // 5
    assert any(word.isupper() and len(word) > 3 for _, text, _ in rows for word in text.split())


def test_the_checks_complain_of_nothing():
    data = DataConfig()
    assert [finding.message for finding in check(load_dataset(str(APP.sample), data, seed=0), data) if finding.severity != "note"] == []


def test_the_licence_stands_beside_it():
    assert f"Licence: {APP.sample_licence}" in (APP.sample / "README.md").read_text(encoding="utf-8")
