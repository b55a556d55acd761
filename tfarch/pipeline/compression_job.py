"""The stages of a recipe, one after another, each from the structure and the weights that the one before left."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from tfarch.compression.importance import best, importance
from tfarch.compression.pruning import (
    HoldZeros,
    UpdatePruningStep,
    chosen_layers,
    kernel_sparsity,
    stripped,
    weights_of_pruned,
    with_pruning,
    zero_masks,
)
from tfarch.compression.quantisation import weights_of_quantised, with_quantisation
from tfarch.compression.recipe import Prune, QuantisationAware, Recipe, Slim, Training
from tfarch.compression.slimming import Kept, slimmed, slimmed_spec
from tfarch.config import Config
from tfarch.data.batches import Examples, plan_epoch
from tfarch.errors import InputError
from tfarch.models.classifier import build_classifier, of_task
from tfarch.models.spec import EncoderSpec, Spec
from tfarch.models.weights import get_weights, set_weights
from tfarch.pipeline.fitting import Fitting, Weights, classes_of, classifier_of, joint_lesson, measured_stage, start_of, with_guesses
from tfarch.pipeline.lesson import JointLesson, lesson_after
from tfarch.pipeline.prepare import Tasks, some_rows
from tfarch.pipeline.trained import TrainedModel
from tfarch.progress import say
from tfarch.run_folder import RunFolder
from tfarch.training import Callback, classification_objective, joint_objective, resolve_freeze
from tfarch.training.inference import Forward

Left = tuple[Spec, Weights, Mapping[str, Any]]  # what a stage leaves: structure, weights, figures


def require_fitting(recipe: Recipe, tasks: Tasks) -> None:
    """Told before the training and not after it: every stage of `recipe` finds layers to work on.

    Raises:
        InputError: one does not; lists the layers that there are.
    """
    spec = start_of(tasks).spec
    for number, stage in enumerate(recipe.stages):
        if isinstance(stage, Slim):
            spec = _layers_kept(spec, stage, f"stages.{number}")
        else:
            chosen_layers(build_classifier(spec, classes_of(tasks)), stage.layers)


def _layers_kept(spec: Spec, stage: Slim, place: str) -> EncoderSpec:
    if not isinstance(spec, EncoderSpec):
        raise InputError(f"{place}: the {spec.structure} structure has no heads, neurons or layers that could go")
    if stage.keep_layers and stage.keep_layers[-1] >= spec.layers:
        raise InputError(f"{place}.keep_layers={stage.keep_layers}: there the encoder has the layers 0 to {spec.layers - 1}")
    kept = stage.keep_layers or range(spec.layers)
    return dataclasses.replace(
        spec, heads=tuple(spec.heads[each] for each in kept), feed_forward=tuple(spec.feed_forward[each] for each in kept)
    )


def compress(config: Config, tasks: Tasks, trained: TrainedModel, recipe: Recipe, folder: RunFolder) -> TrainedModel:
    """Applies the stages of `recipe` to the trained weights; the result is a further stage, named as the recipe."""
    lessons = joint_lesson(config, tasks, lambda task, prepared: lesson_after(config, prepared, trained.tasks[task], folder.cache))
    if config.train.guess_missing and any(lessons.lacking.values()):
        lessons = with_guesses(lessons, trained.build(0), tasks)
    work = _Work(config, tasks, lessons, trained, folder)
    spec, weights = trained.any.stages[0].spec, trained.weights(0)
    figures: list[dict] = []
    for number, stage in enumerate(recipe.stages, 1):
        say(f"recipe {recipe.name}, stage {number} of {len(recipe.stages)}: {stage.kind}")
        run = {Prune: work.prune, QuantisationAware: work.quantisation_aware, Slim: work.slim}[type(stage)]
        spec, weights, done = run(f"{recipe.name}-{number}-{stage.kind}", stage, spec, weights)
        figures.append({"kind": stage.kind, "kernel_sparsity": kernel_sparsity(dict(weights)), **done})
    facts = {"recipe": recipe.as_dict(), "stages": figures}
    stages = {}
    for task, prepared in tasks.items():
        own = trained.tasks[task]
        added = measured_stage(config, recipe.name, own, spec, of_task(weights, task), prepared, facts)
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

    def prune(self, name: str, stage: Prune, spec: Spec, weights: Weights) -> Left:
        settings = self._settings(stage)
        batches = len(plan_epoch(self.lessons.examples.lengths, settings["settings"].batch_size, seed=self.config.seed, epoch=0))
        build = self._from(spec, weights, lambda model: with_pruning(model, stage, batches * stage.epochs))
        callbacks = [UpdatePruningStep(), *_held(weights)]
        fitting = Fitting(name, spec=spec, weights=weights, build=build, callbacks=callbacks, plain=stripped, **settings)
        model, figures = fitting.run(self.config, self.tasks, self.lessons, self.folder)
        return spec, weights_of_pruned(model), figures

    def quantisation_aware(self, name: str, stage: QuantisationAware, spec: Spec, weights: Weights) -> Left:
        build = self._from(spec, weights, lambda model: with_quantisation(model, stage))
        fitting = Fitting(name, spec=spec, weights=weights, build=build, callbacks=_held(weights), **self._settings(stage))
        model, figures = fitting.run(self.config, self.tasks, self.lessons, self.folder)
        return spec, weights_of_quantised(model), figures

    def slim(self, name: str, stage: Slim, spec: EncoderSpec, weights: Weights) -> Left:
        if stage.keep_layers:
            whole = Kept.all_of(spec)
            kept = Kept(*(tuple(each[layer] for layer in stage.keep_layers) for each in (whole.layers, whole.heads, whole.neurons)))
            spec, weights = slimmed_spec(spec, kept), slimmed(spec, weights, kept)
        if stage.heads < 1.0 or stage.neurons < 1.0:
            kept = self._worth_most(stage, spec, weights)
            spec, weights = slimmed_spec(spec, kept), slimmed(spec, weights, kept)
        say(f"left: {spec.layers} layers, heads {list(spec.heads)}, neurons {list(spec.feed_forward)}")
        fitting = Fitting(
            name, spec=spec, weights=weights, build=self._from(spec, weights), callbacks=_held(weights), **self._settings(stage)
        )
        model, figures = fitting.run(self.config, self.tasks, self.lessons, self.folder)
        left = {"layers": spec.layers, "heads": list(spec.heads), "neurons": list(spec.feed_forward)}
        return spec, get_weights(model), {**left, **figures}

    def _worth_most(self, stage: Slim, spec: EncoderSpec, weights: Weights) -> Kept:
        classes = classes_of(self.tasks)
        model = build_classifier(spec, classes)
        set_weights(model, weights)
        examples = self.lessons.examples
        rows = some_rows(len(examples), stage.texts, self.config.seed)
        some = Examples(examples.tokens.select(rows), examples.targets[rows], examples.weights[rows])
        objective = joint_objective(classification_objective(self.config.train), list(classes.values()))
        worth, across = importance(stage.criterion, model, spec, some, objective), stage.scope == "global"
        heads = best(worth.heads, stage.heads, across=across, least=stage.least_heads)
        neurons = best(worth.neurons, stage.neurons, across=across, least=stage.least_neurons, multiple=stage.multiple)
        return Kept.by_masks(heads, neurons)

    @functools.cached_property
    def _teacher(self) -> np.ndarray:
        return Forward(self.trained.build(0))(self.lessons.examples.tokens)

    def _settings(self, stage: Training) -> dict[str, Any]:
        """As `Fitting` takes them, with the stage itself."""
        settings = resolve_freeze(self.config.train, len(self.lessons), pretrained=True)
        settings = dataclasses.replace(settings, epochs=stage.epochs, learning_rate=stage.learning_rate)
        if not isinstance(stage, Slim):
            # The last epoch counts, not the best one: an earlier epoch has not reached the sparsity or the grid that the stage is for.
            # In float32: under mixed precision TF-MOT would read the weights in half precision, mask them, and write them back.
            settings = dataclasses.replace(settings, monitor="last", patience=0, precision="float32")
        teacher = (self._teacher, stage.distillation, stage.temperature) if stage.distillation else None
        return {"settings": settings, "stage": dataclasses.asdict(stage), "teacher": teacher}

    def _from(
        self, spec: Spec, weights: Weights, wrap: Callable[[tf.keras.Model], tf.keras.Model] = lambda model: model
    ) -> Callable[[], tf.keras.Model]:
        def build() -> tf.keras.Model:
            model = classifier_of(self.config, self.tasks, spec)
            set_weights(model, weights)
            return wrap(model)

        return build


def _held(weights: Weights) -> Sequence[Callback]:
    masks = zero_masks(dict(weights))
    return [HoldZeros(masks)] if masks else []
