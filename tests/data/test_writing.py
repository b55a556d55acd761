"""What is written as CSV is read back as it was."""

import csv

import pytest

from tfarch.config import DataConfig
from tfarch.data.reading import read_table
from tfarch.data.writing import csv_text

TEXTS = ['say "hi"', "a, b; c\td", "two\nlines", "two\r\nlines", "an old\rMac", " spaces ", "größe 日本 🎉", '"', "=1+1", "1.0"]


def test_texts_with_quotes_and_line_breaks_come_through(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_bytes(csv_text(("text", "label"), [(text, "a") for text in TEXTS]).encode())
    assert list(read_table(file, DataConfig()).table.texts) == TEXTS


def test_other_readers_read_it_too():
    rows = list(csv.reader(csv_text(("text", "line"), [(text, 3) for text in TEXTS]).splitlines(keepends=True)))
    assert rows[0] == ["text", "line"]
    assert [row[0] for row in rows[1:]] == TEXTS


@pytest.mark.parametrize(("value", "written"), [(3, "3"), (0.25, "0.25"), ("3", '"3"')])
def test_numbers_stand_bare_and_texts_in_quotes(value, written):
    assert csv_text(("x",), [(value,)]) == f'"x"\n{written}\n'
