"""One training of the model of all tasks, and what is fitted on validation with the weights that it left: what the main training and the stages of a recipe share."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfarch.config import Config, TrainConfig
from tfarch.data.batches import Examples
from tfarch.evaluation.calibration import fit_temperature
from tfarch.evaluation.out_of_scope import Answers, choose, fit_scores
from tfarch.models import Start
from tfarch.models.classifier import HEAD, build_classifier, columns_of, text_vector
from tfarch.models.spec import Spec, spec_as_dict
from tfarch.pipeline.lesson import JointLesson, Lesson
from tfarch.pipeline.prepare import Part, Prepared, Tasks, spread_rows
from tfarch.pipeline.trained import Stage, TrainedClassifier
from tfarch.run_folder import RunFolder
from tfarch.runtime.head import spread_examples
from tfarch.runtime.known_rows import KnownRows
from tfarch.runtime.logistic import softmax
from tfarch.training import Callback, ShowProgress, TensorBoard, Trainer, classification_objective, joint_objective
from tfarch.training.inference import ClassificationEvaluator, Forward, MultitaskEvaluator
from tfarch.training.objectives import distillation_objective, with_distance, with_text_vectors

Weights = Mapping[str, np.ndarray]
EXAMPLES = 5  # training rows of a class whose text vectors a bundle carries, for classes that are added later
KNOWN_PER_CLASS = 100  # and that the out-of-scope scores are fitted on: more cost a pass through the encoder and move little


def start_of(tasks: Tasks) -> Start:
    """What the encoder of all tasks starts from."""
    return next(iter(tasks.values())).start


def joint_lesson(config: Config, tasks: Tasks, lesson: Callable[[str, Prepared], Lesson]) -> JointLesson:
    """What all tasks train on together, from what each of them does."""
    lessons = {task: lesson(task, prepared) for task, prepared in tasks.items()}
    return JointLesson(lessons, classes_of(tasks), config.train.class_weights, config.train.task_weights)


def with_guesses(lessons: JointLesson, model: tf.keras.Model, tasks: Tasks) -> JointLesson:
    """With what `model` says of each text, calibrated on validation, for the labels that it lacks (Lee 2013; Xie et al. 2020, "Noisy Student")."""
    forward, classes = Forward(model), classes_of(tasks)
    logits, guesses = forward(lessons.labelled.tokens), []
    for task, prepared in tasks.items():
        valid, columns = prepared.valid.in_scope, columns_of(classes, task)
        temperature = fit_temperature(forward(valid.tokens)[:, columns], valid.targets).value
        guesses.append(softmax(logits[:, columns] / temperature))
    return dataclasses.replace(lessons, guesses=np.concatenate(guesses, axis=1))


def classes_of(tasks: Tasks) -> dict[str, int]:
    """How many each task has."""
    return {task: len(prepared.labels) for task, prepared in tasks.items()}


def with_text_vector(model: tf.keras.Model) -> tf.keras.Model:
    """The same weights, with the text vector behind the logits: float32 `[batch, sum of classes + width]`."""
    vector = tf.keras.layers.Activation("linear", dtype=tf.float32, name="vector_to_compare")(text_vector(model))
    both = tf.keras.layers.Concatenate(dtype=tf.float32, name="logits_and_vector")([model.output, vector])
    return tf.keras.Model(model.input, both, name=model.name)


def classifier_of(config: Config, tasks: Tasks, spec: Spec) -> tf.keras.Model:
    """The model of all tasks, as it is trained, of this structure."""
    model = config.model
    rates = {"dropout": model.dropout, "attention_dropout": model.attention_dropout}
    return build_classifier(spec, classes_of(tasks), **rates, seed=config.seed)


class Taught(NamedTuple):
    """What counts of what a teacher says: share of the loss and temperature of its probabilities (see `distillation_objective`), what its text vectors count (see
    `with_text_vectors`; 0: there are none), and whether the model's output ends with its distance to the teacher (see `with_distance`)."""

    share: float
    temperature: float
    vectors: float
    distance: bool = False


@dataclass(frozen=True)
class Fitting:
    """A training that is to be done.

    name: of its checkpoints and of its place in TensorBoard.
    spec: the structure that is trained.
    weights: that it starts from; they and `stage`, which is part of a recipe, tell it from another training of the same name.
    build: makes the model, in which they are.
    plain: the form of it that is validated.
    taught: what a teacher says in the examples.
    """

    name: str
    settings: TrainConfig
    spec: Spec
    weights: Weights
    build: Callable[[], tf.keras.Model]
    callbacks: Sequence[Callback] = ()
    plain: Callable[[tf.keras.Model], tf.keras.Model] = lambda model: model
    stage: Mapping[str, Any] | None = None
    taught: Taught | None = None

    def run(self, config: Config, tasks: Tasks, examples: Examples, folder: RunFolder) -> tuple[tf.keras.Model, dict[str, Any]]:
        """The model with what it learned, and figures; resumes where the same training was interrupted."""
        classes = classes_of(tasks)
        valid = {task: prepared.valid.in_scope for task, prepared in tasks.items()}
        evaluator = MultitaskEvaluator(
            {
                task: ClassificationEvaluator(part.tokens, part.targets, tasks[task].labels, columns_of(classes, task))
                for task, part in valid.items()
            },
            self.settings.task_weights,
        )
        plain = functools.cache(self.plain)
        objective, counts = classification_objective(self.settings), list(classes.values())
        if self.taught is None:
            objective = joint_objective(objective, counts)
        else:
            objective = distillation_objective(objective, counts, self.taught.share, self.taught.temperature)
            if self.taught.vectors:
                objective = with_text_vectors(objective, self.spec.width, self.taught.vectors)
            if self.taught.distance:
                objective = with_distance(objective)
        shown = [TensorBoard(folder.tensorboard / self.name, histograms=self.settings.histograms), ShowProgress(self.name)]
        trainer = Trainer(self.settings, seed=config.seed, folder=folder.checkpoints / self.name, callbacks=[*self.callbacks, *shown])
        trained = trainer.fit(
            self.build,
            objective,
            examples,
            lambda model: evaluator(plain(model)),
            layers=self.spec.layers,
            fingerprint=fingerprint_of(config, tasks, examples, self.weights, self.spec, self.stage),
        )
        return trained.model, trained.figures


def fingerprint_of(
    config: Config, tasks: Tasks, examples: Examples, weights: Weights, spec: Spec, stage: Mapping[str, Any] | None = None
) -> str:
    """What a training depends on beside its settings: data, structure, the weights that it starts from, and the stage of a recipe."""
    arrays = (examples.tokens.ids, examples.tokens.offsets, examples.targets, examples.weights)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in arrays))
    for prepared in tasks.values():
        digest.update(prepared.valid.tokens.ids.tobytes() + prepared.valid.targets.tobytes())
    labels = {task: prepared.labels for task, prepared in tasks.items()}
    described = [spec_as_dict(spec), start_of(tasks).provenance, dataclasses.asdict(config.model), labels, stage]
    digest.update(json.dumps(described, sort_keys=True).encode())
    for name in sorted(weights):
        digest.update(np.ascontiguousarray(weights[name]).tobytes())
    return digest.hexdigest()


def measured_stage(
    config: Config, name: str, trained: TrainedClassifier, spec: Spec, weights: Weights, prepared: Prepared, figures: Mapping
) -> Stage:
    """A stage with the out-of-scope scores that fit its weights on training rows, and their temperature and threshold on validation."""
    stage = Stage(name, spec, prepared.start.tokeniser, weights, {}, {}, figures)
    model = trained.build(stage)
    both = Forward(with_text_vector(model))
    classes = len(trained.labels)

    def forward(part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Logits and text vectors."""
        output = both(part.tokens) if len(part.texts) else np.empty((0, model.output_shape[-1] + spec.width), np.float32)
        return output[:, :classes], output[:, classes:]

    valid = prepared.valid.in_scope
    logits, vectors = forward(valid)
    temperature = fit_temperature(logits, valid.targets)
    outside_logits, outside_vectors = forward(prepared.valid.out_of_scope)
    known = prepared.train.select(spread_rows(prepared.train.targets, KNOWN_PER_CLASS, config.seed))
    known_vectors = forward(known)[1]
    inside = Answers(softmax(logits / temperature.value), vectors)
    scores = fit_scores(known_vectors, known.targets, weights[f"{HEAD}/kernel"], weights[f"{HEAD}/bias"], inside)
    choice, tried = choose(
        scores,
        inside,
        valid.targets,
        Answers(softmax(outside_logits / temperature.value), outside_vectors),
        **dataclasses.asdict(config.out_of_scope),
    )
    calibration = {
        "temperature": temperature.value,
        "fitted_on": "validation",
        "nll_before": temperature.nll_before,
        "nll_after": temperature.nll_after,
    }
    examples = spread_examples(known_vectors, known.targets, classes, EXAMPLES)
    neighbours = scores["nearest_neighbour"].statistics["neighbours"]
    return dataclasses.replace(
        stage,
        calibration=calibration,
        out_of_scope=choice.as_dict(),
        scores=scores,
        tried=[each.reached() for each in tried],
        examples=examples,
        known=KnownRows(known.texts, tuple(trained.labels[number] for number in known.targets), neighbours),
    )
