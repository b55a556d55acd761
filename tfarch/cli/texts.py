"""The texts of a call: its arguments, a file, or standard input."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from tfarch.config import Config
from tfarch.errors import InputError
from tfarch.progress import say

_READ = 1 << 16  # bytes of standard input that are read at once


def texts_of(options: argparse.Namespace, config: Config) -> Iterator[str]:
    """The texts of a call: its arguments, the file of `--input`, or standard input, a line each; with `--whole` file and standard input are one text.

    Raises:
        InputError: the file cannot be read, or `--whole` does not fit what is given.
    """
    return itertools.chain.from_iterable(batches_of(options, config, 1))


def batches_of(options: argparse.Namespace, config: Config, size: int = 1024) -> Iterator[list[str]]:
    """The texts of a call in lists of at most `size`: as many of arguments and files, of standard input those that have come, without waiting for more.

    Raises:
        InputError: as `texts_of`.
    """
    whole = getattr(options, "whole", False)
    file = options.input if options.input != "-" else None
    if options.texts and whole:
        raise InputError("--whole is of a file or standard input, and texts are given as arguments", mend="leave it out")
    if not options.texts and not file and sys.stdin.isatty():
        say("one text; Ctrl-D ends it" if whole else "one text a line; Ctrl-D ends")
    if options.texts:
        yield from _batches((os.fsencode(text).decode("utf-8", "replace") for text in options.texts), size)  # as standard input is decoded
    elif whole:
        text = _text_of(file) if file else _decoded(sys.stdin.buffer.read())
        yield from [[text]] if text else []
    elif file:
        from tfarch.data import texts_in

        yield from _batches(texts_in(file, config.data.text_column), size)
    else:
        for lines in _arriving(sys.stdin.buffer):
            yield from _batches(map(_decoded, lines), size)


def _text_of(file: str) -> str:
    from tfarch.data import texts_in
    from tfarch.data.reading import FORMATS

    if Path(file).suffix.lower() in FORMATS:
        raise InputError("is a table, and each of its rows a text", file=file, mend="leave out --whole")
    return "\n".join(texts_in(file, "")).rstrip("\n")


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace").rstrip("\r\n")


def _arriving(stream: BinaryIO) -> Iterator[list[bytes]]:
    """The lines of a stream, those together that one read gives: of a terminal that is a line, of a pipe what has been written to it."""
    begun: list[bytes] = []
    while data := stream.read1(_READ):
        *lines, rest = data.split(b"\n")
        if lines:
            yield [b"".join([*begun, lines[0]]), *lines[1:]]
            begun = []
        begun.append(rest)
    if last := b"".join(begun):
        yield [last]


def _batches(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    texts = iter(texts)
    while batch := list(itertools.islice(texts, size)):
        yield batch
