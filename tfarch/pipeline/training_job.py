"""The second part of the main job: training, and what is fitted on validation with the weights that it leaves."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfarch.config import Config
from tfarch.errors import InputError
from tfarch.evaluation.calibration import fit_temperature
from tfarch.evaluation.tasks import counted
from tfarch.models.classifier import HEAD, build_classifier, columns_of, head_of, of_all_tasks, of_task
from tfarch.models.weights import get_weights, load_weights, save_weights, set_weights
from tfarch.pipeline.fitting import (
    Fitting,
    Weights,
    classes_of,
    classifier_of,
    fingerprint_of,
    joint_lesson,
    measured_stage,
    start_of,
    with_guesses,
)
from tfarch.pipeline.lesson import Lesson, lesson_of
from tfarch.pipeline.prepare import Prepared, Tasks, some_rows
from tfarch.pipeline.trained import TrainedClassifier, TrainedModel
from tfarch.pipeline.untrained import untrained_vectors
from tfarch.progress import say
from tfarch.run_folder import RunFolder
from tfarch.runtime.signature import SINGLE
from tfarch.training.defaults import settled
from tfarch.training.inference import Forward
from tfarch.training.interpolation import best_between, mean_of
from tfarch.training.probe import L2, ROWS, chosen_l2, fit_probe

_ANOTHER_SEED = 1_000_003  # from one training of a soup to the next


def train(config: Config, tasks: Tasks, folder: RunFolder, licence: str) -> TrainedModel:
    """Fine-tunes (or trains) the classifier of all tasks; resumes where the same run was interrupted."""
    start, soup = start_of(tasks), config.train.soup
    if soup > 1 and not start.weights:
        raise InputError(f"train.soup={soup}: only trainings from the same pre-trained weights can be averaged", mend="leave it at 1")
    lessons = joint_lesson(config, tasks, lambda task, prepared: lesson_of(config, prepared, folder.cache))
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
        model = classifier_of(own, tasks, start.spec)
        if start.weights:
            optional = tuple(head_of(task) for task in tasks)
            set_weights(model, begin, source=start.provenance["name"], optional=optional)
        return model

    guessed = {}
    if config.train.guess_missing and any(lessons.lacking.values()):
        first = dataclasses.replace(settings, epochs=max(1, settings.epochs // 2), soup=1)
        say(f"a first training guesses the labels that texts lack: {counted(lessons.lacking)}")
        model, figures = Fitting("guess", first, start.spec, start.weights, build).run(config, tasks, lessons.examples, folder)
        guessed = {"guessed_labels": {"rows": lessons.lacking, "epochs": figures["epochs"], "seconds": figures["seconds"]}}
        lessons = with_guesses(lessons, model, tasks)
    members, one = [], dataclasses.replace(settings, soup=1)
    for number in range(soup):
        own = dataclasses.replace(config, seed=(config.seed + number * _ANOTHER_SEED) % 2**32)
        name = f"fit-{number + 1}" if number else "fit"
        fitting = Fitting(name, one, start.spec, start.weights, functools.partial(build, own))
        model, figures = fitting.run(own, tasks, lessons.examples, folder)
        members.append((get_weights(model), figures))
    figures, weights = {**_of_soup([own for _, own in members]), **guessed}, mean_of([each for each, _ in members])
    trained = TrainedModel(
        {
            task: TrainedClassifier(
                labels=prepared.labels,
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
            measured_stage(
                config,
                "trained",
                trained.tasks[task],
                start.spec,
                of_task(weights, task),
                prepared,
                {**figures, **lessons.lessons[task].figures},
            )
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


def _interpolated(begin: Weights, end: Weights, config: Config, tasks: Tasks, figures: Mapping):
    """Weights between the probe's and the trained ones by validation's log-likelihood at its best temperature, summed over the tasks by their weights;
    and the figures with how it went."""
    classes = classes_of(tasks)
    valid, model = {task: prepared.valid.in_scope for task, prepared in tasks.items()}, build_classifier(start_of(tasks).spec, classes)
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
    fingerprint = fingerprint_of(
        config, alone, joint_lesson(config, alone, lambda *_: lesson).examples, prepared.start.weights, prepared.start.spec
    )
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
