"""An item is read from whatever JSON a stream holds, or it is said in a few words why it cannot be used."""

import datetime
import json

import pytest

from apps.finance_sentiment.stream.item import MOST_CHARACTERS, MOST_ID, Item, MalformedItem, parse_item
from tfarch.data.moments import iso_time

WHOLE = {"id": "a1", "time": "2026-03-01T09:30:00Z", "text": "Volvo cuts jobs", "publisher": "Wire"}
MOMENT = datetime.datetime(2026, 3, 1, 9, 30, tzinfo=datetime.UTC).timestamp()


def without(name, **more):
    return {key: value for key, value in WHOLE.items() if key != name} | more


@pytest.mark.parametrize("given", [WHOLE, json.dumps(WHOLE), json.dumps(WHOLE).encode(), b"\xef\xbb\xbf" + json.dumps(WHOLE).encode()])
def test_an_object_a_line_and_bytes_even_with_a_byte_order_mark_are_one_item(given):
    assert parse_item(given) == Item("a1", MOMENT, "Volvo cuts jobs", "Wire")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-03-01T09:30:00Z", MOMENT),
        ("2026-03-01T09:30:00", MOMENT),
        ("2026-03-01 11:30:00+02:00", MOMENT),
        (" 2026-03-01T09:30:00.250Z ", MOMENT + 0.25),
        ("2026-03-01", MOMENT - 9.5 * 3600),
        (MOMENT, MOMENT),
        (int(MOMENT), MOMENT),
        (0, 0.0),
    ],
)
def test_a_time_is_iso_8601_in_utc_unless_it_says_otherwise_or_seconds(time, expected):
    assert parse_item(without("time", time=time)).time == expected


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\xff\xfe", "not UTF-8 (byte 0)"),
        (b"", "not JSON"),
        ("{", "not JSON"),
        ('{"text": "a"} x', "not JSON: Extra data"),
        ("[" * 100_000, "nested too deeply"),
        (f'{{"id": {"9" * 5000}}}', "thousands of digits"),
        ("[1]", "a JSON list, not an object"),
        ("null", "a JSON NoneType, not an object"),
        (without("text"), "lacks text"),
        (without("text", text=3), "text is int, not text"),
        (without("text", text=" \n"), "empty text"),
        (without("text", text="x" * (MOST_CHARACTERS + 1)), "a text of 200,001 characters"),
        (json.dumps(without("text", text="half \ud83d")), "text holds half of a surrogate pair"),
        (without("time"), "lacks time"),
        (without("time", time=True), "time is bool"),
        (without("time", time="soon"), "time 'soon' is not ISO 8601"),
        (without("time", time=[1]), "time is list"),
        (without("time", time=1_772_357_400_000), "time 1772357400000 lies outside 1970 to 2200"),
        (without("time", time=10**5000), "time of many digits lies outside"),
        (without("time", time=float("nan")), "lies outside"),
        (without("time", time="1969-12-31T23:59:59Z"), "time '1969-12-31T23:59:59Z' lies outside"),
        (without("time", time="0001-01-01T00:00:00+14:00"), "time"),
        (without("id", id=["a"]), "id is list, not text"),
        (without("id", id=True), "id is bool, not text"),
        ('{"id": NaN, "time": 1, "text": "a"}', "id is no finite number"),
        (without("id", id=10**5000), "id is no finite number"),
        (without("publisher", publisher={}), "publisher is dict, not text"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(line, reason):
    with pytest.raises(MalformedItem) as refusal:
        parse_item(line)
    assert reason in str(refusal.value)


def test_an_item_without_an_id_has_one_that_depends_on_what_it_says_alone():
    name = parse_item(without("id")).id
    assert name == parse_item(without("id", id=None)).id == parse_item(without("id", id=" ")).id == parse_item(without("id", extra=1)).id
    others = [parse_item(without("id", **{key: value})).id for key, value in (("text", "b"), ("time", 1), ("publisher", "Post"))]
    assert len({name, *others}) == 4


def test_a_number_may_be_an_id():
    assert parse_item(without("id", id=17)).id == "17"


def test_two_long_ids_that_differ_at_their_ends_are_two():
    first, second = (parse_item(without("id", id="https://a.example/" + "x" * 600 + end)).id for end in "12")
    assert first != second
    assert len(first) == len(second) == MOST_ID


def test_a_publisher_may_be_missing():
    assert parse_item(without("publisher")).publisher == parse_item(without("publisher", publisher=None)).publisher == ""


def test_the_time_of_an_item_is_written_as_it_was_read():
    assert iso_time(parse_item(WHOLE).time) == WHOLE["time"]
