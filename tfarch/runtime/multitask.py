"""Several tasks of one network: one pass through the encoder answers all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfarch.errors import InputError, unknown
from tfarch.runtime.classifier import Classifier, Prediction
from tfarch.runtime.network import Network, checked, require_positive
from tfarch.runtime.passages import of_texts
from tfarch.runtime.signature import SINGLE, VECTOR


class MultitaskClassifier(Mapping[str, Classifier]):
    """The tasks of a network by name; each is a classifier of its own, which explains and predicts as one does.

    >>> model = tfarch.load("saved_models/finance_sentiment/bundle")  # doctest: +SKIP
    >>> model.predict(["Loss narrows at Tolvane Pharma"])[0]["sentiment"].label  # doctest: +SKIP
    'positive'
    >>> model["topic"].labels[:2]  # doctest: +SKIP
    ('analyst_view', 'central_bank')

    Args:
        network: the file that all of them read.
        tasks: a classifier for each, over this network.
        bundle: the whole of bundle.json, for whoever wants to look; its `long_texts` is the default of all that takes texts.
    """

    def __init__(self, network: Network, tasks: Mapping[str, Classifier], *, bundle: Mapping[str, Any] | None = None):
        self.network, self.bundle = network, dict(bundle or {})
        self.long_texts = bool(self.bundle.get("long_texts"))
        self._tasks = dict(tasks)

    @classmethod
    def of(cls, model: Classifier | MultitaskClassifier) -> MultitaskClassifier:
        """What `load` gave as tasks by name; one task alone under `SINGLE`."""
        return model if isinstance(model, MultitaskClassifier) else cls(model.network, {SINGLE: model}, bundle=model.bundle)

    def only(self, task: str) -> MultitaskClassifier:
        """The same with this task alone.

        Raises:
            InputError: there is none of that name.
        """
        if SINGLE in self:
            raise InputError(f"task {task!r}: the model has one task, without a name", mend="leave it out")
        if task not in self:
            raise unknown("task", task, self)
        return MultitaskClassifier(self.network, {task: self[task]}, bundle=self.bundle)

    def __getitem__(self, task: str) -> Classifier:
        return self._tasks[task]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def answers(
        self, texts: Sequence[str], *, batch_size: int = 32, long_texts: bool | None = None
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Each task's probabilities, float32 `[texts, classes]`, and text vectors, `[texts, width]`, in the order of `texts`.

        Args:
            long_texts: a text that is too long for the model is answered by all of its passages, and not by its beginning; default: as the bundle says.

        Raises:
            InputError: a text that is not str (names its index), or one str where a list of them is expected.
        """
        names = (*(task.output for task in self.values()), VECTOR)
        long_texts = self.long_texts if long_texts is None else long_texts
        *probabilities, vectors = of_texts(self.network, texts, names, long_texts=long_texts, batch_size=batch_size)
        return {name: task.extended(own, vectors) for (name, task), own in zip(self.items(), probabilities, strict=True)}, vectors

    def predict(
        self, texts: Sequence[str], *, top: int = 3, batch_size: int = 32, long_texts: bool | None = None
    ) -> list[dict[str, Prediction]]:
        """What each task says of each text: the `top` most probable labels, in the order of `texts`; `long_texts` as of `answers`.

        Raises:
            InputError: as `answers`; `top` under 1.
        """
        require_positive("top", top)
        texts = checked(texts)
        probabilities, vectors = self.answers(texts, batch_size=batch_size, long_texts=long_texts)
        found = [task.predictions(texts, probabilities[name], vectors, top=top) for name, task in self.items()]
        return [dict(zip(self, each, strict=True)) for each in zip(*found, strict=True)]
