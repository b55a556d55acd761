"""The labelled rows that a stream is made of, and which of them is used next."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.finance_sentiment.app import APP
from apps.finance_sentiment.simulation.rewriting import vary
from apps.finance_sentiment.simulation.rhythm import SENTIMENTS
from tfarch.errors import InputError, unknown

REST = 48 * 3600  # seconds in which a row, and a text, is not used again
_TRIES = 8

Row = tuple[str, str, str]  # text, sentiment, topic


def sample_rows(parts: Sequence[str] = ("valid", "test")) -> list[Row]:
    """(text, sentiment, topic) of the embedded sample; by default of the parts that training never sees."""
    rows: list[Row] = []
    for part in parts:
        with (APP.sample / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            rows += [(row["text"], row["sentiment"], row["topic"]) for row in csv.DictReader(file)]
    return rows


@dataclass
class _Entry:
    """A row's text, whether it can be varied, and when it was used last."""

    text: str
    varies: bool
    used: float = -math.inf


class RowPool:
    """Texts by topic and sentiment, each of them given out as another piece of news every time.

    Args:
        rows: (text, sentiment, topic); every topic needs rows of every sentiment.

    Raises:
        InputError: there are no rows, one has an unknown sentiment, or a topic lacks one.
    """

    def __init__(self, rows: Sequence[Row]):
        if not rows:
            raise InputError("no rows to make a stream of")
        self.topics = sorted({topic for _, _, topic in rows})
        self._entries: dict[tuple[str, str], list[_Entry]] = {(topic, sentiment): [] for topic in self.topics for sentiment in SENTIMENTS}
        for text, sentiment, topic in rows:
            if sentiment not in SENTIMENTS:
                raise unknown("sentiment", sentiment, SENTIMENTS)
            self._entries[topic, sentiment].append(_Entry(text, vary(text, np.random.default_rng(0)) != text))
        for (topic, sentiment), entries in self._entries.items():
            if not entries:
                raise InputError(f"topic {topic!r} has no {sentiment} row", mend="give each topic rows of every sentiment")
        self._texts: dict[str, float] = {}  # when a text was given out last

    def draw(self, topic: str, sentiment: str, time: float, rng: np.random.Generator) -> str:
        """A text for a story at `time`, seconds; times must not go back.

        Of the rows that were not used for 48 hours one is drawn at random. Where all were, it is the least recently used of those that can
        be varied, so that no text stands twice within 48 hours unless nothing can be done about it.
        """
        entries = self._entries[topic, sentiment]
        rested = [entry for entry in entries if time - entry.used >= REST]
        if rested:
            order = [rested[int(rng.integers(len(rested)))]]
        else:
            order = sorted([entry for entry in entries if entry.varies] or entries, key=lambda entry: entry.used)
        for entry in order:
            text = self._fresh(entry, time, rng)
            if text is not None:
                break
        else:
            entry, text = order[0], order[0].text
        entry.used = self._texts[text] = time
        return text

    def _fresh(self, entry: _Entry, time: float, rng: np.random.Generator) -> str | None:
        """The row as a text that was not given out for 48 hours, if a few draws find one."""
        for _ in range(_TRIES if entry.varies else 1):
            text = vary(entry.text, rng)
            if time - self._texts.get(text, -math.inf) >= REST:
                return text
        return None
