"""Explains answers by the float model of a run: integrated gradients, in the form that `Classifier.explain` takes as its method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfarch.errors import unknown
from tfarch.models.integrated_gradients import IntegratedGradients, baseline_of
from tfarch.pipeline.trained import TrainedModel
from tfarch.run_folder import RunFolder
from tfarch.runtime.explanation import Completeness, Weights
from tfarch.runtime.signature import SINGLE
from tfarch.runtime.tokeniser import Located


class GradientMethod:
    """Weighs words by integrated gradients on the float32 weights that the last stage of a run left in `checkpoints/`.

    The file that ships rounds these weights: where the float model would answer otherwise, a note says so.

    Raises:
        InputError: nothing was trained in the folder, its files are damaged, or it has no such task.
    """

    name = "integrated_gradients"

    def __init__(self, folder: RunFolder, task: str = SINGLE):
        model = TrainedModel.load(folder)
        if task not in model.tasks:
            raise unknown("task", task, model.tasks)
        trained = model.tasks[task]
        stage = trained.stages[-1]
        self._labels = trained.labels
        self._gradients = IntegratedGradients(trained.build(stage), stage.calibration["temperature"])
        self._pad_id = stage.tokeniser.pad_id

    def __call__(self, texts: Sequence[Located], labels: Sequence[str]) -> list[Weights]:
        """The weights of each text's words for the label that stands beside it."""
        return [self._weights(text, label) for text, label in zip(texts, labels, strict=True)]

    def _weights(self, text: Located, label: str) -> Weights:
        own = self._labels[int(self._gradients.logits(text.ids).argmax())]
        notes: tuple[str, ...] = ()
        if label not in self._labels:  # a class that was added to the bundle
            notes = (f"{label} was added without training: the words are weighed for {own}, which the trained model takes it for",)
            label = own
        elif own != label:
            notes = (f"the float model would answer {own}",)
        found = self._gradients(text.ids, baseline_of(text.ids, text.words, self._pad_id), self._labels.index(label))
        if not found.holds:
            notes = (*notes, f"the words' weights sum to {found.total:.3f}, not to {found.difference:.3f}, with {found.steps} steps")
        pieces = text.words >= 0
        return Weights(
            words=np.bincount(text.words[pieces], weights=found.tokens[pieces], minlength=len(text.spans)),
            notes=notes,
            label=label,
            completeness=Completeness(found.difference, found.total, found.tolerance, found.steps),
        )
