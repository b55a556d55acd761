"""A trained classifier as it lies in `checkpoints/`: all that export and evaluation need, without the data. JSON, safetensors and vocab.txt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfarch.errors import InputError
from tfarch.models import Start
from tfarch.models.classifier import build_classifier
from tfarch.models.spec import Spec, spec_as_dict, spec_from_dict
from tfarch.models.weights import load_weights, save_weights, set_weights
from tfarch.pipeline.run_beside import KNOWN_VECTORS
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import sha256
from tfarch.runtime.known_rows import KnownRows
from tfarch.runtime.scope import METHODS, ScopeRule, Score
from tfarch.runtime.tokeniser import Tokeniser

MEND = "the verbs train and run make it"


@dataclass(frozen=True)
class Stage:
    """The weights at one point of the work: `trained`, or the name of a recipe that was applied to it.

    calibration, out_of_scope: fitted on validation with these weights (see `tfarch.evaluation`).
    figures: of the training that led here.
    scores: of how much a text looks in scope, by method, fitted on training rows with these weights.
    tried: the threshold of each of them and what it reaches on validation.
    examples: text vectors of some training rows of each class, `[classes, rows, width]`.
    known: the training rows that the scores are fitted on; None in the folder of an older run.
    """

    name: str
    weights: Mapping[str, np.ndarray]
    calibration: Mapping[str, Any]
    out_of_scope: Mapping[str, Any]
    figures: Mapping[str, Any]
    scores: Mapping[str, Score] = field(default_factory=dict)
    tried: Sequence[Mapping[str, Any]] = ()
    examples: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 0), np.float16))
    known: KnownRows | None = None

    @property
    def rule(self) -> ScopeRule:
        """The score and threshold that were chosen on validation."""
        return ScopeRule(self.scores[self.out_of_scope["method"]], self.out_of_scope["threshold"])


@dataclass(frozen=True)
class TrainedClassifier:
    """What training leaves: structure, labels, tokeniser, and the weights of each stage, the plain one first."""

    spec: Spec
    labels: tuple[str, ...]
    tokeniser: Tokeniser
    max_length: int
    provenance: Mapping[str, Any]  # weights and data, with their licences
    data: Mapping[str, Any]  # the report's section `data`
    stages: tuple[Stage, ...] = field(default=())

    @property
    def start(self) -> Start:
        """The structure and tokeniser, for preparing more data the same way."""
        return Start(self.spec, self.tokeniser, {}, dict(self.provenance["weights"]))

    def build(self, stage: Stage) -> tf.keras.Model:
        """The float32 model of a stage: logits, no dropout."""
        model = build_classifier(self.spec, len(self.labels))
        set_weights(model, stage.weights, source=f"stage {stage.name}")
        return model

    def save(self, folder: RunFolder) -> None:
        """Writes it into the run's `checkpoints/`; the JSON file, written last, names the others."""
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
        vocabulary = folder.checkpoints / "vocab.txt"
        self.tokeniser.write(vocabulary)
        stages = []
        for stage in self.stages:
            weights, scores = f"{stage.name}.safetensors", f"{stage.name}.scores.safetensors"
            save_weights(stage.weights, folder.checkpoints / weights)
            save_weights({**_flat(stage.scores), "examples": stage.examples}, folder.checkpoints / scores)
            known = {}
            if stage.known is not None:
                known["known"] = f"{stage.name}.known.json"
                folder.write(folder.checkpoints / known["known"], stage.known.as_json())
            facts = {name: dict(getattr(stage, name)) for name in ("calibration", "out_of_scope", "figures")}
            stages.append({"name": stage.name, "weights": weights, "scores": scores, "tried": list(stage.tried), **known, **facts})
        values = {
            "spec": spec_as_dict(self.spec),
            "labels": list(self.labels),
            "tokeniser": self.tokeniser.as_dict(),
            "vocabulary_sha256": sha256(vocabulary),
            "max_length": self.max_length,
            "provenance": self.provenance,
            "data": self.data,
            "stages": stages,
        }
        folder.write_json(folder.checkpoints / "trained.json", values)

    @classmethod
    def load(cls, folder: RunFolder) -> TrainedClassifier:
        """Reads what `save` wrote.

        Raises:
            InputError: nothing was trained in this folder yet, or a file is damaged.
        """
        file, vocabulary = folder.checkpoints / "trained.json", folder.checkpoints / "vocab.txt"
        values = folder.read_json(file, MEND)
        try:
            tokeniser = Tokeniser.from_file(vocabulary, **{name: values["tokeniser"][name] for name in ("lowercase", "strip_accents")})
            if sha256(vocabulary) != values["vocabulary_sha256"]:  # one piece less, and every id after it would mean another
                raise InputError("is not the vocabulary of these weights", file=vocabulary, mend=MEND)
            stages = []
            for stage in values["stages"]:
                arrays = load_weights(folder.checkpoints / stage["scores"])
                weights = load_weights(folder.checkpoints / stage["weights"])
                known = None
                if "known" in stage:
                    known = KnownRows.from_json((folder.checkpoints / stage["known"]).read_text(encoding="utf-8"), arrays[KNOWN_VECTORS])
                stages.append({**stage, "weights": weights, "scores": _scores(arrays), "examples": arrays["examples"], "known": known})
            return cls(
                spec=spec_from_dict(values["spec"]),
                labels=tuple(values["labels"]),
                tokeniser=tokeniser,
                max_length=values["max_length"],
                provenance=values["provenance"],
                data=values["data"],
                stages=tuple(Stage(**stage) for stage in stages),
            )
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise InputError(f"is damaged: {type(error).__name__}: {error}", file=file, mend=MEND) from error


def _flat(scores: Mapping[str, Score]) -> dict[str, np.ndarray]:
    """The statistics of all scores in one mapping, as `method/array`."""
    return {f"{method}/{name}": array for method, score in scores.items() for name, array in score.statistics.items()}


def _scores(arrays: Mapping[str, np.ndarray]) -> dict[str, Score]:
    """The scores that `_flat` took apart.

    Raises:
        ValueError: an array of one is missing.
    """
    found = {
        method: {name.partition("/")[2]: array for name, array in arrays.items() if name.startswith(f"{method}/")} for method in METHODS
    }
    # A run of an older version has not fitted every method.
    return {method: Score(method, statistics) for method, statistics in found.items() if statistics or method == "max_probability"}
