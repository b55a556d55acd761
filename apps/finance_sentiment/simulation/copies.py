"""What publishers make of a text that is out already: the family's copy, the corrected one, and lines that are broken."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import numpy as np

from apps.finance_sentiment.simulation.rewriting import corrected

_LONGEST_HEADLINE = 100  # characters of a text that a publisher may set in capitals
_UPDATES = ("UPDATE: ", "UPDATE 1-", "(Updated) ")


def syndicated(text: str, publisher: str, rng: np.random.Generator) -> str:
    """The text as another publisher of the family prints it: its name before or behind, capitals, other quotation marks or another end."""
    edits = [
        lambda text: f"{publisher}: {text}",
        lambda text: f"{text} - {publisher}",
        lambda text: f"{text} ({publisher})",
        lambda text: text[:-1] if text.endswith(".") else f"{text}." if text[-1].isalnum() else f"{text} -",
        _with_other_marks,
    ]
    if len(text) <= _LONGEST_HEADLINE and not text.isupper():
        edits.append(str.upper)
    return edits[int(rng.integers(len(edits)))](text)


def edited(text: str, rng: np.random.Generator) -> str:
    """The text as its publisher brings it anew: with corrected numbers where they may change, in every other case, or marked as an
    update."""
    changed = corrected(text, rng) if rng.random() < 0.5 else None
    return changed or _UPDATES[int(rng.integers(len(_UPDATES)))] + text


def broken(item: Mapping[str, str], rng: np.random.Generator) -> str:
    """A line that is no item, made of one: cut off, without its text, with an empty one, with a time that is none, or a list."""
    line = json.dumps(item, ensure_ascii=False)
    ways = (
        line[: int(rng.integers(1, len(line)))],
        json.dumps({name: value for name, value in item.items() if name != "text"}, ensure_ascii=False),
        json.dumps({**item, "text": " "}, ensure_ascii=False),
        json.dumps({**item, "time": "yesterday"}, ensure_ascii=False),
        json.dumps(list(item.values()), ensure_ascii=False),
    )
    return ways[int(rng.integers(len(ways)))]


def _with_other_marks(text: str) -> str:
    """Typographic quotation marks and dashes for plain ones; a text without any ends in an ellipsis."""
    changed = re.sub(r"(?<=\w)'", "’", text)
    changed = re.sub(r'"([^"]*)"', "“\\1”", changed).replace(" - ", " – ").replace("; ", " - ")
    return changed if changed != text else f"{text.rstrip('.')} ..."
