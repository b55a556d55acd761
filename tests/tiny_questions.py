"""A CSV of six dozen questions in three classes with some out of scope, and settings that run the whole main job on it in a few seconds."""

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path

from apps.customer_service.app import APP
from tfarch.app import App
from tfarch.cli import main

WORDS = {
    "card": ("card", "pin", "chip", "atm"),
    "refund": ("refund", "money", "back", "return"),
    "login": ("login", "password", "sign", "locked"),
}
OPENINGS = ("my", "the", "where is", "help with", "problem:", "please, my")
OUT_OF_SCOPE = ("tell me a joke", "who won the match", "is it going to rain", "do you like cats", "what is love", "sing a song")
LABELS = tuple(sorted(WORDS))

SETTINGS = """\
data: {max_length: 16}
model: {structure: averaged, averaged_width: 8, vocabulary: 120}
train: {epochs: 2, batch_size: 8, devices: cpu, precision: float32, learning_rate: 0.05}
export: {variants: [float32, dynamic_int8], agreement_bound: 0}
evaluate: {latency_texts: 3, latency_repeats: 1, threads: [1]}
"""


def questions():
    """(text, label) of every row."""
    rows = [
        (f"{opening} {word} {later}", label)
        for label, words in WORDS.items()
        for word, later in zip(words, words[1:] + words[:1], strict=True)
        for opening in OPENINGS
    ]
    return rows + [(text, "oos") for text in OUT_OF_SCOPE]


def write_csv(file: Path, rows=None) -> Path:
    """Writes rows, by default `questions()`, with their header."""
    rows = questions() if rows is None else rows
    file.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    return file


def write_settings(file: Path) -> Path:
    """Writes `SETTINGS`."""
    file.write_text(SETTINGS, encoding="utf-8")
    return file


@dataclass(frozen=True)
class Answer:
    """What a call of the command line gave."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line of standard error: where it failed, the error."""
        return self.err.splitlines()[-1]


def call(*arguments, stdin: bytes = b"", app: App = APP) -> Answer:
    """Runs a verb of an app in this process."""
    out, err, kept = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = main(app, [str(each) for each in arguments])
            except SystemExit as ended:  # argparse ends so
                code = ended.code
    finally:
        sys.stdin = kept
    return Answer(code, out.getvalue(), err.getvalue())
