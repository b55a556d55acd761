"""Records come from standard input to its end."""

import os

import pytest

from apps.finance_sentiment.stream.standard_input import StandardInput
from tests.tiny_sources import line, lines, texts

pytestmark = pytest.mark.usefixtures("quick_looks")


def test_standard_input_is_read_to_its_end_and_says_that_it_cannot_be_read_again(once, said):
    reader, writer = os.pipe()
    with open(reader, "rb") as stream:
        records = StandardInput(once, stream).read()
        os.write(writer, lines("a") + b"\nrubbish\n" + line("b").encode()[:5])
        first, second = next(records), next(records)
        assert next(records) is None
        os.write(writer, line("b").strip().encode()[5:])
        os.close(writer)
        third = next(record for record in records if record)
        assert list(records) == []
    assert texts([first, third]) == ["a", "b"]
    assert second.content == b"rubbish"
    assert [record.place for record in (first, second, third)] == [f"standard input, line {number}" for number in (1, 3, 4)]
    assert {record.position for record in (first, second, third)} == {None}
    assert len(said) == 1
    assert "cannot be read a second time" in said[0]


def test_standard_input_ends_when_it_is_closed_though_nothing_comes(once):
    reader, writer = os.pipe()
    with open(reader, "rb") as stream:
        source = StandardInput(once, stream)
        records = source.read()
        assert next(records) is None
        source.close()
        assert list(records) == []
    os.close(writer)
