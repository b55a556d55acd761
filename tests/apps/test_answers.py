"""Answers with slots: the best variant for what the customer's words tell, and clear errors for a file that does not hold together."""

import csv
import dataclasses
from pathlib import Path

import pytest

from apps.customer_service.answers import placeholders, read_answers
from tfarch.errors import InputError

SAMPLE = Path(__file__).parents[2] / "apps/customer_service/data"

BOOK = r"""
constants: {phone: "123", days: 5}
slots:
  order: {means: your order number, pattern: '\bLK ?(\d{6})\b'}
  day: {means: the day, values: {Monday: [monday, mon], Tuesday: [tuesday, tue]}}
  thing: {means: the thing, pattern: 'routers?|hubs?'}
answers:
  tracking:
    - "LK{order} comes on {day}."
    - "LK{order} comes in {days} days."
    - "Ring {phone} {{now}}."
  plain: ["Nothing to fill."]
"""


@pytest.fixture
def book(tmp_path):
    (tmp_path / "answers.yaml").write_text(BOOK, encoding="utf-8")
    return read_answers(tmp_path / "answers.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("where is lk 123456", {"order": "123456"}),
        ("LK1234567", {}),
        ("not tue, MON please", {"day": "Tuesday"}),
        ("monday's parcel lk654321", {"day": "Monday", "order": "654321"}),
        ("monitor", {}),
        ("my Routers", {"thing": "Routers"}),
    ],
)
def test_slots_are_found_as_whole_words_whatever_the_case_and_the_first_one_counts(book, text, expected):
    assert book.values(text) == expected


@pytest.mark.parametrize(
    ("values", "text", "used"),
    [
        ({}, "Ring 123 {now}.", {}),
        ({"day": "Monday"}, "Ring 123 {now}.", {}),
        ({"order": "1"}, "LK1 comes in 5 days.", {"order": "1"}),
        ({"order": "1", "day": "Monday", "thing": "hub"}, "LK1 comes on Monday.", {"order": "1", "day": "Monday"}),
    ],
)
def test_the_variant_with_the_most_slots_that_can_be_filled_answers(book, values, text, used):
    answer = book.answer("tracking", values)
    assert (answer.text, answer.slots) == (text, used)


def test_equal_variants_take_turns(book):
    book = dataclasses.replace(book, answers={"plain": ("One.", "Two.", "LK{order}.")})
    assert [book.answer("plain", {}, turn).text for turn in range(3)] == ["One.", "Two.", "One."]
    assert book.answer("plain", {"order": "1"}, 1).text == "LK1."


def test_a_longer_word_counts_before_a_shorter_one_at_its_beginning(tmp_path):
    words = BOOK.replace("[monday, mon]", "[new]").replace("[tuesday, tue]", "[new year]")
    (tmp_path / "answers.yaml").write_text(words, encoding="utf-8")
    assert read_answers(tmp_path / "answers.yaml").values("a new year")["day"] == "Tuesday"


def test_a_value_with_braces_is_no_placeholder(book):
    assert book.answer("tracking", {"order": "{phone}"}).text == "LK{phone} comes in 5 days."


def test_an_intent_without_answers_has_none(book):
    assert book.answer("unheard of", {}) is None


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("{day}.", "{dya}.", 9, r"\{dya\} is neither a slot nor a constant \(known: day, days, order, phone, thing\)"),
        ('["Nothing to fill."]', '["To {day}."]', 12, "the last variant answers where no slot is filled, and so can have none"),
        ('["Nothing to fill."]', "[]", 12, r"expected a list of answers, found \[\]"),
        ('["Nothing to fill."]', "[{a: b}]", 12, "expected a text, found"),
        ("{{now}}", "{now", 11, "expected '}' before end of string"),
        ("{{now}}", "{}", 11, r"\{\} is no name"),
        ("{{now}}", "{phone!r}", 11, r"\{phone\} is no name"),
        ("routers?|hubs?", "routers?|(hubs?", 6, "is no regular expression: missing \\)"),
        ("pattern: 'routers?|hubs?'", "patern: x", 6, "expected means, and either pattern or values"),
        ("means: the thing,", "means: the thing, more: 1,", 6, "is no setting of a slot"),
        ("[monday, mon]", "monday", 5, "expected a list of words, found 'monday'"),
        ("  thing:", "  phone:", 6, r"a constant has this name too \(rename one\)"),
        ("  thing:", "  a-thing:", 6, "is no name: letters, digits and underscores only"),
        ("days: 5", "days: [5]", 2, r"expected a text, found \[5\]"),
        ("answers:", "answer:", 7, "unknown section 'answer'; known: answers, constants, slots"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(tmp_path, old, new, line, message):
    assert BOOK.count(old) == 1
    file = tmp_path / "answers.yaml"
    file.write_text(BOOK.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=message) as raised:
        read_answers(file)
    assert str(raised.value).startswith(f"{file}, line {line}: ")


def test_placeholders_are_named_once_in_their_order():
    assert placeholders("{b} and {a} and {b}, {{c}}") == ["b", "a"]


def test_the_sample_answers_every_intent_and_uses_every_slot_and_constant():
    book = read_answers(SAMPLE / "answers.yaml")
    with open(SAMPLE / "train.csv", encoding="utf-8", newline="") as rows:
        assert set(book.answers) == {row["label"] for row in csv.DictReader(rows)}
    named = {name for variants in book.answers.values() for variant in variants for name in placeholders(variant)}
    assert named == {*book.slots, *book.constants}
    everything = {name: f"<{name}>" for name in book.slots}
    for intent in book.answers:
        assert "{" not in book.answer(intent, {}).text
        assert book.answer(intent, everything).text


def test_the_sample_s_slots_are_filled_by_real_messages():
    book = read_answers(SAMPLE / "answers.yaml")
    with open(SAMPLE / "train.csv", encoding="utf-8", newline="") as rows:
        found = [book.values(row["text"]) for row in csv.DictReader(rows)]
    filled = sum(bool(each) for each in found)
    assert filled > len(found) / 4
    assert {name for each in found for name in each} >= {"amount", "device", "gigabytes", "service"}
