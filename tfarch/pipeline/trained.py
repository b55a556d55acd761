"""A trained model as it lies in `checkpoints/`: all that export and evaluation need, without the data. JSON, safetensors and vocab.txt."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfarch.errors import InputError
from tfarch.models import Start
from tfarch.models.classifier import build_classifier, of_all_tasks, of_task
from tfarch.models.spec import Spec, spec_as_dict, spec_from_dict
from tfarch.models.weights import load_weights, save_weights, set_weights
from tfarch.pipeline.run_beside import KNOWN_VECTORS, TRAINED
from tfarch.run_folder import RunFolder
from tfarch.runtime.bundle import sha256
from tfarch.runtime.known_rows import KnownRows
from tfarch.runtime.scope import METHODS, ScopeRule, Score
from tfarch.runtime.signature import SINGLE
from tfarch.runtime.tokeniser import Tokeniser, flags_of

MEND = "the verbs train and run make it"


@dataclass(frozen=True)
class Stage:
    """The weights at one point of the work: `trained`, or the name of a recipe that was applied to it.

    spec, tokeniser: the structure of these weights, and what makes ids of texts for it.
    calibration, out_of_scope: fitted on validation with these weights (see `tfarch.evaluation`).
    figures: of the training that led here.
    scores: of how much a text looks in scope, by method, fitted on training rows with these weights.
    tried: the threshold of each of them and what it reaches on validation.
    examples: text vectors of some training rows of each class, `[classes, rows, width]`.
    known: the training rows that the scores are fitted on; None in the folder of an older run.
    """

    name: str
    spec: Spec
    tokeniser: Tokeniser
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
    """What training leaves of one task: labels, and structure, tokeniser and weights of each stage, the plain one first.

    Of a model of several tasks it is the model of this one alone; the stages share the body's arrays with those of the others.
    """

    labels: tuple[str, ...]
    max_length: int
    provenance: Mapping[str, Any]  # weights and data, with their licences
    data: Mapping[str, Any]  # the report's section `data`
    stages: tuple[Stage, ...] = field(default=())

    def stage(self, name: str) -> Stage:
        """The stage of this name."""
        return next(stage for stage in self.stages if stage.name == name)

    def build(self, stage: Stage) -> tf.keras.Model:
        """The float32 model of a stage: logits, no dropout."""
        model = build_classifier(stage.spec, len(self.labels))
        set_weights(model, stage.weights, source=f"stage {stage.name}")
        return model


@dataclass(frozen=True)
class TrainedModel:
    """What training leaves: a classifier for each task, over one encoder."""

    tasks: Mapping[str, TrainedClassifier]

    @property
    def any(self) -> TrainedClassifier:
        """One of them, for what is the same in all: names, structures and tokenisers of the stages."""
        return next(iter(self.tasks.values()))

    @property
    def only(self) -> TrainedClassifier:
        """The classifier of a model of one task.

        Raises:
            InputError: it has several.
        """
        if list(self.tasks) != [SINGLE]:
            raise InputError(f"this model has the tasks {', '.join(self.tasks)}; a model of one task without a name is needed here")
        return self.tasks[SINGLE]

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The classes of each task in the order of its output."""
        return {task: each.labels for task, each in self.tasks.items()}

    @property
    def start(self) -> Start:
        """The structure that was trained and the tokeniser, for preparing more data the same way."""
        first = self.any.stages[0]
        return Start(first.spec, first.tokeniser, {}, dict(self.any.provenance["weights"]))

    def weights(self, number: int) -> dict[str, np.ndarray]:
        """The weights of all tasks' model at stage `number`."""
        return of_all_tasks({task: each.stages[number].weights for task, each in self.tasks.items()})

    def build(self, number: int) -> tf.keras.Model:
        """The float32 model of all tasks at stage `number`: logits beside each other, no dropout."""
        model = build_classifier(self.any.stages[number].spec, {task: len(each.labels) for task, each in self.tasks.items()})
        set_weights(model, self.weights(number), source=f"stage {self.any.stages[number].name}")
        return model

    def with_stages(self, stages: Mapping[str, Sequence[Stage]]) -> TrainedModel:
        """The same with these stages of each task."""
        return TrainedModel({task: dataclasses.replace(each, stages=tuple(stages[task])) for task, each in self.tasks.items()})

    def save(self, folder: RunFolder) -> None:
        """Writes it into the run's `checkpoints/`; the JSON file, written last, names the others."""
        folder.checkpoints.mkdir(parents=True, exist_ok=True)
        vocabularies = []
        for stage in self.any.stages:
            file = folder.checkpoints / f"{stage.name}.vocab.txt"
            stage.tokeniser.write(file)
            vocabularies.append({"file": file.name, "sha256": sha256(file), "tokeniser": stage.tokeniser.as_dict()})
        weights = [f"{stage.name}.safetensors" for stage in self.any.stages]
        for number, file in enumerate(weights):
            save_weights(self.weights(number), folder.checkpoints / file)
        values = {
            "specs": [spec_as_dict(stage.spec) for stage in self.any.stages],
            "vocabularies": vocabularies,
            "max_length": self.any.max_length,
            "weights": weights,
            "tasks": {task: self._saved(task, folder) for task in self.tasks},
        }
        folder.write_json(folder.checkpoints / TRAINED, values)

    def _saved(self, task: str, folder: RunFolder) -> dict[str, Any]:
        trained, stages = self.tasks[task], []
        for stage in trained.stages:
            name = ".".join(filter(None, (stage.name, task)))
            scores = f"{name}.scores.safetensors"
            save_weights({**_flat(stage.scores), "examples": stage.examples}, folder.checkpoints / scores)
            known = {}
            if stage.known is not None:
                known["known"] = f"{name}.known.json"
                folder.write(folder.checkpoints / known["known"], stage.known.as_json())
            facts = {name: dict(getattr(stage, name)) for name in ("calibration", "out_of_scope", "figures")}
            stages.append({"name": stage.name, "scores": scores, "tried": list(stage.tried), **known, **facts})
        return {"labels": list(trained.labels), "provenance": trained.provenance, "data": trained.data, "stages": stages}

    @classmethod
    def load(cls, folder: RunFolder) -> TrainedModel:
        """Reads what `save` wrote.

        Raises:
            InputError: nothing was trained in this folder yet, or a file is damaged.
        """
        file = folder.checkpoints / TRAINED
        values = folder.read_json(file, MEND)
        try:
            tokenisers = [_tokeniser(folder, each) for each in values["vocabularies"]]
            weights = [load_weights(folder.checkpoints / each) for each in values["weights"]]
            specs = [spec_from_dict(each) for each in values["specs"]]
            return cls(
                {
                    task: TrainedClassifier(
                        labels=tuple(own["labels"]),
                        provenance=own["provenance"],
                        data=own["data"],
                        stages=tuple(
                            _loaded(stage, spec, tokeniser, of_task(every, task), folder)
                            for stage, spec, tokeniser, every in zip(own["stages"], specs, tokenisers, weights, strict=True)
                        ),
                        max_length=values["max_length"],
                    )
                    for task, own in values["tasks"].items()
                }
            )
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            raise InputError(f"is damaged: {type(error).__name__}: {error}", file=file, mend=MEND) from error


def _tokeniser(folder: RunFolder, described: Mapping[str, Any]) -> Tokeniser:
    vocabulary = folder.checkpoints / described["file"]
    tokeniser = Tokeniser.from_file(vocabulary, **flags_of(described["tokeniser"]))
    if sha256(vocabulary) != described["sha256"]:  # one piece less, and every id after it would mean another
        raise InputError("is not the vocabulary of these weights", file=vocabulary, mend=MEND)
    return tokeniser


def _loaded(stage: Mapping[str, Any], spec: Spec, tokeniser: Tokeniser, weights: Mapping[str, np.ndarray], folder: RunFolder) -> Stage:
    arrays, known = load_weights(folder.checkpoints / stage["scores"]), None
    if "known" in stage:
        known = KnownRows.from_json((folder.checkpoints / stage["known"]).read_text(encoding="utf-8"), arrays[KNOWN_VECTORS])
    return Stage(
        **{
            **stage,
            "spec": spec,
            "tokeniser": tokeniser,
            "weights": weights,
            "scores": _scores(arrays),
            "examples": arrays["examples"],
            "known": known,
        }
    )


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
