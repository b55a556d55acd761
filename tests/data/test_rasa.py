"""Rasa's NLU files: every example a row with its line, marks of entities taken off."""

import pytest

from tfarch.config import DataConfig
from tfarch.data.rasa import read_rasa
from tfarch.data.sources import load_dataset
from tfarch.errors import InputError

NLU = """\
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi there
    - good [morning](time)!

    - you [two]{"entity": "number", "value": "2"} - hello
- synonym: broadband
  examples: |
    - internet
- intent: faq/static_ip
  examples:
    - text: |
        can I have a static [IP](thing)
    - text: 'a fixed [address][{"entity": "a"}, {"entity": "b"}]'
      metadata: {sentiment: neutral}
    - plain text
- regex: number
  examples: |
    - \\d+
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "nlu.yml").write_text(text, encoding="utf-8")
        return tmp_path / "nlu.yml"

    return write


def test_every_example_is_a_row_with_its_line(file):
    table = read_rasa(file(NLU), DataConfig()).table
    assert list(zip(table.lines, table.texts, table.labels, strict=True)) == [
        (5, "hi there", "greet"),
        (6, "good morning!", "greet"),
        (8, "you two - hello", "greet"),
        (14, "can I have a static IP", "faq/static_ip"),
        (16, "a fixed address", "faq/static_ip"),
        (18, "plain text", "faq/static_ip"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nlu: [", r"nlu\.yml, line 1: not YAML"),
        ("stories: []", "it has no list named nlu"),
        ("", "it has no list named nlu"),
        ("nlu: []", "it has no rows"),
        ("nlu:\n- intent: a\n", "none of its 1 rows can be used; this one: an intent without examples"),
        ("nlu:\n- intent: a\n  examples:\n  - text: [1]\n", "empty text"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(file, text, message):
    with pytest.raises(InputError, match=message):
        read_rasa(file(text), DataConfig())


def test_bytes_that_are_not_utf8_are_told(tmp_path):
    (tmp_path / "nlu.yml").write_bytes(b"nlu: \xff")
    with pytest.raises(InputError, match=r"not UTF-8 \(byte 5\)"):
        read_rasa(tmp_path / "nlu.yml", DataConfig())


def test_a_bad_example_is_skipped_and_reported_or_stops_a_strict_run(file):
    path = file("nlu:\n- intent: a\n  examples: |\n    - one\n    -\n    - two\n")
    reading = read_rasa(path, DataConfig())
    assert reading.table.texts == ("one", "two")
    assert [(row.line, row.reason) for row in reading.bad_rows] == [(5, "empty text")]
    with pytest.raises(InputError, match=r"nlu\.yml, line 5: empty text"):
        read_rasa(path, DataConfig(strict=True))


def test_a_rasa_file_is_a_data_set_by_itself_or_as_a_part_of_a_folder(tmp_path):
    body = "nlu:\n" + "".join(
        f"- intent: {label}\n  examples: |\n" + "".join(f"    - {label} example {number}\n" for number in range(10)) for label in ("a", "b")
    )
    (tmp_path / "train.yaml").write_text(body, encoding="utf-8")
    for place in (tmp_path / "train.yaml", tmp_path):
        dataset = load_dataset(place, DataConfig(), 0)
        assert dataset.labels == ("a", "b")
        assert sum(map(len, dataset.parts.values())) == 20
