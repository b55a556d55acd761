"""ML-100K (GroupLens, for research) as the two tables that the recommender reads, from the example files of the package `recbole`, in whose environment it runs.

.venv-bench/bin/python -m benchmarks.ml_100k --out FOLDER
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for events.csv and items.csv")
    options = parser.parse_args()
    package = importlib.util.find_spec("recbole")  # found, not imported: it would ask for what it is installed without
    if package is None:
        sys.exit("recbole is not there: make bench-env")
    folder = Path(package.submodule_search_locations[0]) / "dataset_example" / "ml-100k"
    options.out.mkdir(parents=True, exist_ok=True)
    _write(options.out / "events.csv", ("user", "item", "rating", "timestamp"), _rows(folder / "ml-100k.inter"))
    films = [_film(*row) for row in _rows(folder / "ml-100k.item")]
    _write(options.out / "items.csv", ("item", "title", "tags", "category", "since"), films)
    return 0


def _film(number: str, title: str, year: str, genres: str) -> tuple[str, ...]:
    known = [genre for genre in genres.split() if genre != "unknown"]
    dated = year.isdecimal()
    return number, f"{title} ({year})" if dated else title, ", ".join(known), "|".join(known), year if dated else ""


def _rows(file: Path):
    with open(file, newline="", encoding="utf-8") as stream:
        yield from list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]


def _write(file: Path, names, rows) -> None:
    with open(file, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(names)
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
