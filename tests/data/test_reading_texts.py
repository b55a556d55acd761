"""Texts to be answered: one for every row of the file, so that answers and rows can be laid side by side."""

import pytest

from tfarch.data import read_texts
from tfarch.errors import InputError


@pytest.fixture
def read(tmp_path):
    def write_and_read(content: bytes, name: str = "rows.csv", column: str = "text"):
        file = tmp_path / name
        file.write_bytes(content)
        return read_texts(file, column)

    return write_and_read


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", 'id,text\n1,"a, b"\n2,größe\n3,\n'),
        ("rows.csv", "text;id\na, b;1\ngröße;2\n;3\n"),
        ("rows.tsv", "\ufefftext\tid\na, b\t1\ngröße\t2\n\t3\n"),
        ("rows.jsonl", '{"text": "a, b"}\n{"text": "größe", "id": 2}\n{"text": ""}\n'),
    ],
)
def test_every_row_gives_its_text_the_empty_one_too(read, name, content):
    assert read(content.encode(), name) == ["a, b", "größe", ""]


def test_another_column_may_hold_the_text(read):
    assert read(b"text,question\nx,y\n", column="question") == ["y"]


def test_a_file_without_rows_has_no_texts(read):
    assert read(b"text,id\n") == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "rows.csv",
            b"id,question\n",
            "rows.csv, line 1: no column 'text'; its columns: 'id', 'question' (name the right one with --text-column)",
        ),
        (
            "rows.csv",
            b"text,id\na,1\nb\n",
            "rows.csv, line 3: 1 column where the header has 2 (mend the row or take it out: each row gets an answer)",
        ),
        ("rows.csv", b"text,id\ncaf\xe9,1\n", "rows.csv, line 2: not UTF-8 (byte 0xe9) (mend the row"),
        ("rows.csv", b'text,id\n"a,1\nb,2\n', "rows.csv, line 2: the quote opened on line 2 is never closed (mend the row"),
        ("rows.jsonl", b'{"text": "a"}\n{"text": 1\n', "rows.jsonl, line 2: not JSON: "),
        ("rows.jsonl", b'{"text": null}\n', "rows.jsonl, line 1: 'text' is null, not text (mend the row"),
        ("rows.xlsx", b"", "rows.xlsx: unknown format '.xlsx'; known: "),
    ],
)
def test_a_row_that_cannot_be_read_stops_it_with_its_line(read, tmp_path, name, content, message):
    with pytest.raises(InputError) as caught:
        read(content, name)
    assert str(caught.value).startswith(f"{tmp_path}/{message}")
