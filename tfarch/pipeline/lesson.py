"""What the classifier is trained on: the labelled rows, and where they are few, the classes' names as a row each and texts without labels.

A text without a label is taken for the class that a probe of the untrained encoder is surest of (`tfarch.training.self_training`), and counts half.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfarch.config import Config
from tfarch.data import texts_in
from tfarch.data.batches import Examples
from tfarch.data.class_names import spoken
from tfarch.data.normal_form import normal_form
from tfarch.data.tokens import Tokens, tokenise
from tfarch.errors import InputError
from tfarch.evaluation.out_of_fold import out_of_fold_loss, stratified_folds
from tfarch.pipeline.prepare import Prepared
from tfarch.pipeline.trained import TrainedClassifier
from tfarch.pipeline.untrained import untrained_vectors
from tfarch.progress import say
from tfarch.runtime.logistic import softmax
from tfarch.training import class_weights
from tfarch.training.probe import chosen_l2, fit_probe
from tfarch.training.self_training import self_trained_probe, surest

REST = "rest"  # data.unlabelled: the training rows that were left out
FEW = 20  # labelled rows of a class, on average, from which on its name adds nothing
FOLDS = 5
SHARE = 0.4  # of the texts without labels, that train (see `surest`): of BANKING77's, 96 to 97 in 100 were then taken for what they are
LABELLED = 2.0  # what a labelled row counts beside texts whose label is a guess


@dataclass(frozen=True)
class Lesson:
    """Texts to train on.

    targets: class numbers int32 `[n]`.
    counts: what each counts, float32 `[n]`.
    vectors: text vectors by the untrained encoder, float32 `[n, width]`, where they were looked at to choose the rows; else None.
    figures: for the report, how the rows beside the labelled ones came about.
    """

    tokens: Tokens
    targets: np.ndarray
    counts: np.ndarray
    vectors: np.ndarray | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    def __str__(self) -> str:
        taken = self.figures.get("unlabelled", {}).get("taken", 0)
        names = len(np.unique(self.targets)) if self.figures.get("class_names", {}).get("used") else 0
        counted = {"texts": len(self) - names - taken, "names of classes": names, "texts without labels": taken}
        return " and ".join(f"{count:,} {what}" for what, count in counted.items() if count)

    def examples(self, classes: int, weighting: str) -> Examples:
        """As the Trainer takes them; `weighting` is `train.class_weights`."""
        return Examples(self.tokens, self.targets, self.counts * class_weights(self.targets, classes, weighting))

    def _and(self, tokens: Tokens, targets: np.ndarray, vectors: np.ndarray | None = None, **figures: Any) -> Lesson:
        return Lesson(
            Tokens.joined([self.tokens, tokens]),
            np.concatenate([self.targets, targets]).astype(np.int32),
            np.concatenate([self.counts, np.ones(len(targets), np.float32)]),
            None if self.vectors is None or vectors is None else np.concatenate([self.vectors, vectors]),
            {**self.figures, **figures},
        )

    def _looked_at(self, prepared: Prepared, cache: Path) -> Lesson:
        """With its vectors."""
        return (
            self if self.vectors is not None else dataclasses.replace(self, vectors=untrained_vectors(prepared.start, self.tokens, cache))
        )


@dataclass(frozen=True)
class JointLesson:
    """What one encoder trains on for several tasks together: each text once, with the labels that it has.

    classes: of each task.
    weighting: `train.class_weights`.
    task_weights: of their losses, 1 where none is given.
    guesses: class probabilities `[len(self), sum of classes]` that stand in for the labels that a text lacks, and count half as much; None: nothing does.
    """

    lessons: Mapping[str, Lesson]
    classes: Mapping[str, int]
    weighting: str
    task_weights: Mapping[str, float]
    guesses: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labelled)

    @property
    def lacking(self) -> dict[str, int]:
        """How many texts have no label of each task."""
        return dict(zip(self.lessons, (self.labelled.targets < 0).sum(axis=0).tolist(), strict=True))

    @property
    def examples(self) -> Examples:
        """As the Trainer takes them: with class probabilities float32 `[n, sum of classes]` for targets where there are guesses, else as `labelled`."""
        if self.guesses is None:
            return self.labelled
        targets, weights, begin = self.guesses.astype(np.float32), self.labelled.weights.copy(), 0
        for number, (task, classes) in enumerate(self.classes.items()):
            known = np.flatnonzero(self.labelled.targets[:, number] >= 0)
            targets[known, begin : begin + classes] = 0.0
            targets[known, begin + self.labelled.targets[known, number]] = 1.0
            lacks = self.labelled.targets[:, number] < 0
            weights[lacks, number] = self.task_weights.get(task, 1.0) / LABELLED
            begin += classes
        return Examples(self.labelled.tokens, targets, weights)

    def taught(self, logits: np.ndarray, unlabelled: Tokens | None = None) -> Examples:
        """With what a teacher says of every text, also where it lacks a label: targets float32 `[n, 2 * sum of classes]`, the labels' probabilities, zeros where there is none,
        and then the teacher's.

        Args:
            logits: the teacher's `[n, sum of classes]`, over the temperature; of these texts and after them of `unlabelled`.
            unlabelled: texts beside them of which only the teacher says what they are.
        """
        own, (rows, count) = self.examples, logits.shape
        targets, weights, begin = np.zeros((rows, 2 * count), np.float32), np.zeros((rows, len(self.classes)), np.float32), 0
        weights[: len(own)] = own.weights
        for number, (task, classes) in enumerate(self.classes.items()):
            columns, without = slice(begin, begin + classes), np.arange(len(own), rows)
            if self.guesses is None:
                known = np.flatnonzero(own.targets[:, number] >= 0)
                targets[known, begin + own.targets[known, number]] = 1.0
                without = np.concatenate([np.flatnonzero(own.targets[:, number] < 0), without])
            else:
                targets[: len(own), columns] = own.targets[:, columns]
            weights[without, number] = self.task_weights.get(task, 1.0) / LABELLED
            targets[:, count:][:, columns] = softmax(logits[:, columns])
            begin += classes
        return Examples(own.tokens if unlabelled is None else Tokens.joined([own.tokens, unlabelled]), targets, weights)

    def __str__(self) -> str:
        return ", ".join(f"{lesson} for {task}" if task else str(lesson) for task, lesson in self.lessons.items())

    @functools.cached_property
    def labelled(self) -> Examples:
        """Each text with the labels that it has: class numbers int32 `[n, tasks]`, -1 where it has none, and their weights float32 `[n, tasks]`."""
        own = [lesson.examples(self.classes[task], self.weighting) for task, lesson in self.lessons.items()]
        tokens = Tokens.joined([each.tokens for each in own])
        pieces = [tokens.ids[begin:end].tobytes() for begin, end in zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)]
        # A text that stands twice in one task's rows keeps both: they may differ in their labels.
        rows: dict[tuple[bytes, int], int] = {}
        places, firsts, offset = [], [], 0
        for each in own:
            times: Counter[bytes] = Counter()
            for row in range(len(each)):
                piece = pieces[offset + row]
                key, times[piece] = (piece, times[piece]), times[piece] + 1
                if key not in rows:
                    rows[key] = len(firsts)
                    firsts.append(offset + row)
                places.append(rows[key])
            offset += len(each)
        targets = np.full((len(firsts), len(own)), -1, np.int32)
        weights = np.zeros((len(firsts), len(own)), np.float32)
        offset = 0
        for number, (task, each) in enumerate(zip(self.lessons, own, strict=True)):
            chosen = places[offset : offset + len(each)]
            targets[chosen, number] = each.targets
            weights[chosen, number] = each.weights * self.task_weights.get(task, 1.0)
            offset += len(each)
        return Examples(tokens.select(np.array(firsts)), targets, weights)


def require_unlabelled(config: Config, prepared: Prepared) -> None:
    """Told before any work: the texts without labels that `config` asks for are there, and something pre-trained that can tell what they are.

    Raises:
        InputError: they are not, or there is no such thing.
    """
    if not config.data.unlabelled:
        return
    if not prepared.start.weights:
        place = config.data.unlabelled
        raise InputError(f"data.unlabelled={place}: only a pre-trained encoder can tell what they are", mend="leave the setting out")
    unlabelled_texts(config, prepared)


def lesson_of(config: Config, prepared: Prepared, cache: Path) -> Lesson:
    """What `config` lets train beside the labelled rows of `prepared`, which `require_unlabelled` has passed."""
    lesson = _with_class_names(_labelled(prepared), config, prepared, cache)
    return _with_unlabelled(lesson, config, prepared, cache) if config.data.unlabelled else lesson


def lesson_after(
    config: Config, prepared: Prepared, trained: TrainedClassifier, cache: Path, said: Callable[[Tokens], np.ndarray]
) -> Lesson:
    """What the stages of a recipe train on: as before, but of the texts without labels it is the trained model that says what they are.

    Args:
        said: the trained model's logits of texts, `[n, classes]`.

    Raises:
        InputError: the texts without labels that `config` asks for are not there.
    """
    stage, lesson = trained.stages[0], _labelled(prepared)
    if stage.figures.get("class_names", {}).get("used"):
        lesson = lesson._and(_names(config, prepared), np.arange(len(prepared.labels)))
    if not config.data.unlabelled:
        return lesson
    texts = unlabelled_texts(config, prepared)
    tokens = tokenise(texts, prepared.start.tokeniser, config.data.max_length, cache)
    taken, guesses = surest(softmax(said(tokens)), SHARE)
    figures = _unlabelled_figures(config, texts, taken)
    return dataclasses.replace(lesson, counts=LABELLED * lesson.counts)._and(tokens.select(taken), guesses, unlabelled=figures)


def _labelled(prepared: Prepared) -> Lesson:
    train = prepared.train
    return Lesson(train.tokens, train.targets, np.ones(len(train.targets), np.float32))


def _names(config: Config, prepared: Prepared) -> Tokens:
    return tokenise([spoken(label) for label in prepared.labels], prepared.start.tokeniser, config.data.max_length)


def _with_class_names(lesson: Lesson, config: Config, prepared: Prepared, cache: Path) -> Lesson:
    asked, classes = config.train.class_names, len(prepared.labels)
    if asked == "never":
        return lesson
    names = _names(config, prepared)
    if asked == "always":
        return lesson._and(names, np.arange(classes), class_names={"used": True})
    if not prepared.start.weights or len(lesson) >= FEW * classes:
        return lesson
    lesson, added = lesson._looked_at(prepared, cache), untrained_vectors(prepared.start, names, cache)
    l2 = chosen_l2(lesson.vectors, lesson.targets, classes, config.seed)
    told = {used: _unseen_loss(lesson, added if used else added[:0], classes, l2, config.seed) for used in (False, True)}
    figures = {"used": told[True] < told[False], "nll_without": told[False], "nll_with": told[True]}
    if not figures["used"]:
        return dataclasses.replace(lesson, figures={"class_names": figures})
    return lesson._and(names, np.arange(classes), added, class_names=figures)


def _unseen_loss(lesson: Lesson, added: np.ndarray, classes: int, l2: float, seed: int) -> float:
    """Mean negative log-likelihood of the labelled rows by heads that have not seen them, but what is `added`: vectors of the classes' names, or none."""
    folds = stratified_folds(lesson.targets, np.arange(len(lesson)), FOLDS, seed)

    def fit(features: np.ndarray, targets: np.ndarray, classes: int):
        return fit_probe(np.concatenate([features, added]), np.concatenate([targets, np.arange(len(added))]), classes, l2=l2)

    return out_of_fold_loss(lesson.vectors, lesson.targets, classes, folds, fit)


def _with_unlabelled(lesson: Lesson, config: Config, prepared: Prepared, cache: Path) -> Lesson:
    start, texts = prepared.start, unlabelled_texts(config, prepared)
    say(f"{len(texts):,} texts without labels: training on those whose class is surest")
    tokens = tokenise(texts, start.tokeniser, config.data.max_length, cache)
    lesson, unknown = lesson._looked_at(prepared, cache), untrained_vectors(start, tokens, cache)
    counts = LABELLED * lesson.counts
    l2 = chosen_l2(lesson.vectors, lesson.targets, len(prepared.labels), config.seed)
    kernel, bias = self_trained_probe(lesson.vectors, lesson.targets, counts, unknown, len(prepared.labels), l2=l2)
    taken, guesses = surest(softmax(unknown @ kernel + bias), SHARE)
    figures = _unlabelled_figures(config, texts, taken)
    return dataclasses.replace(lesson, counts=counts)._and(tokens.select(taken), guesses, unknown[taken], unlabelled=figures)


def _unlabelled_figures(config: Config, texts: Sequence[str], taken: np.ndarray) -> dict[str, Any]:
    digest = hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
    return {"source": Path(config.data.unlabelled).name, "texts": len(texts), "taken": len(taken), "sha256": digest}


def unlabelled_texts(config: Config, prepared: Prepared) -> Sequence[str]:
    """Each text once; those left out that are a row of the data, whose label is known or is a figure's to find out, be it another task's figure.

    Raises:
        InputError: none is left.
    """
    place, dataset = config.data.unlabelled, prepared.dataset
    found = dataset.left_out.texts if place == REST else texts_in(place, config.data.text_column)
    seen = {normal_form(text) for part in dataset.parts.values() for text in part.texts} | dataset.held_elsewhere
    texts = []
    for text in found:
        form = normal_form(text)
        if form and form not in seen:
            seen.add(form)
            texts.append(text)
    if not texts:
        none = "data.shots and data.limit leave no row out" if place == REST else "holds no text that is not in the data"
        raise InputError(f"data.unlabelled={place}: {none}", mend="give a file of texts, or leave the setting out")
    return texts
