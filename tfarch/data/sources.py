"""From what `--data` names (a folder, one file, `tfds:NAME`) to a `Dataset` with training, validation and test rows.

Where a part is not given it is split off the training rows, stratified and seeded; `Dataset.split` says which parts came about how.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfarch.config import DataConfig
from tfarch.data.normal_form import normal_form
from tfarch.data.rasa import SUFFIXES, read_rasa
from tfarch.data.reading import FORMATS, Reading, read_table
from tfarch.data.split import cut, draw, hold_out
from tfarch.data.tables import Dataset, Table
from tfarch.errors import InputError

PART_NAMES = {"train": ("train",), "valid": ("valid", "val", "validation"), "test": ("test",)}
SHOWN = {"train": "train", "valid": "validation", "test": "test"}  # part -> what a reader calls it
_MEND = "give a folder with train.csv, a CSV, TSV, JSONL or Rasa NLU file, or tfds:NAME"


@dataclass(frozen=True)
class Source:
    """What a place holds: a reading for each part that is there, by its name in `PART_NAMES`.

    Args:
        name: name of the data set.
        place: as the user gave it, for errors.
        readings: part -> its rows.
        sha256: hash by file name.
        provenance: where the rows come from, ready for JSON.
    """

    name: str
    place: str
    readings: dict[str, Reading]
    sha256: dict[str, str]
    provenance: dict[str, Any]

    def file_of(self, part: str) -> str:
        """The file that a part came from, as an error should name it."""
        return file_in(self.place, self.provenance, self.readings[part if part in self.readings else "train"].table)


def load_dataset(path: str | Path, data: DataConfig, seed: int) -> Dataset:
    """Reads the data that `path` names and splits off the parts that it lacks.

    The same files, settings and seed give the same parts, in whatever order the rows stand. A test that is split off comes first
    (`data.test_fraction` of the rows), validation next (`data.valid_fraction` of what remains), then the cut to `data.limit` and the draw of
    `data.shots`.

    Args:
        path: a folder with train.csv (.tsv, .jsonl, .yml of Rasa) and optionally valid/val/validation and test; one such file; or `tfds:NAME[:CONFIG]`.
        data: columns, fractions, strictness.
        seed: of the split, the cut and the draw.

    Raises:
        InputError: nothing usable is there, or the labels do not fit; names file, line, value and the mend.
    """
    source = read_source(path, data)
    tables = {part: reading.table for part, reading in source.readings.items()}
    split = complete(tables, source, data, seed)
    kept = cut(tables["train"], data.limit, seed) if data.limit else list(range(len(tables["train"])))
    return assembled(source, tables, kept, split, data, seed)


def assembled(source: Source, tables: dict[str, Table], kept: list[int], split: str, data: DataConfig, seed: int) -> Dataset:
    """The data set of a source: its parts, of the training rows those numbered in `kept`, and of these the draw of `data.shots`.

    Raises:
        InputError: the labels do not fit.
    """
    everything = tables["train"]
    if data.shots:
        kept = [kept[row] for row in draw(everything.select(kept), data.shots, seed, data.draw)]
        split += f" Of each class {data.shots} training rows were drawn (draw {data.draw})."
    tables = {**tables, "train": everything.select(kept)}
    left = set(range(len(everything))).difference(kept)
    bad_rows = tuple(row for reading in source.readings.values() for row in reading.bad_rows)
    oos_label = None if data.oos_is_class else data.oos_label
    dataset = Dataset(
        source.name,
        **tables,
        bad_rows=bad_rows,
        sha256=source.sha256,
        split=split,
        provenance=source.provenance,
        oos_label=oos_label,
        left_out=everything.select(sorted(left)),
    )
    _require_known_labels(dataset, source)
    if len(dataset.labels) < 2:
        found = f"the label {dataset.labels[0]!r} only" if dataset.labels else "no label in scope"
        raise InputError(f"its training rows have {found}: two or more classes are needed", file=source.file_of("train"))
    return dataset


def read_rows(path: str | Path, data: DataConfig) -> list[tuple[str, str]]:
    """Text and label of the rows that `path` names, of all parts of a folder, as they stand.

    Raises:
        InputError: nothing usable is there.
    """
    tables = [reading.table for reading in read_source(path, data).readings.values()]
    return [row for table in tables for row in zip(table.texts, table.labels, strict=True)]


def read_source(path: str | Path, data: DataConfig) -> Source:
    """What `path` holds, as it stands.

    Raises:
        InputError: nothing usable is there.
    """
    if str(path).startswith("tfds:"):
        from tfarch.data.tfds import read_tfds

        return read_tfds(str(path), data)
    path = Path(path)
    try:
        if path.is_dir():
            return _read_folder(path, data)
        if not path.exists():
            raise InputError("no such file or folder", file=path, mend=_MEND)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    reading = _read_file(path, data)
    return Source(
        path.stem, str(path), {"train": reading}, {path.name: reading.sha256}, provenance("file", path.name, {"train": path.name})
    )


def _read_file(file: Path, data: DataConfig) -> Reading:
    return read_rasa(file, data) if file.suffix.lower() in SUFFIXES else read_table(file, data)


def _read_folder(folder: Path, data: DataConfig) -> Source:
    there = sorted(each for each in folder.iterdir() if each.is_file() and each.suffix.lower() in (*FORMATS, *SUFFIXES))
    files: dict[str, Path] = {}
    for part, names in PART_NAMES.items():
        found = [each for each in there if each.stem.lower() in names]
        if len(found) > 1:
            raise InputError(f"{' and '.join(each.name for each in found)} both stand for {part}", file=folder, mend="leave one")
        if found:
            files[part] = found[0]
    if "train" not in files:
        has = f"it has {', '.join(each.name for each in there)}" if there else "it has no CSV, TSV, JSONL or Rasa file"
        raise InputError(f"no train.csv, train.tsv or train.jsonl in this folder; {has}", file=folder, mend=_MEND)
    readings = {part: _read_file(file, data) for part, file in files.items()}
    hashes = {files[part].name: reading.sha256 for part, reading in readings.items()}
    resolved = folder.resolve()
    name = resolved.name if resolved.name.lower() != "data" else resolved.parent.name  # a folder called data says nothing of what it holds
    return Source(name, str(folder), readings, hashes, provenance("folder", name, {part: file.name for part, file in files.items()}))


def provenance(kind: str, source: str, files: dict[str, str], licence: str | None = None) -> dict[str, Any]:
    """Where rows come from: `kind` is folder, file or tfds, `files` maps part to file; a licence that nobody stated is "unknown"."""
    return {"kind": kind, "source": source, "files": files, "licence": licence or "unknown"}


def file_in(place: str, provenance: Mapping[str, Any], table: Table) -> str:
    """The file of a table that was read from `place`, as an error should name it."""
    return str(Path(place) / table.file) if provenance["kind"] == "folder" else place


def complete(tables: dict[str, Table], source: Source, data: DataConfig, seed: int) -> str:
    """Splits the parts that `tables` lacks off its training rows, in place, and says in a sentence how each part came about."""
    given = [f"{SHOWN[part]} from {tables[part].file}" for part in ("valid", "test") if part in tables]
    lacking = [part for part in ("test", "valid") if part not in tables]
    train_file, shares = tables["train"].file, []
    for part in lacking:
        option = f"{part}_fraction"
        fraction = getattr(data, option)
        if not 0 < fraction < 1:
            raise InputError(f"data.{option}={fraction:g} does not lie between 0 and 1", mend=f"or give a {SHOWN[part]} file")
        share = f"{fraction * 100:g} %{' of the rest' if shares else ''}"
        if part == "valid" and fraction * len(tables["train"]) > data.valid_most > 0:
            fraction, share = data.valid_most / len(tables["train"]), f"{data.valid_most:,} rows"
        # The first of two splits leaves a text of each label for the second one.
        leave = 2 if part == "test" and "valid" in lacking else 1
        kept, held = hold_out(tables["train"], fraction, seed, part, leave)
        if not held:
            mend = "give each label three different texts or more, or a validation and a test file"
            raise InputError(f"too few rows to split off a {SHOWN[part]} part", file=source.file_of("train"), mend=mend)
        tables[part] = tables["train"].select(held)
        tables["train"] = tables["train"].select(kept)
        shares.append(f"{SHOWN[part]} ({share})")
    if not lacking:
        return f"All parts as given: train from {train_file}, {', '.join(given)}."
    split_off = f"{' and '.join(shares)} split off {train_file}, stratified by label with seed {seed}, equal texts kept together"
    sentence = "; ".join([*given, split_off])
    return f"{sentence[0].upper()}{sentence[1:]}."


def _require_known_labels(dataset: Dataset, source: Source) -> None:
    """Every label in validation and test is a class or out of scope.

    Raises:
        InputError: one is not; names the first such row, and the class that is spelled nearly so.
    """
    known = {*dataset.labels, dataset.oos_label}
    for part in ("valid", "test"):
        table = getattr(dataset, part)
        strange = [row for row, label in enumerate(table.labels) if label not in known]
        if not strange:
            continue
        label = table.labels[strange[0]]
        alike = next((each for each in dataset.labels if normal_form(each) == normal_form(label)), None)
        more = len({table.labels[row] for row in strange}) - 1
        mend = f"did you mean {alike!r}?" if alike else "add training rows with it, or take the row out"
        others = f", nor are {more} more labels" if more > 1 else ", nor is 1 more label" if more else ""
        raise InputError(
            f"label {label!r} is in no training row{others}", file=source.file_of(part), line=table.lines[strange[0]], mend=mend
        )
