"""Where the texts of a call come from, and how many are answered at once: files and arguments in batches, standard input as it comes."""

import argparse
import contextlib
import io
import os

import pytest

from tfarch.cli.texts import batches_of, texts_of
from tfarch.config import Config
from tfarch.errors import InputError


def options(*texts, file=None, whole=False):
    return argparse.Namespace(texts=list(texts), input=file and str(file), whole=whole)


def batches(*texts, size=3, **given):
    return batches_of(options(*texts, **given), Config(), size)


@pytest.fixture
def read_from(monkeypatch):
    """Makes a file descriptor standard input."""
    with contextlib.ExitStack() as opened:
        yield lambda number: monkeypatch.setattr("sys.stdin", opened.enter_context(open(number)))


@pytest.fixture
def pipe(read_from):
    """Standard input is a pipe; gives the number to write to."""
    reading, writing = os.pipe()
    read_from(reading)
    return writing


@pytest.fixture
def terminal(read_from):
    """Standard input is a terminal; gives the number to type to."""
    typing, end = os.openpty()
    read_from(end)
    yield typing
    os.close(typing)


@pytest.fixture
def file(tmp_path):
    (tmp_path / "texts.txt").write_text("one\ntwo\n\nfour\nfive\n", encoding="utf-8")
    return tmp_path / "texts.txt"


def standard_input(monkeypatch, content):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


# How many at once


def test_files_and_arguments_come_in_batches_also_from_a_terminal(terminal, file, capsys):
    assert list(batches(file=file)) == [["one", "two", ""], ["four", "five"]]
    assert list(batches("one", "two", "three", "four")) == [["one", "two", "three"], ["four"]]
    assert capsys.readouterr().err == ""


def test_a_pipe_gives_what_has_come_without_waiting_for_more(pipe):
    found = batches()
    os.write(pipe, b"one\ntwo\nthr")
    assert next(found) == ["one", "two"]
    os.write(pipe, b"ee\r\n")
    assert next(found) == ["three"]
    os.write(pipe, b"1\n2\n3\n4\n")
    assert [next(found), next(found)] == [["1", "2", "3"], ["4"]]
    os.write(pipe, b"no end")
    os.close(pipe)
    assert list(found) == [["no end"]]


def test_a_terminal_is_answered_line_by_line_and_told_how_to_end(terminal, capsys):
    found = batches(file="-")
    os.write(terminal, b"one\ntwo\n")
    assert [next(found), next(found)] == [["one"], ["two"]]
    os.write(terminal, b"\x04")
    assert list(found) == []
    assert capsys.readouterr().err == "one text a line; Ctrl-D ends\n"


def test_a_line_of_any_length_is_one_text(monkeypatch):
    standard_input(monkeypatch, b"\n" + b"word " * 200_000 + b"\ncaf\xe9")
    assert [len(text) for text in texts_of(options(), Config())] == [0, 1_000_000, 4]


def test_nothing_is_no_text(monkeypatch):
    standard_input(monkeypatch, b"")
    assert list(batches()) == []


# One text


@pytest.mark.parametrize("given", ["file", "pipe"])
def test_a_file_or_standard_input_is_one_text_where_that_is_asked(monkeypatch, file, given):
    if given == "pipe":
        standard_input(monkeypatch, file.read_bytes())
    assert list(batches(file=file if given == "file" else None, whole=True)) == [["one\ntwo\n\nfour\nfive"]]


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_of_nothing_there_is_no_whole_text(monkeypatch, file, content):
    standard_input(monkeypatch, content)
    file.write_bytes(content)
    assert list(batches(file=file, whole=True)) == list(batches(whole=True)) == []


def test_the_end_of_one_text_on_a_terminal_is_told(terminal, capsys):
    os.write(terminal, b"one\ntwo\n\x04")
    assert list(batches(whole=True)) == [["one\ntwo"]]
    assert capsys.readouterr().err == "one text; Ctrl-D ends it\n"


def test_arguments_and_tables_are_several_texts(tmp_path):
    with pytest.raises(InputError, match=r"--whole is of a file or standard input, and texts are given as arguments \(leave it out\)"):
        list(batches("one", whole=True))
    with pytest.raises(InputError, match=r"rows\.CSV: is a table, and each of its rows a text \(leave out --whole\)"):
        list(batches(file=tmp_path / "rows.CSV", whole=True))
    with pytest.raises(InputError, match=r"no\.txt: cannot be read"):
        list(batches(file=tmp_path / "no.txt", whole=True))
