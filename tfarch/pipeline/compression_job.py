"""The stages of a recipe, one after another, each from the structure and the weights that the one before left."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfarch.compression.importance import best, importance
from tfarch.compression.pruning import (
    UpdatePruningStep,
    chosen_layers,
    holding_zeros,
    kernel_sparsity,
    stripped,
    weights_of_pruned,
    with_pruning,
)
from tfarch.compression.quantisation import weights_of_quantised, with_quantisation
from tfarch.compression.recipe import Prune, QuantisationAware, Recipe, Slim, Student, Training, Trimming
from tfarch.compression.slimming import Kept, slimmed, slimmed_spec
from tfarch.compression.sparsity import Sparsify
from tfarch.compression.student import each_alone, embeddings_of, student_spec
from tfarch.compression.teaching import beside_teacher, with_states, without_teacher
from tfarch.compression.vocabulary import TABLE, Retokeniser, chosen_pieces, trimmed, trimmed_weights
from tfarch.config import Config, TrainConfig
from tfarch.data.batches import Examples, plan_epoch
from tfarch.models.classifier import build_classifier, of_task
from tfarch.models.spec import EncoderSpec, Spec
from tfarch.models.weights import get_weights, set_weights
from tfarch.pipeline.fitting import (
    Fitting,
    Weights,
    classes_of,
    classifier_of,
    measured_stage,
    with_guesses,
    with_text_vector,
)
from tfarch.pipeline.lesson import JointLesson
from tfarch.pipeline.prepare import Tasks, some_rows
from tfarch.pipeline.taught import Asked, Teaching, lessons_of, taught_of
from tfarch.pipeline.teachers import teacher_facts
from tfarch.pipeline.trained import TrainedModel
from tfarch.progress import say
from tfarch.run_folder import RunFolder
from tfarch.runtime.tokeniser import Tokeniser
from tfarch.training import Callback, classification_objective, joint_objective, resolve_freeze
from tfarch.training.inference import Forward


@dataclass(frozen=True)
class Model:
    """What a stage starts from and what it leaves: structure, weights, and what makes ids of texts."""

    spec: Spec
    weights: Weights
    tokeniser: Tokeniser


def compress(config: Config, tasks: Tasks, trained: TrainedModel, recipe: Recipe, folder: RunFolder, said_before: Path) -> TrainedModel:
    """Applies the stages of `recipe` to the trained weights; the result is a further stage, named as the recipe.

    Args:
        said_before: folder that keeps what the trained model says of texts.
    """
    asked = Asked(trained, config.train.precision, said_before)
    lessons = lessons_of(config, tasks, trained, folder, asked)
    if config.train.guess_missing and any(lessons.lacking.values()):
        lessons = with_guesses(lessons, trained.build(0), tasks)
    work = _Work(config, tasks, lessons, trained, folder, asked)
    model = work.before
    figures: list[dict] = []
    for number, stage in enumerate(recipe.stages, 1):
        say(f"recipe {recipe.name}, stage {number} of {len(recipe.stages)}: {stage.kind}")
        run = {Prune: work.prune, QuantisationAware: work.quantisation_aware, Slim: work.slim, Student: work.student}[type(stage)]
        model, done = run(f"{recipe.name}-{number}-{stage.kind}", stage, model)
        figures.append({"kind": stage.kind, "kernel_sparsity": kernel_sparsity(dict(model.weights)), **done})
    facts = {"recipe": recipe.as_dict(), "stages": figures}
    if any(taught_of(stage) for stage in recipe.stages) and config.compress.teacher is not None:
        facts["teacher"] = teacher_facts(config.compress.teacher)
    stages = {}
    for task, prepared in work.read_by(model.tokeniser).items():
        own, beside = trained.tasks[task], lessons.lessons[task].figures.get("unlabelled")
        told = {**facts, "unlabelled": beside} if beside else facts
        added = measured_stage(config, recipe.name, own, model.spec, of_task(model.weights, task), prepared, told)
        stages[task] = [*(stage for stage in own.stages if stage.name != recipe.name), added]
    trained = trained.with_stages(stages)
    trained.save(folder)
    return trained


@dataclass(frozen=True)
class _Work:
    """What all stages work with: `trained` is the teacher where one is asked for."""

    config: Config
    tasks: Tasks
    lessons: JointLesson
    trained: TrainedModel
    folder: RunFolder
    asked: Asked

    @property
    def before(self) -> Model:
        """What the first stage starts from."""
        first = self.trained.any.stages[0]
        return Model(first.spec, self.trained.weights(0), first.tokeniser)

    def read_by(self, tokeniser: Tokeniser) -> Tasks:
        """The data with this tokeniser's ids."""
        if tokeniser.vocabulary == self.before.tokeniser.vocabulary:
            return self.tasks
        return {task: each.read_by(tokeniser, self.config.data.max_length, self.folder.cache) for task, each in self.tasks.items()}

    def prune(self, name: str, stage: Prune, model: Model) -> tuple[Model, Mapping[str, Any]]:
        if not stage.through_tfmot:
            kernels = [f"{layer}/kernel" for layer in chosen_layers(self._built(model), stage.layers)]
            found, figures = self._fit(name, stage, model, callbacks=[Sparsify(stage, kernels), *holding_zeros(model.weights)])
            return dataclasses.replace(model, weights=get_weights(found)), figures
        batch_size = self._settings(stage).batch_size
        batches = len(plan_epoch(self._examples(model, stage).lengths, batch_size, seed=self.config.seed, epoch=0))
        found, figures = self._fit(
            name,
            stage,
            model,
            lambda plain: with_pruning(plain, stage, batches * stage.epochs),
            callbacks=[UpdatePruningStep(), *holding_zeros(model.weights)],
            plain=stripped,
        )
        return dataclasses.replace(model, weights=weights_of_pruned(found)), figures

    def quantisation_aware(self, name: str, stage: QuantisationAware, model: Model) -> tuple[Model, Mapping[str, Any]]:
        found, figures = self._fit(
            name, stage, model, lambda plain: with_quantisation(plain, stage), callbacks=holding_zeros(model.weights)
        )
        return dataclasses.replace(model, weights=weights_of_quantised(found)), figures

    def slim(self, name: str, stage: Slim, model: Model) -> tuple[Model, Mapping[str, Any]]:
        if stage.keep_layers:
            model = _slimmed(model, Kept.of_layers(model.spec, stage.keep_layers))
        if stage.heads < 1.0 or stage.neurons < 1.0:
            model = _slimmed(model, self._worth_most(stage, model))
        model = self._with_pieces(model, stage)
        if isinstance(model.spec, EncoderSpec):
            model = _with_positions(model, self.config.data.max_length)
        return self._taught_on(name, stage, model, holding_zeros(model.weights))

    def student(self, name: str, stage: Student, model: Model) -> tuple[Model, Mapping[str, Any]]:
        model, classes = self._with_pieces(model, stage), classes_of(self.tasks)
        vectors = Forward(with_text_vector(self._built(model)))(each_alone(model.tokeniser))[:, sum(classes.values()) :]
        spec = student_spec(stage, model.spec, len(vectors), self.config.data.max_length)
        start = get_weights(build_classifier(spec, classes, seed=self.config.seed))
        return self._taught_on(name, stage, Model(spec, {**start, TABLE: embeddings_of(vectors, stage.width)}, model.tokeniser), ())

    def _taught_on(self, name: str, stage: Training, model: Model, callbacks: Sequence[Callback]) -> tuple[Model, Mapping[str, Any]]:
        """A model of a new structure, with what it learned."""
        spec = model.spec
        left: dict[str, Any] = {"vocabulary": spec.vocabulary, "width": spec.width}
        if isinstance(spec, EncoderSpec):
            left |= {"layers": spec.layers, "heads": list(spec.heads), "neurons": list(spec.feed_forward)}
        say("left: " + ", ".join(f"{name} {count}" for name, count in left.items()))
        found, figures = self._fit(name, stage, model, callbacks=callbacks)
        return dataclasses.replace(model, weights=get_weights(found)), {**left, **figures}

    def _with_pieces(self, model: Model, stage: Trimming) -> Model:
        """With the rows of the token table that the stage keeps."""
        if not 0 < stage.vocabulary < model.spec.vocabulary:
            return model
        kept = chosen_pieces(model.tokeniser, [self._examples(model).tokens], stage.vocabulary, stage.most_vocabulary)
        spec = dataclasses.replace(model.spec, vocabulary=len(kept))
        return Model(spec, trimmed_weights(model.weights, kept), trimmed(model.tokeniser, kept))

    def _worth_most(self, stage: Slim, model: Model) -> Kept:
        classes = classes_of(self.tasks)
        plain = self._built(model)
        examples = self._examples(model)
        rows = some_rows(len(examples), stage.texts, self.config.seed)
        some = Examples(examples.tokens.select(rows), examples.targets[rows], examples.weights[rows])
        objective = joint_objective(classification_objective(self.config.train), list(classes.values()))
        worth = importance(stage.criterion, plain, model.spec, some, objective, learning_rate=stage.learning_rate)
        across = stage.scope == "global"
        heads = best(worth.heads, stage.heads, across=across, least=stage.least_heads)
        neurons = best(worth.neurons, stage.neurons, across=across, least=stage.least_neurons, multiple=stage.multiple)
        return Kept.by_masks(heads, neurons)

    def _built(self, model: Model) -> tf.keras.Model:
        plain = build_classifier(model.spec, classes_of(self.tasks))
        set_weights(plain, model.weights)
        return plain

    def _examples(self, model: Model, stage: Training | None = None) -> Examples:
        """What a stage trains on, with this model's ids."""
        found = self._teaching.examples(stage, model.spec.width) if stage and taught_of(stage) else self.lessons.examples
        before = self.before.tokeniser
        if model.tokeniser.vocabulary == before.vocabulary:
            return found
        return dataclasses.replace(found, tokens=Retokeniser(before, model.tokeniser, self.config.data.max_length)(found.tokens))

    @functools.cached_property
    def _teaching(self) -> Teaching:
        return Teaching(self.config, self.tasks, self.lessons, self.trained, self.folder, self.asked)

    def _settings(self, stage: Training) -> TrainConfig:
        freeze = [pattern for each in stage.freeze for pattern in (self.config.train.freeze if each == "auto" else [each])]
        settings = dataclasses.replace(self.config.train, epochs=stage.epochs, learning_rate=stage.learning_rate, freeze=freeze)
        settings = resolve_freeze(settings, len(self.lessons), pretrained=True)
        if isinstance(stage, Slim | Student) and taught_of(stage) is None:
            return settings
        # The last epoch counts, not the best one: an earlier epoch has not reached the sparsity or the grid that the stage is for; and what a teacher says of many texts is
        # learned better the longer, while a few rows of validation choose by chance.
        settings = dataclasses.replace(settings, monitor="last", patience=0)
        if isinstance(stage, Slim | Student) or (isinstance(stage, Prune) and not stage.through_tfmot):
            return settings
        # In float32: under mixed precision TF-MOT would read the weights in half precision, mask or round them, and write them back.
        return dataclasses.replace(settings, precision="float32")

    def _fit(
        self,
        name: str,
        stage: Training,
        model: Model,
        wrap: Callable[[tf.keras.Model], tf.keras.Model] = lambda plain: plain,
        *,
        callbacks: Sequence[Callback],
        plain: Callable[[tf.keras.Model], tf.keras.Model] = lambda wrapped: wrapped,
    ) -> tuple[tf.keras.Model, dict[str, Any]]:
        """The model, wrapped for the stage, with what it learned."""

        taught = taught_of(stage)

        def build() -> tf.keras.Model:
            own = classifier_of(self.config, self.tasks, model.spec)
            set_weights(own, model.weights)
            own = with_text_vector(own) if stage.text_vectors else own
            if taught is None or not taught.distance:
                return wrap(own)
            teacher, counts = self._teacher_of(model.tokeniser), {"states": stage.hidden_states, "relations": stage.relations}
            return beside_teacher(wrap(with_states(own, model.spec)), model.spec, teacher, self.before.spec, **counts)

        fitting = Fitting(
            name,
            self._settings(stage),
            model.spec,
            model.weights,
            build,
            callbacks,
            lambda joined: plain(without_teacher(joined)),
            stage=dataclasses.asdict(stage),
            taught=taught,
        )
        examples = self._examples(model, stage)
        found, figures = fitting.run(self.config, self.read_by(model.tokeniser), examples, self.folder)
        return without_teacher(found), figures | ({"texts": self._teaching.counts(examples)} if taught else {})

    def _teacher_of(self, tokeniser: Tokeniser) -> tf.keras.Model:
        """The trained model, reading the ids of a tokeniser that has some of its pieces."""
        before = self.before
        places = {piece: place for place, piece in enumerate(before.tokeniser.vocabulary)}
        rows = np.array([places[piece] for piece in tokeniser.vocabulary])
        return self._built(Model(dataclasses.replace(before.spec, vocabulary=len(rows)), trimmed_weights(before.weights, rows), tokeniser))


def _slimmed(model: Model, kept: Kept) -> Model:
    return dataclasses.replace(model, spec=slimmed_spec(model.spec, kept), weights=slimmed(model.spec, model.weights, kept))


def _with_positions(model: Model, most: int) -> Model:
    """Without the positions that no text reaches, as texts are cut at so many tokens."""
    name = "position_embedding/embeddings"
    kept = model.weights[name][:most]
    return dataclasses.replace(model, spec=dataclasses.replace(model.spec, positions=len(kept)), weights={**model.weights, name: kept})
