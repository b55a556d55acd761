"""Writes a bundle: the folder that ships, whose bundle.json states the sha256 of every file. `tfarch.runtime.bundle` reads it."""

from __future__ import annotations

import datetime
import io
import json
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import tfarch
from tfarch.errors import InputError, TfarchError
from tfarch.runtime.bundle import DESCRIPTION, FORMAT_VERSION, Bundle, open_bundle, sha256, verify_bundle

Content = bytes | str | Path


def write_bundle(folder: str | Path, description: Mapping[str, Any], files: Mapping[str, Content]) -> Bundle:
    """Writes a bundle in the place of whatever bundle is there.

    All is written into a hidden folder beside it, read back with its hashes checked, and renamed; if anything fails, the older bundle is
    as it was. One process at a time may write a bundle.

    Args:
        folder: where the bundle shall be; its parents are made.
        description: the fields of bundle.json but for `format_version`, `tfarch_version`, `model.bytes` and `files`, which are filled in;
            `created` is filled in where it is not given.
        files: what lies in the bundle, by its name there ("saved_model/1"): bytes, text, or the path of a file or folder to copy.

    Raises:
        InputError: the description lacks a field or names a file that is not among `files` (a `BundleError` that tells the field), or
            `folder` holds something else than a bundle.
        TfarchError: the disk is full or the folder cannot be written.
    """
    folder = Path(os.path.abspath(folder))
    if folder.exists() and not (folder / DESCRIPTION).is_file() and any(folder.iterdir()):
        raise InputError("holds something that is not a bundle, and is left alone", file=folder, mend="choose another folder or empty it")
    writing, previous = folder.with_name(f".{folder.name}.writing"), folder.with_name(f".{folder.name}.previous")
    try:
        _tidy(folder, writing, previous)
        writing.mkdir(parents=True)
        for name, content in files.items():
            _write(writing, name, content)
        _describe(writing, description)
        verify_bundle(writing)
        if folder.exists():
            os.rename(folder, previous)
        os.rename(writing, folder)
        shutil.rmtree(previous, ignore_errors=True)
    except OSError as error:
        raise TfarchError(f"{folder}: the bundle could not be written: {error.strerror}: {error.filename or writing}") from error
    finally:
        _tidy(folder, writing, previous)
    return open_bundle(folder)


def update_bundle(
    folder: str | Path, changes: Mapping[str, Any], files: Mapping[str, Content] | None = None, *, without: Collection[str] = ()
) -> Bundle:
    """Writes the bundle in `folder` again with the top fields of `changes` laid over bundle.json, `files` added or replaced, and those named in
    `without` left out, as safely as at first.

    Raises:
        BundleError: there is no sound bundle in `folder`.
        TfarchError: as `write_bundle`.
    """
    old = verify_bundle(folder)
    kept = {name: old.path(name) for name in old.description["files"] if name not in without}
    return write_bundle(folder, {**old.description, **changes}, {**kept, **(files or {})})


def arrays_file(**arrays: np.ndarray) -> bytes:
    """The content of an npz file of these arrays; no pickle."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def _tidy(folder: Path, writing: Path, previous: Path) -> None:
    """Leaves one whole bundle: puts the older one back where the process ended between the two renames, and removes what is half made."""
    if previous.exists() and not folder.exists():
        os.rename(previous, folder)
    for left_over in (writing, previous):
        shutil.rmtree(left_over, ignore_errors=True)


def _write(root: Path, name: str, content: Content) -> None:
    if name == DESCRIPTION:
        raise InputError(f"{DESCRIPTION} is made from the description; it is none of the files")
    target = Bundle(root, {}).path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        target.write_text(content, encoding="utf-8", newline="")
    elif isinstance(content, bytes):
        target.write_bytes(content)
    elif content.is_dir():
        shutil.copytree(content, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(content, target)


def _describe(root: Path, description: Mapping[str, Any]) -> None:
    """Writes bundle.json with the hashes of the files that lie in `root`."""
    names = sorted(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file())
    made = {"format_version": FORMAT_VERSION, "tfarch_version": tfarch.__version__}
    created = {"created": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    values = {**made, **created, **description, **made, "files": {name: sha256(root / name) for name in names}}
    model = values.get("model")
    if isinstance(model, Mapping) and model.get("file") in names:
        values["model"] = {**model, "bytes": (root / model["file"]).stat().st_size}
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    (root / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
