"""The second part of the main job: training, the stages of a recipe, and what is fitted on validation with each stage's weights."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

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
from tfarch.compression.recipe import Prune, QuantisationAware, Recipe
from tfarch.config import Config, TrainConfig
from tfarch.data.batches import plan_epoch
from tfarch.errors import InputError
from tfarch.evaluation.calibration import fit_temperature
from tfarch.evaluation.out_of_scope import Answers, choose, fit_scores
from tfarch.evaluation.tasks import counted
from tfarch.models import Start
from tfarch.models.classifier import HEAD, build_classifier, columns_of, head_of, of_all_tasks, of_task, text_vector
from tfarch.models.spec import spec_as_dict
from tfarch.models.weights import get_weights, load_weights, save_weights, set_weights
from tfarch.pipeline.lesson import JointLesson, Lesson, lesson_after, lesson_of
from tfarch.pipeline.prepare import Part, Prepared, Tasks, some_rows, spread_rows
from tfarch.pipeline.trained import Stage, TrainedClassifier, TrainedModel
from tfarch.pipeline.untrained import untrained_vectors
from tfarch.progress import say
from tfarch.run_folder import RunFolder
from tfarch.runtime.head import spread_examples
from tfarch.runtime.known_rows import KnownRows
from tfarch.runtime.logistic import softmax
from tfarch.runtime.signature import SINGLE
from tfarch.training import Callback, ShowProgress, TensorBoard, Trainer, classification_objective, joint_objective, resolve_freeze
from tfarch.training.defaults import settled
from tfarch.training.inference import ClassificationEvaluator, Forward, MultitaskEvaluator
from tfarch.training.interpolation import best_between, mean_of
from tfarch.training.probe import L2, ROWS, chosen_l2, fit_probe

Weights = Mapping[str, np.ndarray]
EXAMPLES = 5  # training rows of a class whose text vectors a bundle carries, for classes that are added later
_ANOTHER_SEED = 1_000_003  # from one training of a soup to the next
KNOWN_PER_CLASS = 100  # and that the out-of-scope scores are fitted on: more cost a pass through the encoder and move little


def train(config: Config, tasks: Tasks, folder: RunFolder, licence: str) -> TrainedModel:
    """Fine-tunes (or trains) the classifier of all tasks; resumes where the same run was interrupted."""
    start, soup = _start(tasks), config.train.soup
    if soup > 1 and not start.weights:
        raise InputError(f"train.soup={soup}: only trainings from the same pre-trained weights can be averaged", mend="leave it at 1")
    lessons = _joint(config, tasks, lambda task, prepared: lesson_of(config, prepared, folder.cache))
    guesses = any("unlabelled" in lesson.figures for lesson in lessons.lessons.values())
    basis = {"structure": start.spec.structure, "pretrained": bool(start.weights), "guesses": guesses}
    settings = settled(config.train, rows=len(lessons), **basis)
    name = start.provenance["name"] if start.weights else start.spec.structure
    classes = " and ".join(str(len(prepared.labels)) for prepared in tasks.values())
    say(f"training {name} ({start.spec.layers} layers) on {lessons}, {classes} classes")
    probed = start.weights and settings.head_start == "probe"
    heads = {task: _probe(config, tasks[task], lesson, folder) if probed else {} for task, lesson in lessons.lessons.items()}
    begin = of_all_tasks({task: {**start.weights, **head} for task, head in heads.items()})

    def build(own: Config = config) -> tf.keras.Model:
        model = _classifier(own, tasks)
        if start.weights:
            optional = tuple(head_of(task) for task in tasks)
            set_weights(model, begin, source=start.provenance["name"], optional=optional)
        return model

    guessed = {}
    if config.train.guess_missing and any(lessons.lacking.values()):
        first = dataclasses.replace(settings, epochs=max(1, settings.epochs // 2), soup=1)
        say(f"a first training guesses the labels that texts lack: {counted(lessons.lacking)}")
        model, figures = _fit(config, tasks, lessons, folder, "guess", first, build, (), start.weights)
        guessed = {"guessed_labels": {"rows": lessons.lacking, "epochs": figures["epochs"], "seconds": figures["seconds"]}}
        lessons = _with_guesses(lessons, model, tasks)
    members, one = [], dataclasses.replace(settings, soup=1)
    for number in range(soup):
        own = dataclasses.replace(config, seed=(config.seed + number * _ANOTHER_SEED) % 2**32)
        name = f"fit-{number + 1}" if number else "fit"
        model, figures = _fit(own, tasks, lessons, folder, name, one, functools.partial(build, own), (), start.weights)
        members.append((get_weights(model), figures))
    figures, weights = {**_of_soup([own for _, own in members]), **guessed}, mean_of([each for each, _ in members])
    trained = TrainedModel(
        {
            task: TrainedClassifier(
                spec=start.spec,
                labels=prepared.labels,
                tokeniser=start.tokeniser,
                max_length=config.data.max_length,
                provenance={
                    "weights": start.provenance,
                    "data": {
                        "name": prepared.dataset.name,
                        "licence": config.data.licence or _licence(prepared.dataset.provenance, licence),
                        "sha256": prepared.dataset.sha256,
                    },
                },
                data=prepared.facts(),
            )
            for task, prepared in tasks.items()
        }
    )
    if probed and settings.interpolate:
        weights, figures = _interpolated(begin, weights, config, tasks, figures)
    stages = {
        task: [
            _stage(config, "trained", trained.tasks[task], of_task(weights, task), prepared, {**figures, **lessons.lessons[task].figures})
        ]
        for task, prepared in tasks.items()
    }
    trained = trained.with_stages(stages)
    trained.save(folder)
    return trained


def _of_soup(members: Sequence[Mapping]) -> dict:
    """The figures of a training, those of the first of several with the time of all."""
    if len(members) == 1:
        return dict(members[0])
    return {**members[0], "seconds": sum(each["seconds"] for each in members), "soup": len(members)}


def _licence(provenance: Mapping, of_files: str) -> str:
    """What a catalogue says of its set, be it "unknown"; of files nothing is said but `of_files`."""
    return provenance["licence"] if provenance["kind"] == "tfds" else of_files


def _start(tasks: Tasks) -> Start:
    return next(iter(tasks.values())).start


def _joint(config: Config, tasks: Tasks, lesson: Callable[[str, Prepared], Lesson]) -> JointLesson:
    lessons = {task: lesson(task, prepared) for task, prepared in tasks.items()}
    return JointLesson(lessons, _classes(tasks), config.train.class_weights, config.train.task_weights)


def _with_guesses(lessons: JointLesson, model: tf.keras.Model, tasks: Tasks) -> JointLesson:
    """With what `model` says of each text, calibrated on validation, for the labels that it lacks (Lee 2013; Xie et al. 2020, "Noisy Student")."""
    forward, classes = Forward(model), _classes(tasks)
    logits, guesses = forward(lessons.labelled.tokens), []
    for task, prepared in tasks.items():
        valid, columns = prepared.valid.in_scope, columns_of(classes, task)
        temperature = fit_temperature(forward(valid.tokens)[:, columns], valid.targets).value
        guesses.append(softmax(logits[:, columns] / temperature))
    return dataclasses.replace(lessons, guesses=np.concatenate(guesses, axis=1))


def _classes(tasks: Tasks) -> dict[str, int]:
    return {task: len(prepared.labels) for task, prepared in tasks.items()}


def _interpolated(begin: Weights, end: Weights, config: Config, tasks: Tasks, figures: Mapping):
    """Weights between the probe's and the trained ones by validation's log-likelihood at its best temperature, summed over the tasks by their weights;
    and the figures with how it went."""
    classes = _classes(tasks)
    valid, model = {task: prepared.valid.in_scope for task, prepared in tasks.items()}, build_classifier(_start(tasks).spec, classes)
    forward = Forward(model)

    def loss(weights: Weights) -> float:
        set_weights(model, weights)
        return sum(
            config.train.task_weights.get(task, 1.0)
            * fit_temperature(forward(part.tokens)[:, columns_of(classes, task)], part.targets).nll_after
            for task, part in valid.items()
        )

    weights, share, losses = best_between(begin, end, loss)
    say(
        f"taking the weights at {share:.0%} of the way from the probe: validation loss {losses[share]:.4f}, at the end of it {losses[1.0]:.4f}"
    )
    return weights, {**figures, "interpolation": {"share": share, "valid_nll": {f"{at:g}": value for at, value in losses.items()}}}


def _probe(config: Config, prepared: Prepared, lesson: Lesson, folder: RunFolder) -> Weights:
    """The head's weights as a linear probe of the untrained encoder gives them; kept in the cache for a run that is resumed."""
    alone = {SINGLE: prepared}
    fingerprint = _fingerprint(config, alone, _joint(config, alone, lambda *_: lesson), prepared.start.weights)
    file = folder.cache / f"probe-{fingerprint[:24]}.safetensors"
    if file.is_file():
        return load_weights(file)
    rows = some_rows(len(lesson), ROWS, config.seed)
    vectors = (
        untrained_vectors(prepared.start, lesson.tokens.select(rows), folder.cache) if lesson.vectors is None else lesson.vectors[rows]
    )
    targets, classes = lesson.targets[rows], len(prepared.labels)
    l2 = chosen_l2(vectors, targets, classes, config.seed)
    if l2 > L2:
        say(f"the untrained encoder's vectors hardly tell the classes apart: the head starts from a probe of weight decay {l2:g}")
    kernel, bias = fit_probe(vectors, targets, classes, counts=lesson.counts[rows], l2=l2)
    head = {f"{HEAD}/kernel": kernel, f"{HEAD}/bias": bias}
    save_weights(head, file)
    return head


def require_fitting(recipe: Recipe, tasks: Tasks) -> None:
    """Told before the training and not after it: every stage of `recipe` finds layers to work on.

    Raises:
        InputError: one does not; lists the layers that there are.
    """
    model = build_classifier(_start(tasks).spec, _classes(tasks))
    for stage in recipe.stages:
        chosen_layers(model, stage.layers)


def compress(config: Config, tasks: Tasks, trained: TrainedModel, recipe: Recipe, folder: RunFolder) -> TrainedModel:
    """Applies the stages of `recipe` to the trained weights; the result is a further stage, named as the recipe."""
    weights: Weights = trained.weights(0)
    lessons = _joint(config, tasks, lambda task, prepared: lesson_after(config, prepared, trained.tasks[task], folder.cache))
    if config.train.guess_missing and any(lessons.lacking.values()):
        lessons = _with_guesses(lessons, trained.build(0), tasks)
    figures: list[dict] = []
    for number, stage in enumerate(recipe.stages, 1):
        say(f"recipe {recipe.name}, stage {number} of {len(recipe.stages)}: {stage.kind}")
        run = {Prune: _prune, QuantisationAware: _quantisation_aware}[type(stage)]
        weights, done = run(config, tasks, lessons, folder, f"{recipe.name}-{number}-{stage.kind}", stage, weights)
        figures.append({"kind": stage.kind, "kernel_sparsity": kernel_sparsity(dict(weights)), **done})
    facts = {"recipe": recipe.as_dict(), "stages": figures}
    stages = {}
    for task, prepared in tasks.items():
        own = trained.tasks[task]
        added = _stage(config, recipe.name, own, of_task(weights, task), prepared, facts)
        stages[task] = [*(stage for stage in own.stages if stage.name != recipe.name), added]
    trained = trained.with_stages(stages)
    trained.save(folder)
    return trained


def _prune(config: Config, tasks: Tasks, lessons: JointLesson, folder: RunFolder, name: str, stage: Prune, weights: Weights):
    settings = _stage_settings(config, lessons, stage.epochs, stage.learning_rate)
    batches = len(plan_epoch(lessons.examples.lengths, settings.batch_size, seed=config.seed, epoch=0))
    build = _from(config, tasks, weights, lambda model: with_pruning(model, stage, batches * stage.epochs))
    model, figures = _fit(
        config, tasks, lessons, folder, name, settings, build, [UpdatePruningStep(), *_held(weights)], weights, stripped, stage
    )
    return weights_of_pruned(model), figures


def _quantisation_aware(
    config: Config, tasks: Tasks, lessons: JointLesson, folder: RunFolder, name: str, stage: QuantisationAware, weights: Weights
):
    settings = _stage_settings(config, lessons, stage.epochs, stage.learning_rate)
    build = _from(config, tasks, weights, lambda model: with_quantisation(model, stage))
    model, figures = _fit(config, tasks, lessons, folder, name, settings, build, _held(weights), weights, stage=stage)
    return weights_of_quantised(model), figures


def _held(weights: Weights) -> list[Callback]:
    masks = zero_masks(dict(weights))
    return [HoldZeros(masks)] if masks else []


def _stage_settings(config: Config, lessons: JointLesson, epochs: int, learning_rate: float) -> TrainConfig:
    settings = resolve_freeze(config.train, len(lessons), pretrained=True)
    # The last epoch counts, not the best one: an earlier epoch has not reached the sparsity or the grid that the stage is for.
    # In float32: under mixed precision TF-MOT would read the weights in half precision, mask them, and write them back.
    return dataclasses.replace(settings, epochs=epochs, learning_rate=learning_rate, monitor="last", patience=0, precision="float32")


def _from(config: Config, tasks: Tasks, weights: Weights, wrap: Callable[[tf.keras.Model], tf.keras.Model]) -> Callable[[], tf.keras.Model]:
    def build() -> tf.keras.Model:
        model = _classifier(config, tasks)
        set_weights(model, weights)
        return wrap(model)

    return build


def _classifier(config: Config, tasks: Tasks) -> tf.keras.Model:
    model = config.model
    return build_classifier(
        _start(tasks).spec, _classes(tasks), dropout=model.dropout, attention_dropout=model.attention_dropout, seed=config.seed
    )


def _fit(
    config: Config,
    tasks: Tasks,
    lessons: JointLesson,
    folder: RunFolder,
    name: str,
    settings: TrainConfig,
    build: Callable[[], tf.keras.Model],
    callbacks: Sequence[Callback],
    weights: Weights,
    plain: Callable[[tf.keras.Model], tf.keras.Model] = lambda model: model,
    stage: Prune | QuantisationAware | None = None,
):
    """One training, of a recipe's `stage` where one is given: (model with its weights, figures). What is validated is the `plain` form."""
    classes = _classes(tasks)
    valid = {task: prepared.valid.in_scope for task, prepared in tasks.items()}
    evaluator = MultitaskEvaluator(
        {
            task: ClassificationEvaluator(part.tokens, part.targets, tasks[task].labels, columns_of(classes, task))
            for task, part in valid.items()
        },
        settings.task_weights,
    )
    plain = functools.cache(plain)
    shown = [TensorBoard(folder.tensorboard / name, histograms=settings.histograms), ShowProgress(name)]
    trainer = Trainer(settings, seed=config.seed, folder=folder.checkpoints / name, callbacks=[*callbacks, *shown])
    trained = trainer.fit(
        build,
        joint_objective(classification_objective(settings), list(classes.values())),
        lessons.examples,
        lambda model: evaluator(plain(model)),
        layers=_start(tasks).spec.layers,
        fingerprint=_fingerprint(config, tasks, lessons, weights, stage),
    )
    return trained.model, trained.figures


def _fingerprint(
    config: Config, tasks: Tasks, lessons: JointLesson, weights: Weights, stage: Prune | QuantisationAware | None = None
) -> str:
    """What a training depends on beside its settings: data, structure, the weights that it starts from, and the stage of a recipe."""
    digest = hashlib.sha256(lessons.digest())
    for prepared in tasks.values():
        digest.update(prepared.valid.tokens.ids.tobytes() + prepared.valid.targets.tobytes())
    model = dataclasses.asdict(config.model)
    recipe, start = None if stage is None else dataclasses.asdict(stage), _start(tasks)
    labels = {task: prepared.labels for task, prepared in tasks.items()}
    described = [spec_as_dict(start.spec), start.provenance, model, labels, recipe]
    digest.update(json.dumps(described, sort_keys=True).encode())
    for name in sorted(weights):
        digest.update(np.ascontiguousarray(weights[name]).tobytes())
    return digest.hexdigest()


def _stage(config: Config, name: str, trained: TrainedClassifier, weights: Weights, prepared: Prepared, figures: Mapping) -> Stage:
    """A stage with the out-of-scope scores that fit its weights on training rows, and their temperature and threshold on validation."""
    stage = Stage(name, weights, {}, {}, figures)
    model = trained.build(stage)
    both = Forward(tf.keras.Model(model.input, tf.concat([model.output, text_vector(model)], axis=1)))
    classes = len(trained.labels)

    def forward(part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Logits and text vectors."""
        output = both(part.tokens) if len(part.texts) else np.empty((0, model.output_shape[-1] + trained.spec.width), np.float32)
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
