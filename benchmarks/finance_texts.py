"""Financial texts without labels, for students of the sentiment model: how much do they teach beside texts that are made of the training texts?

What it writes: a text a line, of the topic set's `train.csv` and of headlines, each once, without those that stand in the sentiment set, web addresses aside: neither a
test row nor a training row is among them. What they gave: RESULTS.md, "Recipes". It takes seconds; a student that is taught by them too takes as much longer as there are more texts.

    .venv/bin/python -m benchmarks.finance_texts --sentiment FOLDER --topic FOLDER --headlines FOLDER --out texts.txt
    .venv/bin/python -m apps.finance_sentiment compress --recipe tiny --from RUN --unlabelled texts.txt --out OUT
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentiment", type=Path, required=True, help="folder with train.csv and valid.csv")
    parser.add_argument("--topic", type=Path, required=True, help="folder with train.csv")
    parser.add_argument("--headlines", type=Path, required=True, help="folder with all.csv")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    seen = {_form(text) for name in ("train.csv", "valid.csv") for text in _texts(options.sentiment / name)}
    kept = []
    for file in (options.topic / "train.csv", options.headlines / "all.csv"):
        before = len(kept)
        for text in _texts(file):
            if (form := _form(text)) not in seen:
                seen.add(form)
                kept.append(" ".join(text.split()))
        print(f"{file.parent.name}: {len(kept) - before:,} texts")
    options.out.write_text("".join(f"{text}\n" for text in kept), encoding="utf-8")
    return 0


def _texts(file: Path) -> Iterator[str]:
    with open(file, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            yield row["text"]


def _form(text: str) -> str:
    """As two texts are compared: without web addresses, case and spacing."""
    return " ".join(re.sub(r"https?://\S+", " ", text.lower()).split())


if __name__ == "__main__":
    sys.exit(main())
