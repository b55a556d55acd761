"""Before the training: rows whose label is likely wrong are listed in `<out>/label_errors.csv`, for a person to work through.

They are judged by heads and neighbours over text vectors that no label went into: those of the pre-trained encoder before it is trained, which the head's
probe looks at too, or, where there is none, of the texts' word pieces. Measured by the average precision with which 5 % labels exchanged at random come first
among 880 training rows: 0.72 and 0.32; by the vectors of the encoder tuned on these labels, though the heads have not seen them, 0.70 (of an averaged embedding
0.11), and by the tuned model itself 0.08.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfarch.config import Config
from tfarch.data.check import shortened
from tfarch.data.normal_form import same_question
from tfarch.data.writing import csv_text
from tfarch.evaluation.confusion import confused_pairs
from tfarch.evaluation.figures import mislabelled
from tfarch.evaluation.label_errors import LabelErrors, Suspect, find_label_errors
from tfarch.evaluation.latent import latent_vectors
from tfarch.pipeline.prepare import PARTS, Prepared, some_rows
from tfarch.pipeline.untrained import untrained_vectors
from tfarch.progress import say
from tfarch.run_folder import RunFolder
from tfarch.training.probe import chosen_l2, fit_probe

COLUMNS = ("file", "line", "text", "label", "suggested", "score", "label_probability", "suggested_probability")
SHOWN = 20  # suspects, and confused pairs, that the report holds
STEPS = 30  # of a head's fit: 200 find no more planted errors, and cost seven times as much


@dataclasses.dataclass(frozen=True)
class Row:
    """A row in scope: its part, its place, and what it says."""

    part: str
    file: str
    line: int
    text: str
    label: str


def find(config: Config, prepared: Prepared, folder: RunFolder) -> None:
    """Writes `label_errors.csv` and what the report says of it; nothing where the setting is off, or the same was found before."""
    if not config.label_errors.find:
        return
    file, fingerprint = folder.label_errors_found, _fingerprint(config, prepared)
    if file.is_file() and folder.label_errors.is_file() and folder.read_json(file, "delete it").get("fingerprint") == fingerprint:
        return
    say("looking for labels that are likely wrong")
    started = time.monotonic()
    rows, targets, vectors, source = _rows(config, prepared, folder)
    l2 = chosen_l2(vectors, targets, len(prepared.labels), config.seed)
    found = find_label_errors(
        vectors,
        targets,
        np.array(same_question(row.text for row in rows)),
        len(prepared.labels),
        fit=lambda features, given, classes: fit_probe(features, given, classes, l2=l2, steps=STEPS),
        folds=config.label_errors.folds,
        seed=config.seed,
    )
    if found is None:
        say("too few rows of each class to tell which labels are wrong")
        return
    suspects = [_described(rows[suspect.row], suspect, prepared.labels) for suspect in found.suspects]
    folder.write(folder.label_errors, csv_text(COLUMNS, ([each[column] for column in COLUMNS] for each in suspects)))
    summary = {
        "fingerprint": fingerprint,
        "data": prepared.dataset.sha256,
        **_summary(rows, targets, found, suspects, prepared.labels),
        "vectors": source,
        "seconds": time.monotonic() - started,
    }
    folder.write_json(file, summary)
    say(f"{mislabelled(summary)}: {folder.label_errors.name}")


def found_before(prepared: Prepared, folder: RunFolder) -> dict[str, Any] | None:
    """The report's section `label_errors`, as `find` wrote it; None where it found nothing of these data."""
    file = folder.label_errors_found
    if not file.is_file():
        return None
    summary = folder.read_json(file, "delete it")
    if summary.get("data") != prepared.dataset.sha256:
        return None
    return {key: value for key, value in summary.items() if key not in ("fingerprint", "data")}


def _rows(config: Config, prepared: Prepared, folder: RunFolder) -> tuple[list[Row], np.ndarray, np.ndarray, str]:
    """The rows that are looked at, of all parts, with class numbers `[n]`, vectors `[n, width]`, and what these are of."""
    rows: list[Row] = []
    targets, tokens = [], []
    for name in PARTS:
        table, part = prepared.dataset.parts[name], getattr(prepared, name).in_scope
        inside = [row for row, label in enumerate(table.labels) if label != prepared.dataset.oos_label]
        chosen = some_rows(len(inside), config.label_errors.most_rows, config.seed)
        rows += [Row(name, table.file, *(column[inside[row]] for column in (table.lines, table.texts, table.labels))) for row in chosen]
        targets.append(part.targets[chosen])
        tokens.append(part.tokens.select(chosen))
    if prepared.start.weights:
        vectors = np.concatenate([untrained_vectors(prepared.start, each, folder.cache) for each in tokens])
        source = f"{prepared.start.provenance['name']} before the training"
    else:
        ids, lengths = (np.concatenate([getattr(each, field) for each in tokens]) for field in ("ids", "lengths"))
        vectors = latent_vectors(ids, np.concatenate([[0], np.cumsum(lengths)]), seed=config.seed)
        source = "word pieces (latent semantic analysis)"
    return rows, np.concatenate(targets), vectors, source


def _described(row: Row, suspect: Suspect, labels: Sequence[str]) -> dict[str, Any]:
    return {
        **dataclasses.asdict(row),
        "suggested": labels[suspect.suggested],
        "score": round(suspect.score, 4),
        "label_probability": round(suspect.label_probability, 4),
        "suggested_probability": round(suspect.suggested_probability, 4),
    }


def _summary(
    rows: Sequence[Row], targets: np.ndarray, found: LabelErrors, suspects: Sequence[dict[str, Any]], labels: Sequence[str]
) -> dict[str, Any]:
    judged = [rows[row] for row in np.flatnonzero(found.judged)]
    looked_at, suspected = (Counter(part) for part in ([row.part for row in judged], [each["part"] for each in suspects]))
    texts = [shortened(row.text) for row in judged]
    return {
        "rows": {part: looked_at[part] for part in PARTS},
        "suspects": {part: suspected[part] for part in PARTS},
        "noise": {"rate": found.rate, "interval": list(found.interval), "scattered": found.scattered_rate},
        "rehearsal": dict(zip(("planted", "found"), found.rehearsal, strict=True)),
        "left_out": len(rows) - len(judged),
        "top": [{**each, "text": shortened(each["text"])} for each in suspects[:SHOWN]],
        "confused_pairs": confused_pairs(found.probabilities[found.judged], targets[found.judged], labels, texts, SHOWN),
    }


def _fingerprint(config: Config, prepared: Prepared) -> str:
    """What the findings depend on."""
    settings = [dataclasses.asdict(each) for each in (config.data, config.model, config.label_errors)]
    described = [prepared.dataset.sha256, settings, config.seed, prepared.start.provenance]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
