"""The third part of the main job: TFLite files of every stage and variant, and the bundle with the one that ships."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

import tfarch
from tfarch.config import Config, ExportConfig
from tfarch.errors import InputError, TfarchError, unknown
from tfarch.evaluation.model_card import render_model_card
from tfarch.export.bundle import arrays_file, write_bundle
from tfarch.export.linter import lint
from tfarch.export.metadata import write_metadata
from tfarch.export.saved_model import write_saved_model
from tfarch.export.tflite import STATIC, VARIANTS, Converter
from tfarch.models.classifier import HEAD, with_outputs
from tfarch.pipeline.trained import Stage, TrainedClassifier, TrainedModel
from tfarch.progress import say
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import CLASSIFICATION, DESCRIPTION, MULTITASK
from tfarch.runtime.head import Head
from tfarch.runtime.signature import INPUTS, SINGLE, VECTOR, output_of

MODEL, VOCABULARY, SAVED_MODEL, CARD, SCOPE = "model.tflite", "vocab.txt", "saved_model/1", "MODEL_CARD.md", "out_of_scope.npz"
HEAD_FILE = "head.npz"
EXAMPLE_TEXTS, EXAMPLE_VECTORS = "examples.json", "examples.npz"
MANIFEST = "manifest.json"
CALIBRATING, CALIBRATING_BATCH = 256, 8  # training texts that fix the ranges of a static int8 file's activations, so many at once


@dataclass(frozen=True)
class Exported:
    """One TFLite file.

    name: of the variant in reports: `dynamic_int8`, or `<recipe>_dynamic_int8`.
    file: its path below the run's folder.
    stage: whose weights it holds.
    length: tokens of a fixed-length file.
    """

    name: str
    file: str
    stage: str
    variant: str
    length: int | None = None
    ships: bool = False


def require_exportable(config: Config, folder: RunFolder) -> None:
    """Told before the training and not after it: the variants are known, and their places free or holding what a run wrote.

    Raises:
        InputError: they are not.
    """
    for variant in (*config.export.variants, config.export.ship):
        if variant not in VARIANTS:
            raise unknown("variant", variant, VARIANTS)
    for place, mark in ((folder.variants, MANIFEST), (folder.bundle, DESCRIPTION)):
        if place.exists() and not (place / mark).is_file() and (place.is_file() or any(place.iterdir())):
            raise InputError("holds something that no run wrote, and is left alone", file=place, mend="move it, or choose another --out")


def export(config: Config, trained: TrainedModel, folder: RunFolder, app: str) -> list[Exported]:
    """Writes `variants/*.tflite` and `bundle/`, and the list of the files as `variants/manifest.json`.

    The variant that ships is `export.ship` of the last stage: of the recipe where one was applied.

    Raises:
        InputError: unknown variant, or its place holds something that no run wrote.
        TfarchError: a model cannot be converted, or the linter finds that a file may not ship.
    """
    require_exportable(config, folder)
    beside, previous = folder.path / ".variants.part", folder.path / ".variants.previous"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        exported = _write(config, trained, folder, app, beside)
        if folder.variants.exists():  # the older ones stay until all of the new ones are there
            shutil.rmtree(previous, ignore_errors=True)
            os.rename(folder.variants, previous)
        os.rename(beside, folder.variants)
    finally:
        for left_over in (beside, previous):
            shutil.rmtree(left_over, ignore_errors=True)
    return exported


def read_manifest(folder: RunFolder) -> list[Exported]:
    """What `export` wrote last.

    Raises:
        InputError: nothing was exported yet, or the list is damaged.
    """
    file, mend = folder.variants / MANIFEST, "the verbs export and run make it"
    try:
        exported = [Exported(**each) for each in folder.read_json(file, mend)]
    except TypeError as error:
        raise InputError(f"is damaged: {error}", file=file, mend=mend) from error
    if not any(each.ships for each in exported):
        raise InputError("is damaged: no file in it ships", file=file, mend=mend)
    return exported


def _write(config: Config, trained: TrainedModel, folder: RunFolder, app: str, beside: Path) -> list[Exported]:
    """Writes the variants and their list into `beside`, and the bundle into its place."""
    last = len(trained.any.stages) - 1
    exported: list[Exported] = []
    variants = list(dict.fromkeys([*config.export.variants, config.export.ship, "float32"]))
    for number, stage in enumerate(trained.any.stages):
        temperatures = {task: each.stages[number].calibration["temperature"] for task, each in trained.tasks.items()}
        model = with_outputs(trained.build(number), temperatures)
        for length in (None, *config.export.lengths):
            with Converter.of_texts(model, length=length) as converter:
                for variant in variants:
                    name = _name(stage, variant, length)
                    say(f"exporting {name}")
                    ships = number == last and variant == config.export.ship and length is None
                    file = f"{name}.tflite"
                    texts = _calibrating(trained.any, number, length) if variant == STATIC else ()
                    body = converter.convert(variant, texts, config.export.calibration, config.export.keep_float)
                    _write_tflite(beside / file, body, trained, stage, name, app)
                    exported.append(Exported(name, f"bundle/{MODEL}" if ships else f"variants/{file}", stage.name, variant, length, ships))
        if number == last:
            variant = _name(stage, config.export.ship, None)
            _write_bundle(trained, model, folder, app, variant, beside / f"{variant}.tflite", config.export)
    folder.write_json(beside / MANIFEST, [asdict(each) for each in exported])
    return exported


def _calibrating(trained: TrainedClassifier, number: int, length: int | None) -> list[dict[str, np.ndarray]]:
    """Batches of training texts that this run kept, of one shape, for static int8."""
    stage, size = trained.stages[number], CALIBRATING_BATCH if length is None else 1
    most = trained.max_length if length is None else min(length, trained.max_length)
    texts = () if stage.known is None else stage.known.texts[:: max(1, len(stage.known.texts) // CALIBRATING)]
    encoded = stage.tokeniser.encode(texts, most)
    batches = []
    for begin in range(0, len(encoded) - size + 1, size):
        ids, mask = np.zeros((2, size, length or most), np.int32)
        for place, row in enumerate(encoded[begin : begin + size]):
            ids[place, : len(row)], mask[place, : len(row)] = row, 1
        batches.append({"ids": ids, "mask": mask, "segment_ids": np.zeros_like(ids)})
    return batches


def _name(stage: Stage, variant: str, length: int | None) -> str:
    prefix = "" if stage.name == "trained" else f"{stage.name}_"
    return f"{prefix}{variant}" + ("" if length is None else f"_{length}_tokens")


def _write_tflite(file: Path, body: bytes, trained: TrainedModel, stage: Stage, name: str, app: str) -> None:
    classes = ", ".join(f"{len(labels)} labels" + (f" ({task})" if task else "") for task, labels in trained.labels.items())
    described = write_metadata(
        body,
        name=f"{app} ({name})",
        description=f"Text classification into {classes}, made with tfarch {tfarch.__version__}",
        labels={output_of(task): labels for task, labels in trained.labels.items()},
        vocabulary=stage.tokeniser.as_text(),
        max_length=trained.any.max_length,
        licence=str(trained.any.provenance["weights"]["licence"]),
        version=tfarch.__version__,
    )
    try:
        file.write_bytes(described)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise TfarchError(f"{file} could not be written: {error.strerror}") from error
    problems = lint(file, outputs=(*map(output_of, trained.tasks), VECTOR))
    if problems:
        raise TfarchError(f"{file}: {'; '.join(problems)}")


def _write_bundle(
    trained: TrainedModel, model: tf.keras.Model, folder: RunFolder, app: str, variant: str, shipped: Path, config: ExportConfig
) -> None:
    say("writing the bundle")
    described = {task: _describe(task, each, config.example_texts) for task, each in trained.tasks.items()}
    shape, last = trained.any, trained.any.stages[-1]
    single = trained.tasks.get(SINGLE)
    description = {
        "app": app,
        "task": MULTITASK if single is None else CLASSIFICATION,
        "name": " and ".join(dict.fromkeys(each.data["name"] for each in trained.tasks.values())),
        "max_length": shape.max_length,
        "long_texts": config.long_texts,
        "fixed_lengths": [],
        "tokeniser": {**last.tokeniser.as_dict(), "file": VOCABULARY},
        "model": {"file": MODEL, "variant": variant, "probabilities": True},
        "saved_model": {"path": SAVED_MODEL},
        **({"tasks": {task: own for task, (own, _) in described.items()}} if single is None else described[SINGLE][0]),
        "signature": {
            "inputs": [{"name": name, "dtype": "int32", "shape": [None, None]} for name in INPUTS],
            "outputs": [
                *({"name": output_of(task), "dtype": "float32", "shape": [None, len(labels)]} for task, labels in trained.labels.items()),
                {"name": VECTOR, "dtype": "float32", "shape": [None, last.spec.width]},
            ],
        },
    }
    if single is None:
        description["provenance"] = {"weights": shape.provenance["weights"]}
    with tempfile.TemporaryDirectory() as temporary:
        saved_model, vocabulary = Path(temporary) / "saved_model", Path(temporary) / VOCABULARY
        write_saved_model(saved_model, model, last.tokeniser, trained.labels, shape.max_length)
        last.tokeniser.write(vocabulary)
        card = render_model_card({"variants": [], "data": shape.data if single else {}}, description)
        files = {MODEL: shipped, VOCABULARY: vocabulary, SAVED_MODEL: saved_model, CARD: card}
        for _, own in described.values():
            files |= own
        write_bundle(folder.bundle, description, files)
        shipped.unlink()  # it lies in the bundle


def _describe(task: str, trained: TrainedClassifier, example_texts: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """What bundle.json says of a task, and the files of its own that it names."""
    stage, before = trained.stages[-1], f"{task}." if task else ""
    rows = stage.known if example_texts else None
    if example_texts and rows is None:
        say("warning: this run kept no texts of training rows: train again to have them in the bundle")
    kernel, bias = (stage.weights[f"{HEAD}/{part}"] for part in ("kernel", "bias"))
    head = Head(kernel, bias, stage.calibration["temperature"], stage.examples)
    files: dict[str, Any] = {before + HEAD_FILE: arrays_file(**head.as_arrays())}
    statistics = stage.rule.score.statistics
    if statistics:
        files[before + SCOPE] = arrays_file(**statistics)
    if rows is not None:
        files |= {before + EXAMPLE_TEXTS: rows.as_json(), before + EXAMPLE_VECTORS: arrays_file(vectors=rows.vectors)}
    examples = {} if rows is None else {"examples": {"texts": before + EXAMPLE_TEXTS, "vectors": before + EXAMPLE_VECTORS}}
    return {
        "labels": list(trained.labels),
        "temperature": stage.calibration["temperature"],
        "out_of_scope": {**stage.out_of_scope, **({"file": before + SCOPE} if statistics else {})},
        "head": {"file": before + HEAD_FILE, "added_labels": []},
        **examples,
        "provenance": trained.provenance,
    }, files
