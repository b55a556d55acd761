"""The texts of a call: its arguments, a file, or standard input."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator

from tfarch.config import Config
from tfarch.progress import say


def texts_of(options: argparse.Namespace, config: Config) -> Iterator[str]:
    """The texts of a call: its arguments, the file of `--input`, or standard input, a line each."""
    if options.texts:
        yield from (os.fsencode(text).decode("utf-8", "replace") for text in options.texts)  # as standard input is decoded
    elif options.input and options.input != "-":
        from tfarch.data import texts_in

        yield from texts_in(options.input, config.data.text_column)
    else:
        if sys.stdin.isatty():
            say("one text a line; Ctrl-D ends")
        yield from (line.decode("utf-8", "replace").rstrip("\r\n") for line in sys.stdin.buffer)


def chunks(texts: Iterator[str], size: int = 1024) -> Iterator[list[str]]:
    """Lists of texts; from a terminal or pipe each line is answered as it comes."""
    size = 1 if sys.stdin.isatty() else size
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
