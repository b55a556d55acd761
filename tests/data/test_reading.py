"""Files as people really save them: what is read, what is skipped, at which line, and why."""

import hashlib
import io
import json
import zipfile

import pytest

from tfarch.config import DataConfig
from tfarch.data.reading import read_table, texts_in
from tfarch.errors import InputError

HEADER = b"text,label\n"


@pytest.fixture
def read(tmp_path):
    """Writes bytes as a file of the given name and reads it."""

    def write_and_read(content: bytes, name: str = "rows.csv", **settings):
        path = tmp_path / name
        path.write_bytes(content)
        return read_table(path, DataConfig(**settings))

    return write_and_read


def rows(reading):
    table = reading.table
    return list(zip(table.lines, table.texts, table.labels, strict=True))


def bad(reading):
    return {row.line: row.reason for row in reading.bad_rows}


def test_line_breaks_inside_quotes_leave_the_physical_line_numbers_right(read):
    reading = read(HEADER + b'"a\nb\n\nc",x\nd,y\n\n"e ""quoted"", f",z\n')
    assert rows(reading) == [(2, "a\nb\n\nc", "x"), (6, "d", "y"), (8, 'e "quoted", f', "z")]


def test_windows_line_ends_and_a_byte_order_mark_are_read(read):
    reading = read(b'\xef\xbb\xbftext,label\r\n"a\r\nb",x\r\nc,y\r\n')
    assert rows(reading) == [(2, "a\r\nb", "x"), (4, "c", "y")]


def test_carriage_returns_alone_end_lines_in_a_file_from_an_old_mac(read):
    assert rows(read(b"text,label\ra,x\rb,y\r")) == [(2, "a", "x"), (3, "b", "y")]


def test_tsv_takes_tabs_and_leaves_commas_in_the_text(read):
    reading = read(b'id\tlabel\ttext\n1\tx\ta, b\n2\ty\t"c\td"\n', "rows.tsv")
    assert rows(reading) == [(2, "a, b", "x"), (3, "c\td", "y")]


def test_csv_with_semicolons_is_known_by_its_header(read):
    assert rows(read(b"text;label\na, b;x\n")) == [(2, "a, b", "x")]


def test_other_columns_are_named_by_settings(read):
    reading = read(b"question,intent\nhello,greet\n", text_column="question", label_column="intent")
    assert rows(reading) == [(2, "hello", "greet")]


def test_the_hash_is_that_of_the_whole_file(read):
    content = HEADER + b"a,x\n" * 100_000 + b'"never closed,y'
    assert read(content).sha256 == hashlib.sha256(content).hexdigest()


def test_a_quote_that_is_never_closed_costs_its_row_and_names_its_line(read):
    reading = read(HEADER + b'a,x\n"never closed,y\n' + b"b,z\n" * 500)
    assert bad(reading) == {3: "the quote opened on line 3 is never closed"}
    assert [line for line, _, _ in rows(reading)] == [2, *range(4, 504)]


def test_a_quote_that_swallows_rows_up_to_the_next_quoted_field_costs_its_row_only(read):
    reading = read(HEADER + b'"unclosed,y\nb,z\n"c, d",z\ne,x\n')
    assert list(bad(reading)) == [2]
    assert "opened on line 2 is not closed before line 4" in bad(reading)[2]
    assert rows(reading) == [(3, "b", "z"), (4, "c, d", "z"), (5, "e", "x")]


def test_a_quote_opened_on_a_later_line_of_a_record_is_named_there(read):
    reading = read(HEADER + b'"two\nlines","never closed\nb,z\n')
    assert bad(reading)[2] == "the quote opened on line 3 is never closed"
    assert rows(reading) == [(4, "b", "z")]


def test_quotes_that_are_not_doubled_cost_every_line_of_their_row_and_no_more(read):
    reading = read(HEADER + b'"one\nHe said "hi" to me",x\nc,z\n5" pipe,y\n')
    assert list(bad(reading)) == [2, 3]
    assert rows(reading) == [(4, "c", "z"), (5, '5" pipe', "y")]


def test_a_file_made_of_broken_quotes_is_given_up_in_bounded_time(read, monkeypatch):
    monkeypatch.setattr("tfarch.data.delimited._LINES_REREAD", 30)
    reading = read(HEADER + b"a,x\n" + b'b","c\n' * 20)  # each line opens a quote that the rest of the file never closes
    assert rows(reading) == [(2, "a", "x")]
    assert list(bad(reading)) == [3, 4]
    assert bad(reading)[4].endswith("lines 4 to 22 are passed over, after too many such rows")


def test_rows_with_a_wrong_number_of_columns_are_bad(read):
    reading = read(HEADER + b"a, b,x\nc\nd,y\n")
    assert bad(reading) == {
        2: "3 columns where the header has 2; a text with the delimiter in it needs quotes",
        3: "1 column where the header has 2",
    }
    assert rows(reading) == [(4, "d", "y")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"caf\xe9,x", "not UTF-8 (byte 0xe9)"),
        (b"coffee,caf\xe9", "not UTF-8 (byte 0xe9)"),
        (b"a\0b,x", "a NUL byte"),
        (b" ,x", "empty text"),
        (b"a, ", "empty label"),
        (b"a\rb,x", "a carriage return outside quotes"),
    ],
)
def test_a_damaged_row_is_skipped_and_the_rest_is_read(read, row, reason):
    reading = read(HEADER + b"before,x\n" + row + b"\nafter,y\n")
    assert bad(reading) == {3: reason}
    assert rows(reading) == [(2, "before", "x"), (4, "after", "y")]


def test_a_text_of_a_million_characters_is_read(read):
    text = "word " * 200_000
    assert rows(read(HEADER + f'"{text}",x\nb,y\n'.encode())) == [(2, text, "x"), (3, "b", "y")]


def test_json_lines_take_strings_and_the_spelling_of_numbers(read):
    content = '{"text": "a", "label": 3}\n\n{"label": 1.50, "text": "b\u2028c", "id": 7}\n{"text": 911, "label": true}\n'
    expected = [(1, "a", "3"), (3, "b\u2028c", "1.50"), (4, "911", "true")]
    assert rows(read(content.encode(), "rows.jsonl")) == expected
    assert rows(read(b"\xef\xbb\xbf" + content.encode(), "rows.ndjson")) == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b'{"text": "a", "label": null}', "'label' is null, not text"),
        (b'{"text": ["a"], "label": "x"}', "'text' is a list, not text"),
        (b'{"text": {}, "label": "x"}', "'text' is an object, not text"),
        (b'{"text": NaN, "label": "x"}', "'text' is NaN or infinity, not text"),
        (b'{"text": "a"}', "no 'label' in the object"),
        (b'["a", "x"]', "not a JSON object but a list"),
        (b"7", "not a JSON object but a single value"),
        (b'{"text": "a", "label"', "not JSON: Expecting ':' delimiter at column 22"),
        (b"[" * 100_000, "not JSON that can be read: it is nested too deeply"),
        (b'{"text": "\xff", "label": "x"}', "not UTF-8 (byte 0xff)"),
        (b'{"text": "\\ud83d", "label": "x"}', "half of a surrogate pair (\\ud83d)"),
        (b'{"text": "\\u0000", "label": "x"}', "a NUL byte"),
        (b'{"text": "  ", "label": "x"}', "empty text"),
    ],
)
def test_a_bad_json_line_is_skipped_and_the_rest_is_read(read, row, reason):
    good = json.dumps({"text": "b", "label": "y"}).encode()
    reading = read(good + b"\n" + row + b"\n" + good, "rows.jsonl")
    assert bad(reading) == {2: reason}
    assert rows(reading) == [(1, "b", "y"), (3, "b", "y")]


@pytest.mark.parametrize(
    ("name", "content"), [("rows.csv", HEADER + b"a,x\nb,\n"), ("rows.jsonl", b'{"text": "a", "label": "x"}\n\n{"text": "b"}')]
)
def test_a_bad_row_stops_a_strict_run_with_file_line_and_mend(read, tmp_path, name, content):
    with pytest.raises(InputError, match="mend the row") as caught:
        read(content, name, strict=True)
    assert (caught.value.file, caught.value.line) == (tmp_path / name, 3)


def test_a_missing_column_lists_those_there_are_and_the_option(read):
    with pytest.raises(InputError, match=r"line 1: no column 'label'; its columns: 'text', 'intent' \(.*--label-column\)"):
        read(b"text,intent\na,x\n")
    with pytest.raises(InputError, match=r"no column 'text'; its columns: 'question', 'label', 'id' \(.*--text-column\)"):
        read(b'{"question": "a", "label": "x"}\n{"id": 7}\n', "rows.jsonl")


def test_a_header_with_many_columns_is_listed_in_part(read):
    with pytest.raises(InputError, match="'c18', 'c19' and 280 more"):
        read(",".join(f"c{n}" for n in range(300)).encode() + b"\n")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"", "it is empty"),
        ("rows.jsonl", b"", "it has no rows"),
        ("rows.csv", HEADER, "it has no rows"),
        ("rows.csv", b"\ntext,label\n", "line 1: its first line is empty"),
        ("rows.csv", HEADER + b"a\nb\n", "line 2: none of its 2 rows can be used; this one: 1 column where the header has 2"),
        ("rows.csv", "text,label\na,x\n".encode("utf-16"), "it is UTF-16 .save it as UTF-8"),
        ("rows.csv", "text,label\na,x\n".encode("utf-16-le"), "line 1: its header cannot be read: a NUL byte"),
        ("rows.csv", b"text,text,label\n", "line 1: its header has column 'text' 2 times"),
        ("rows.csv", b'"text,label\n', "line 1: its header cannot be read: the quote opened on line 1 is never closed"),
        ("rows.xlsx", b"PK", "unknown format '.xlsx'; known: .csv, .jsonl, .ndjson, .tsv"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_reason(read, name, content, message):
    with pytest.raises(InputError, match=message):
        read(content, name)


def test_one_column_cannot_be_both_text_and_label(read):
    with pytest.raises(InputError, match="'text' cannot be both"):
        read(HEADER + b"a,x\n", label_column="text")


def test_texts_come_a_line_each_whatever_their_bytes(tmp_path):
    path = tmp_path / "questions.log"
    path.write_bytes(b"\xef\xbb\xbffirst\r\n\ncaf\xe9\nlast")
    assert list(texts_in(path, "text")) == ["first", "", "caf\ufffd", "last"]
    path.write_bytes(b"")
    assert list(texts_in(path, "text")) == []


def test_a_spreadsheet_is_not_taken_for_lines_of_text(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", "<worksheet><row>hello</row></worksheet>" * 20)
    (tmp_path / "rows.xlsx").write_bytes(packed.getvalue())
    (tmp_path / "wide.txt").write_bytes("hello\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"rows\.xlsx: it is not a text file .*save a spreadsheet as CSV"):
        list(texts_in(tmp_path / "rows.xlsx", "text"))
    with pytest.raises(InputError, match="it is UTF-16"):
        list(texts_in(tmp_path / "wide.txt", "text"))
