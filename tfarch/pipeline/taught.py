"""What a stage of a recipe learns from a teacher: what it says of the texts that are trained on, of texts without labels, and of texts made of the first."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfarch.compression.recipe import Training
from tfarch.config import Config
from tfarch.data.batches import Examples
from tfarch.data.tokens import Tokens, tokenise
from tfarch.models.classifier import columns_of
from tfarch.pipeline.fitting import Taught, classes_of, joint_lesson, with_text_vector
from tfarch.pipeline.kept_output import kept_output
from tfarch.pipeline.lesson import JointLesson, Lesson, lesson_after, unlabelled_texts
from tfarch.pipeline.prepare import Prepared, Tasks
from tfarch.pipeline.teachers import load_teacher, require_like_vectors, taught_by, texts_of
from tfarch.pipeline.trained import TrainedModel
from tfarch.pipeline.variations import varied_texts
from tfarch.progress import say
from tfarch.run_folder import RunFolder
from tfarch.runtime.tokeniser import Tokeniser
from tfarch.training.devices import precision_for, precision_policy
from tfarch.training.inference import Forward


def taught_of(stage: Training) -> Taught | None:
    """What counts of what a teacher says; None where the stage has none."""
    taught = Taught(stage.distillation, stage.temperature, stage.text_vectors, bool(stage.hidden_states or stage.relations))
    return taught if taught.share or taught.vectors or taught.distance else None


class Asked:
    """What the trained model says of texts that are given in its ids: logits and text vectors, float32 `[n, sum of classes + width]`; kept in a folder, so that a
    further recipe need not ask again.

    Args:
        precision: as the run trained: bfloat16 takes 0.6 of the time where it is fast, and moves the probabilities by 0.0005.
    """

    def __init__(self, trained: TrainedModel, precision: str, cache: Path):
        self._trained, self._precision, self._cache = trained, precision_for(precision), cache

    def __call__(self, tokens: Tokens) -> np.ndarray:
        spec, weights = self._trained.any.stages[0].spec, self._trained.weights(0)
        return kept_output(self._cache, f"answers-{self._precision}", spec, weights, tokens, lambda: self._ask(tokens))

    def _ask(self, tokens: Tokens) -> np.ndarray:
        say(f"asking the trained model about {len(tokens):,} texts")
        return self._forward(tokens, title="asking the trained model")

    @functools.cached_property
    def _forward(self) -> Forward:
        with precision_policy(self._precision):
            return Forward(with_text_vector(self._trained.build(0)))


def lessons_of(config: Config, tasks: Tasks, trained: TrainedModel, folder: RunFolder, said: Asked) -> JointLesson:
    """What all tasks train on after the main training."""
    classes = classes_of(tasks)

    def lesson(task: str, prepared: Prepared) -> Lesson:
        return lesson_after(config, prepared, trained.tasks[task], folder.cache, lambda tokens: said(tokens)[:, columns_of(classes, task)])

    return joint_lesson(config, tasks, lesson)


@dataclass(frozen=True)
class Teaching:
    """The teacher is the model of another run where `config.compress.teacher` names one, and else `trained`, in whose ids all texts are.

    lessons: what is trained on without a teacher.
    asked: the trained model.
    """

    config: Config
    tasks: Tasks
    lessons: JointLesson
    trained: TrainedModel
    folder: RunFolder
    asked: Asked

    def examples(self, stage: Training, width: int) -> Examples:
        """What a stage that has a teacher trains on: what it says stands beside the labels, and alone where there are none.

        Args:
            width: of the text vectors of the model that learns.

        Raises:
            InputError: the stage compares text vectors, and the teacher's have another width.
        """
        taught, classes = taught_of(stage), sum(classes_of(self.tasks).values())
        more, said = self._said(stage.variations)
        found = self._told.taught(said[:, :classes] / taught.temperature, more)
        if not taught.vectors:
            return found
        require_like_vectors(width, said.shape[1] - classes)
        return dataclasses.replace(found, targets=np.concatenate([found.targets, said[:, classes:]], axis=1))

    def counts(self, examples: Examples) -> dict[str, int]:
        """How many of a stage's examples are texts of the lessons, texts without labels, and texts made of the training texts."""
        rows, unlabelled = len(self._told.examples), len(self._unlabelled)
        return {"rows": rows, "unlabelled": unlabelled, "made": len(examples) - rows - unlabelled}

    @property
    def _tokeniser(self) -> Tokeniser:
        """That of the trained model."""
        return self.trained.any.stages[0].tokeniser

    @functools.cached_property
    def _told(self) -> JointLesson:
        """The lessons without guesses at what texts without labels are."""
        if not self._unlabelled:
            return self.lessons
        config = dataclasses.replace(self.config, data=dataclasses.replace(self.config.data, unlabelled=None))
        lessons = lessons_of(config, self.tasks, self.trained, self.folder, self.asked)
        return dataclasses.replace(lessons, guesses=None)

    @functools.cached_property
    def _unlabelled(self) -> Sequence[str]:
        """Texts without labels."""
        return unlabelled_texts(self.config, next(iter(self.tasks.values()))) if self.config.data.unlabelled else ()

    def _said(self, variations: int) -> tuple[Tokens | None, np.ndarray]:
        """The texts without labels and so many made of each training text; and what the teacher says of all texts, these last: logits and text vectors,
        `[n, sum of classes + width]`. Each text is asked about once, whatever the stages ask for: fewer variations are the beginning of more."""
        known = dict.fromkeys(text for prepared in self.tasks.values() for text in prepared.train.texts)
        own, heard = self._told.examples.tokens, self._heard
        if not heard:
            heard.append((own, self._answers(own, ())))
            self._hear(self._unlabelled)
        made = varied_texts(list(known), variations, self.config.seed)
        self._hear(made[sum(len(tokens) for tokens, _ in heard[1:]) - len(self._unlabelled) :])
        count = len(self._unlabelled) + len(made)
        added = Tokens.joined([tokens for tokens, _ in heard[1:]]).select(np.arange(count)) if count else None
        return added, np.concatenate([said for _, said in heard])[: len(own) + count]

    def _hear(self, texts: Sequence[str]) -> None:
        if texts:
            tokens = tokenise(texts, self._tokeniser, self.config.data.max_length, self.folder.cache)
            self._heard.append((tokens, self._answers(tokens, texts)))

    @functools.cached_property
    def _heard(self) -> list[tuple[Tokens, np.ndarray]]:
        """What the teacher was asked about so far: the texts trained on, then, part by part, others; and what it said."""
        return []

    @functools.cached_property
    def _answers(self) -> Callable[[Tokens, Sequence[str]], np.ndarray]:
        """Who says what texts are, given in the trained model's ids; those that are not trained on also in words."""
        if self.config.compress.teacher is not None:
            tokeniser, max_length = self._tokeniser, self.config.data.max_length
            model = load_teacher(self.config.compress.teacher, self.tasks)
            return lambda tokens, more: taught_by(model, self.tasks, texts_of(tokens, self.tasks, tokeniser, max_length, more))
        # As its file says them, with the temperature that validation settled: the logits of rows that it was trained on are surer than it is right.
        temperatures = [self.trained.tasks[task].stages[0].calibration["temperature"] for task in classes_of(self.tasks)]
        softened = np.repeat(temperatures, list(classes_of(self.tasks).values())).astype(np.float32)

        def answers(tokens: Tokens, more: Sequence[str]) -> np.ndarray:
            said = self.asked(tokens)
            return np.concatenate([said[:, : len(softened)] / softened, said[:, len(softened) :]], axis=1)

        return answers
