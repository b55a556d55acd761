"""Reads a bundle folder and checks it before anything is run: format version, the fields of bundle.json, the files and their sha256.

`tfarch.export.bundle` writes what this file reads. Nothing here imports TensorFlow or the interpreter.
"""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

import tfarch
from tfarch.errors import BundleError
from tfarch.runtime.head import Head
from tfarch.runtime.known_rows import KnownRows
from tfarch.runtime.scope import METHODS, ScopeRule, Score
from tfarch.runtime.signature import SINGLE

FORMAT_VERSION = 2  # 2: the model gives text vectors, and out_of_scope may name a file of statistics
DESCRIPTION = "bundle.json"
ADDED = "added.csv"  # texts and labels of the classes that were added
CLASSIFICATION, MULTITASK, RECOMMENDATION = "text_classification", "multitask_text_classification", "recommendation"
TASKS = (CLASSIFICATION, MULTITASK, RECOMMENDATION)


@dataclass(frozen=True)
class Bundle:
    """A bundle whose bundle.json holds all that the runtime needs.

    description: the whole of bundle.json.
    folder: where it lies; `path` gives the place of one of its files.
    """

    folder: Path
    description: dict[str, Any]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks of the model, in their order; `SINGLE` where it has one only."""
        return tuple(self.description["tasks"]) if self.description["task"] == MULTITASK else (SINGLE,)

    def of_task(self, task: str) -> Bundle:
        """The bundle as one of a model of this task alone: what bundle.json says of it laid over what it says of all."""
        if self.description["task"] != MULTITASK:
            return self
        return Bundle(self.folder, {**self.description, **self.description["tasks"][task], "task": CLASSIFICATION})

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the model's output."""
        return tuple(self.description["labels"])

    @property
    def added_labels(self) -> tuple[str, ...]:
        """Labels of classes that were added without training, beside the model's own."""
        return tuple((self.description.get("head") or {}).get("added_labels", ()))

    @property
    def max_length(self) -> int:
        """Tokens of a text, [CLS] and [SEP] included; longer texts are cut, or with `long_texts` read by their passages."""
        return self.description["max_length"]

    @property
    def model_file(self) -> Path:
        return self.path(self.description["model"]["file"])

    @property
    def vocabulary_file(self) -> Path:
        return self.path(self.description["tokeniser"]["file"])

    def path(self, name: str) -> Path:
        """The place of the bundle's file `name`, which must not lie outside the folder.

        Raises:
            BundleError: an absolute name, or one with '..'.
        """
        # A name is as dangerous on another machine as on this one: both ways of writing paths are checked.
        if not name or PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor or ".." in PureWindowsPath(name).parts:
            raise BundleError(f"{name!r} names a place outside the bundle", file=self.folder / DESCRIPTION, mend="do not use this bundle")
        return self.folder / name


def read_bundle(folder: str | Path, *, verify: bool = True) -> Bundle:
    """The bundle of a classifier in `folder`, with every field that the runtime uses checked.

    Args:
        folder: the folder that holds bundle.json.
        verify: compare the sha256 of the two files that the runtime opens, the model and the vocabulary (about 40 ms for 23 MB). The
            SavedModel and the model card are not read here: `verify_bundle` checks all.

    Raises:
        BundleError: what is wrong, in which file, and what to do.
    """
    bundle = open_bundle(folder, (CLASSIFICATION, MULTITASK))
    for file in (bundle.model_file, bundle.vocabulary_file):
        _check_exists(file)
    if verify:
        for name in (bundle.description["model"]["file"], bundle.description["tokeniser"]["file"]):
            _check_hash(bundle, name)
    return bundle


def open_bundle(folder: str | Path, tasks: Collection[str] = TASKS) -> Bundle:
    """The bundle in `folder`, of one of these tasks, by what its bundle.json says alone: every field is checked, and no file.

    Raises:
        BundleError: what is wrong, in which file, and what to do.
    """
    bundle = _read_description(Path(folder))
    _check_description(bundle)
    if (task := bundle.description["task"]) not in tasks:
        raise BundleError(f"is of the task {task}, not {' or '.join(tasks)}", file=bundle.folder / DESCRIPTION, mend="give another bundle")
    return bundle


def verify_bundle(folder: str | Path) -> Bundle:
    """The bundle in `folder`, of whatever task, with the sha256 of every file checked that bundle.json lists."""
    bundle = open_bundle(folder)
    for name in bundle.description["files"]:
        check_file(bundle, name)
    return bundle


def read_out_of_scope(bundle: Bundle, *, verify: bool = True) -> ScopeRule | None:
    """The bundle's rule of what is out of scope; None where it has none.

    Raises:
        BundleError: its file of statistics is missing, damaged, or does not hold what the method needs.
    """
    described = bundle.description.get("out_of_scope")
    if described is None:
        return None
    statistics = read_arrays(bundle, described["file"], verify=verify) if "file" in described else {}
    file = bundle.path(described.get("file", DESCRIPTION))
    try:
        return ScopeRule(Score(described["method"], statistics), float(described["threshold"]))
    except ValueError as error:
        raise BundleError(str(error), file=file, mend="export the bundle again") from error


def read_head(bundle: Bundle, *, verify: bool = True) -> Head:
    """The model's last layer, with the columns of classes that were added.

    Raises:
        BundleError: its file is missing, damaged, or does not fit the labels.
    """
    described = bundle.description.get("head")
    if not isinstance(described, dict) or "file" not in described:
        raise BundleError("names no head", file=bundle.folder / DESCRIPTION, mend="export the bundle again with this version of tfarch")
    arrays = read_arrays(bundle, described["file"], verify=verify)
    file, classes = bundle.path(described["file"]), len(bundle.labels) + len(bundle.added_labels)
    try:
        head = Head(arrays["kernel"], arrays["bias"], float(arrays["temperature"]), arrays["examples"])
    except KeyError as error:
        raise BundleError(f"lacks {error}", file=file, mend="export the bundle again") from error
    if not head.kernel.shape[1] == len(head.bias) == len(head.examples) == classes:
        raise BundleError(f"has {head.kernel.shape[1]} classes, the bundle {classes} labels", file=file, mend="export the bundle again")
    return head


def read_added(bundle: Bundle, *, verify: bool = False) -> dict[str, list[str]]:
    """The examples of each class that was added without training, in the order in which they were.

    Raises:
        BundleError: their file is missing, or is not what it should be.
    """
    examples: dict[str, list[str]] = {label: [] for label in bundle.added_labels}
    if examples:
        file = check_file(bundle, ADDED, verify=verify)
        try:
            with open(file, newline="", encoding="utf-8") as stream:
                for row in csv.DictReader(stream):
                    examples[row["label"]].append(row["text"])
        except (KeyError, UnicodeDecodeError, csv.Error) as error:
            raise BundleError(f"is damaged: {error}", file=file, mend="copy the bundle again from where it was made") from error
    return examples


def read_known_rows(bundle: Bundle, *, verify: bool = True) -> KnownRows | None:
    """Training rows with their texts; None where the bundle was exported without (`export.example_texts`).

    Raises:
        BundleError: a file of theirs is missing or damaged.
    """
    described = bundle.description.get("examples")
    if described is None:
        return None
    texts, vectors = read_text(bundle, described["texts"], verify=verify), read_arrays(bundle, described["vectors"], verify=verify)
    try:
        return KnownRows.from_json(texts, vectors["vectors"])
    except (KeyError, ValueError) as error:
        raise BundleError(f"is damaged: {error}", file=bundle.path(described["texts"]), mend="export the bundle again") from error


def read_text(bundle: Bundle, name: str, *, verify: bool = True) -> str:
    """The content of one of the bundle's text files.

    Raises:
        BundleError: it is missing or damaged.
    """
    file = check_file(bundle, name, verify=verify)
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"cannot be read: {error}", file=file, mend="copy the bundle again from where it was made") from error


def read_arrays(bundle: Bundle, name: str, *, verify: bool = True) -> dict[str, np.ndarray]:
    """The arrays by name of one of the bundle's npz files.

    Raises:
        BundleError: it is missing or damaged.
    """
    file = check_file(bundle, name, verify=verify)
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {each: arrays[each] for each in arrays.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"holds no arrays: {error}", file=file, mend="copy the bundle again from where it was made") from error


def check_file(bundle: Bundle, name: str, *, verify: bool = True) -> Path:
    """The place of one of the bundle's files, which is there and, where that is asked, as it was exported.

    Raises:
        BundleError: it is missing or damaged.
    """
    _check_exists(bundle.path(name))
    if verify:
        _check_hash(bundle, name)
    return bundle.path(name)


def sha256(file: Path) -> str:
    """The sha256 of a file's bytes in hexadecimal."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_description(folder: Path) -> Bundle:
    file = folder / DESCRIPTION
    if folder.name == DESCRIPTION and folder.is_file():
        raise BundleError("is a file; a bundle is the folder that holds it", file=folder, mend=f"load {folder.parent}")
    if not folder.is_dir():
        raise BundleError("there is no such bundle folder", file=folder)
    if not file.is_file():
        inner = folder / "bundle"
        raise BundleError(f"holds no {DESCRIPTION}", file=folder, mend=f"load {inner}" if (inner / DESCRIPTION).is_file() else None)
    copy_again = "copy the bundle again from where it was made"
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise BundleError(f"is not UTF-8 (byte {error.start})", file=file, mend=copy_again) from error
    except json.JSONDecodeError as error:
        raise BundleError(f"is not JSON: {error.msg}", file=file, line=error.lineno, mend=copy_again) from error
    if not isinstance(description, dict):
        raise BundleError(f"expected an object, found {type(description).__name__}", file=file, mend=copy_again)
    return Bundle(folder, description)


def _check_description(bundle: Bundle) -> None:
    file, description = bundle.folder / DESCRIPTION, bundle.description
    version = _field(bundle, "format_version", int)
    if version > FORMAT_VERSION:
        maker = description.get("tfarch_version", "a later version")
        raise BundleError(
            f"format_version {version} was written by tfarch {maker}; this is tfarch {tfarch.__version__}, which reads {FORMAT_VERSION}",
            file=file,
            mend="update tfarch",
        )
    if version < 1:
        raise BundleError(f"format_version {version} does not exist", file=file)
    task = _field(bundle, "task", str)
    if task not in TASKS:
        raise BundleError(f"unknown task {task!r}; known: {', '.join(TASKS)}", file=file, mend="update tfarch, if a later one made it")
    if task == MULTITASK:
        for name, own in _field(bundle, "tasks", dict).items():
            if not isinstance(own, dict) or not name:
                raise BundleError(f"tasks.{name} is {own!r}, which has the wrong type", file=file, mend="export the bundle again")
            _check_description(bundle.of_task(name))
        if not bundle.tasks:
            raise BundleError("tasks is empty: the model's outputs have no names", file=file)
        return
    if task == RECOMMENDATION:
        more = {"text_tower": ("text_tower.file", "text_tower.tokeniser.file"), "nearest": ("nearest.file",)}
        named = [field for part, fields in more.items() if part in description for field in fields]
        return _check_files(bundle, ["items.file", "arrays.file", *named])

    labels = _field(bundle, "labels", list)
    if not labels:
        raise BundleError("labels is empty: the model's outputs have no names", file=file)
    for index, label in enumerate(labels):
        if not isinstance(label, str) or not label:
            raise BundleError(f"labels[{index}] is {label!r}, not a name", file=file)
    if len(set(labels)) < len(labels):
        raise BundleError(f"label {next(each for each in labels if labels.count(each) > 1)!r} stands twice in labels", file=file)

    if _field(bundle, "max_length", int) < 3:
        raise BundleError(f"max_length={description['max_length']}: expected at least 3, for [CLS], a token and [SEP]", file=file)
    kind = _field(bundle, "tokeniser.kind", str)
    if kind != "wordpiece":
        raise BundleError(f"unknown tokeniser {kind!r}; known: wordpiece", file=file, mend="update tfarch, if a later one made it")
    for name in ("tokeniser.lowercase", "tokeniser.strip_accents"):
        _field(bundle, name, bool)
    if "shorten_addresses" in description["tokeniser"]:
        _field(bundle, "tokeniser.shorten_addresses", bool)
    if "long_texts" in description:
        _field(bundle, "long_texts", bool)

    names = ["model.file", "tokeniser.file"]
    if description.get("out_of_scope") is not None:
        method = _field(bundle, "out_of_scope.method", str)
        if method not in METHODS:
            raise BundleError(f"unknown out_of_scope.method {method!r}; known: {', '.join(METHODS)}", file=file)
        _field(bundle, "out_of_scope.threshold", (int, float))
        if "file" in description["out_of_scope"]:
            names.append("out_of_scope.file")
    if description.get("head") is not None:
        names.append("head.file")
        for label in _field(bundle, "head.added_labels", list):
            if not isinstance(label, str) or not label or label in labels:
                raise BundleError(f"head.added_labels holds {label!r}: no name, or one of the model's own labels", file=file)
    if description.get("examples") is not None:
        names += ["examples.texts", "examples.vectors"]
    _check_files(bundle, names)


def _check_files(bundle: Bundle, names: Collection[str]) -> None:
    """Every file lies in the folder, and those that these fields name have their sha256."""
    file, hashes = bundle.folder / DESCRIPTION, _field(bundle, "files", dict)
    for name in hashes:
        bundle.path(name)
    for name in names:
        value = _field(bundle, name, str)
        bundle.path(value)
        if value not in hashes:
            raise BundleError(f"files gives no sha256 of {value!r}, which {name} names", file=file)


def _field(bundle: Bundle, name: str, kind: type | tuple[type, ...]) -> Any:
    """The value at the dotted `name` of bundle.json, of the type `kind`."""
    value: Any = bundle.description
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise BundleError(f"lacks {name!r}", file=bundle.folder / DESCRIPTION, mend="export the bundle again")
        value = value[part]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise BundleError(
            f"{name} is {value!r}, which has the wrong type", file=bundle.folder / DESCRIPTION, mend="export the bundle again"
        )
    return value


def _check_exists(file: Path) -> None:
    if not file.is_file():
        raise BundleError("the file is missing from the bundle", file=file, mend="copy the bundle again from where it was made")


def _check_hash(bundle: Bundle, name: str) -> None:
    file, stated = bundle.path(name), bundle.description["files"][name]
    found = sha256(file)
    if found != stated:
        raise BundleError(
            f"is not the file that was exported: its sha256 is {found}, {DESCRIPTION} says {stated}",
            file=file,
            mend="copy the bundle again from where it was made",
        )
