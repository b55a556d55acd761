"""Objectives: what a model is trained to do, as a loss for each example. The Trainer weighs and sums them.

An objective is called with the model's output and the targets of a batch and returns float32 `[batch]`, or `[batch, tasks]` where it joins several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfarch.config import TrainConfig
from tfarch.errors import InputError

Objective = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def cross_entropy(*, label_smoothing: float = 0.0, focal_gamma: float = 0.0) -> Objective:
    """Softmax cross-entropy against class numbers `[batch]` or class probabilities `[batch, classes]`.

    Args:
        label_smoothing: share s of the target's probability that is spread over all classes (Szegedy et al. 2016): (1 - s) * target + s / classes.
        focal_gamma: factor (1 - p)^gamma on each class's term, p its probability (Lin et al. 2017); 0 is plain cross-entropy.
    """

    def loss(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        logits = tf.cast(logits, tf.float32)
        if targets.shape.rank == 1:
            if not label_smoothing and not focal_gamma:
                return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
            targets = tf.one_hot(targets, logits.shape[-1])
        targets = tf.cast(targets, tf.float32)
        if label_smoothing:
            labelled = tf.reduce_sum(targets, axis=-1, keepdims=True)  # 0 of a text that has no label: nothing is asked for
            targets = targets * (1.0 - label_smoothing) + labelled * label_smoothing / logits.shape[-1]
        terms = -targets * tf.nn.log_softmax(logits)
        if focal_gamma:
            # Bounded, as the slope of x^gamma at 0, where p rounds to 1, is infinite for gamma < 1.
            terms *= tf.maximum(1.0 - tf.nn.softmax(logits), 1e-7) ** focal_gamma
        return tf.reduce_sum(terms, axis=-1)

    return loss


def classification_objective(settings: TrainConfig) -> Objective:
    """The objective of single-label classification that `settings` describe."""
    for name in ("label_smoothing", "focal_gamma"):
        if getattr(settings, name) < 0 or (name == "label_smoothing" and settings.label_smoothing >= 1):
            raise InputError(f"train.{name}={getattr(settings, name)} is out of range")
    return cross_entropy(label_smoothing=settings.label_smoothing, focal_gamma=settings.focal_gamma)


def joint_objective(objective: Objective, classes: Sequence[int]) -> Objective:
    """The objective of each of several tasks whose logits stand beside each other (Caruana 1997, "Multitask Learning").

    Args:
        objective: of one task, for class numbers or probabilities.
        classes: of each task.

    Returns:
        Logits `[batch, sum of classes]` and class numbers `[batch, tasks]`, -1 where a text has no label of a task -> losses `[batch, tasks]`, 0 there;
        or class probabilities `[batch, sum of classes]` in place of the numbers.
    """

    def loss(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        parts = tf.split(logits, list(classes), axis=-1)
        if targets.dtype.is_floating:
            return tf.stack([objective(*each) for each in zip(parts, tf.split(targets, list(classes), axis=-1), strict=True)], axis=1)
        losses = []
        for task, own in enumerate(parts):
            numbers = targets[:, task]
            losses.append(tf.where(numbers >= 0, objective(own, tf.maximum(numbers, 0)), 0.0))
        return tf.stack(losses, axis=1)

    return loss


def distillation_objective(objective: Objective, classes: Sequence[int], share: float, temperature: float) -> Objective:
    """Of several tasks, what the labels ask for and what a teacher says (Hinton et al. 2015): (1 - share) * objective + share * temperature^2 * cross-entropy of the student's
    probabilities and the teacher's, both at that temperature.

    Args:
        objective: of one task, for class probabilities.
        classes: of each task.

    Returns:
        Logits `[batch, sum of classes]` and probabilities `[batch, 2 * sum of classes]`, the labels' and then the teacher's -> losses `[batch, tasks]`.
    """
    of_labels, of_teacher = joint_objective(objective, classes), joint_objective(cross_entropy(), classes)

    def loss(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        logits = tf.cast(logits, tf.float32)
        labels, teacher = tf.split(targets, 2, axis=-1)
        return (1.0 - share) * of_labels(logits, labels) + share * temperature**2 * of_teacher(logits / temperature, teacher)

    return loss


def with_text_vectors(objective: Objective, width: int, weight: float) -> Objective:
    """An objective to which the distance of text vectors to a teacher's is added, weight * |v - t|^2 / |t|^2 (Jiao et al. 2020 take hidden states so).

    Args:
        objective: of several tasks.
        width: of the vectors.

    Returns:
        Logits and after them vectors `[batch, sum of classes + width]`, what `objective` takes as targets and after it the teacher's vectors -> losses `[batch, tasks]`.
    """

    def loss(output: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        output = tf.cast(output, tf.float32)
        losses = objective(output[:, :-width], targets[:, :-width])
        own, wanted = output[:, -width:], targets[:, -width:]
        distance = tf.reduce_sum(tf.square(own - wanted), axis=1) / tf.maximum(tf.reduce_sum(tf.square(wanted), axis=1), 1e-9)
        return losses + weight * tf.expand_dims(distance, 1) / tf.cast(tf.shape(losses)[1], tf.float32)

    return loss


def with_distance(objective: Objective) -> Objective:
    """An objective to which the distance to a teacher is added, the last column of the output; each of several tasks bears the same part of it."""

    def loss(output: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        losses = objective(output[:, :-1], targets)
        return losses + tf.cast(output[:, -1:], tf.float32) / tf.cast(tf.shape(losses)[1], tf.float32)

    return loss


def next_item_objective(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Negative log-probability of what came next, among the items of the batch: `[1, rows, events]`."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=tf.cast(logits, tf.float32))


def match_objective(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Negative log-probability that the item which came next was wanted or not, and the mean one that the other items of the batch were not: `[1, rows, events]`.

    Args:
        logits: log-odds `[1, rows, events, items]`, -1e9 for what is no wrong answer.
        targets: places int32 `[1, rows, events]`, -1 less the place of what was not wanted.
    """
    logits, wanted = tf.cast(logits, tf.float32), targets >= 0
    places = tf.where(wanted, targets, -1 - targets)
    own = tf.gather(logits, places, batch_dims=3)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.cast(wanted, tf.float32), logits=own)
    others = 1.0 - tf.one_hot(places, tf.shape(logits)[-1])
    counted = others * tf.cast(logits > -1e8, tf.float32)
    return losses + tf.reduce_sum(tf.nn.softplus(logits) * counted, axis=-1) / tf.maximum(tf.reduce_sum(counted, axis=-1), 1.0)


def class_weights(targets: np.ndarray, classes: int, kind: str) -> np.ndarray:
    """A weight for each row, float32 `[n]`, with mean 1: `none`, `balanced` (n / (classes * count), King and Zeng 2001) or `sqrt` of it."""
    if kind == "none":
        return np.ones(len(targets), np.float32)
    counts = np.bincount(targets, minlength=classes).astype(np.float64)
    weights = len(targets) / (classes * np.maximum(counts, 1.0))
    rows = (np.sqrt(weights) if kind == "sqrt" else weights)[targets]
    return (rows / rows.mean()).astype(np.float32)
