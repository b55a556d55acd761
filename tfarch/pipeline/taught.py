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
from tfarch.pipeline.fitting import Taught, classes_of, joint_lesson, with_text_vector
from tfarch.pipeline.kept_output import kept_output
from tfarch.pipeline.lesson import JointLesson, lesson_after, unlabelled_texts
from tfarch.pipeline.prepare import Tasks
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


def lessons_of(config: Config, tasks: Tasks, trained: TrainedModel, folder: RunFolder) -> JointLesson:
    """What all tasks train on after the main training."""
    return joint_lesson(config, tasks, lambda task, prepared: lesson_after(config, prepared, trained.tasks[task], folder.cache))


@dataclass(frozen=True)
class Teaching:
    """The teacher is the model of another run where `config.compress.teacher` names one, and else `trained`, in whose ids all texts are.

    lessons: what is trained on without a teacher.
    said_before: folder where it is kept what `trained` says of texts, so that a further recipe need not ask again.
    """

    config: Config
    tasks: Tasks
    lessons: JointLesson
    trained: TrainedModel
    folder: RunFolder
    said_before: Path

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
        lessons = lessons_of(config, self.tasks, self.trained, self.folder)
        return dataclasses.replace(lessons, guesses=None)

    @functools.cached_property
    def _unlabelled(self) -> Sequence[str]:
        """Texts without labels."""
        return unlabelled_texts(self.config, next(iter(self.tasks.values()))) if self.config.data.unlabelled else ()

    def _said(self, variations: int) -> tuple[Tokens | None, np.ndarray]:
        """The texts without labels and so many made of each training text; and what the teacher says of all texts, these last: logits and text vectors,
        `[n, sum of classes + width]`. Each text is asked about once, whatever the stages ask for: fewer variations are the beginning of more."""
        known = dict.fromkeys(text for prepared in self.tasks.values() for text in prepared.train.texts)
        more = [*self._unlabelled, *varied_texts(list(known), variations, self.config.seed)]
        own, heard = self._told.examples.tokens, self._heard
        if not heard:
            heard.append((own, self._ask(own, ())))
        new = more[sum(len(tokens) for tokens, _ in heard[1:]) :]
        if new:
            tokens = tokenise(new, self._tokeniser, self.config.data.max_length, self.folder.cache)
            heard.append((tokens, self._ask(tokens, new)))
        added = Tokens.joined([tokens for tokens, _ in heard[1:]]).select(np.arange(len(more))) if more else None
        return added, np.concatenate([said for _, said in heard])[: len(own) + len(more)]

    @functools.cached_property
    def _heard(self) -> list[tuple[Tokens, np.ndarray]]:
        """What the teacher was asked about so far: the texts trained on, then, part by part, others; and what it said."""
        return []

    @functools.cached_property
    def _ask(self) -> Callable[[Tokens, Sequence[str]], np.ndarray]:
        """Who says what texts are, given in the trained model's ids; those that are not trained on also in words."""
        if self.config.compress.teacher is not None:
            tokeniser, max_length = self._tokeniser, self.config.data.max_length
            model = load_teacher(self.config.compress.teacher, self.tasks)
            return lambda tokens, more: taught_by(model, self.tasks, texts_of(tokens, self.tasks, tokeniser, max_length, more))
        # As the run trained: bfloat16 takes 0.6 of the time where it is fast, and moves the probabilities by 0.0005.
        precision, spec, weights = precision_for(self.config.train.precision), self.trained.any.stages[0].spec, self.trained.weights(0)

        @functools.cache
        def forward() -> Forward:
            with precision_policy(precision):
                return Forward(with_text_vector(self.trained.build(0)))

        # As its file says them, with the temperature that validation settled: the logits of rows that it was trained on are surer than it is right.
        temperatures = [self.trained.tasks[task].stages[0].calibration["temperature"] for task in classes_of(self.tasks)]
        softened = np.repeat(temperatures, list(classes_of(self.tasks).values())).astype(np.float32)

        def answers(tokens: Tokens, more: Sequence[str]) -> np.ndarray:
            def asked() -> np.ndarray:
                say(f"asking the trained model about {len(tokens):,} texts")
                return forward()(tokens, title="asking the trained model")

            said = kept_output(self.said_before, f"answers-{precision}", spec, weights, tokens, asked)
            return np.concatenate([said[:, : len(softened)] / softened, said[:, len(softened) :]], axis=1)

        return answers
