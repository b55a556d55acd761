"""fastText as a peer, in the bench environment: tuned by its own search on a tenth of the training rows, then trained on all of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

SEARCHES = 4  # at most
SETTINGS = ("lr", "dim", "epoch", "wordNgrams", "minn", "maxn", "bucket")


def line(text: str) -> str:
    """A text as it is given to fastText: lower case, punctuation apart."""
    return " ".join(re.findall(r"\w+|[^\w\s]", text.lower()))


def tuned(texts: Sequence[str], classes: Sequence[int], folder: Path, *, seconds: int, threads: int) -> tuple[Any, dict]:
    """A model, whose labels are `__label__` and the class's number, and the settings that were found.

    Args:
        folder: for the files that it reads.
        seconds: of the search.
        threads: with more than one it does not learn the same twice.
    """
    import fasttext

    lines = [f"__label__{number} {line(text)}\n" for text, number in zip(texts, classes, strict=True)]
    order = np.random.default_rng(0).permutation(len(lines))
    held = set(order[: len(order) // 10].tolist())
    parts = {"most": [n for n in range(len(lines)) if n not in held], "held": sorted(held), "all": range(len(lines))}
    files = {name: folder / f"fasttext_{name}.txt" for name in parts}
    for name, rows in parts.items():
        files[name].write_text("".join(lines[row] for row in rows), encoding="utf-8")
    search = {"autotuneValidationFile": str(files["held"]), "autotuneDuration": seconds}
    for seed in range(SEARCHES):
        try:
            found = fasttext.train_supervised(str(files["most"]), **search, thread=threads, verbose=0, seed=seed).f.getArgs()
            settings = {name: getattr(found, name) for name in SETTINGS}
            return fasttext.train_supervised(str(files["all"]), **settings, thread=threads, verbose=0, seed=seed), settings
        except RuntimeError as error:  # a rate that held in the search and not afterwards: "Encountered NaN"
            print(f"fastText, seed {seed}: {error}", file=sys.stderr)
    sys.exit(f"fastText's search ended {SEARCHES} times with settings that do not learn")
