"""Logits of a Keras model over many texts, in batches of like length, and the validation metrics made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tfarch.data.batches import Batch, plan_in_order
from tfarch.data.tokens import Tokens
from tfarch.evaluation.metrics import classification_metrics
from tfarch.progress import Progress
from tfarch.runtime.logistic import softmax


class Forward:
    """A model's output without training behaviour, as one graph for all lengths."""

    def __init__(self, model: tf.keras.Model):
        signature = {name: tf.TensorSpec((None, None), tf.int32, name=name) for name in ("ids", "mask", "segment_ids")}
        # The traced graph is called and not the function: TensorFlow counts the functions of one line together, and one for each model is too many for it.
        # Function and model are held, as the graph does not keep the model's variables.
        self._model = model
        self._function = tf.function(lambda inputs: model(inputs, training=False), input_signature=[signature])
        self._run = self._function.get_concrete_function()

    def __call__(self, tokens: Tokens, *, batch_size: int = 64, title: str = "") -> np.ndarray:
        """The output `[n, ...]` for n texts, in their order.

        Args:
            title: of a line that tells how far it is, where it takes long; without one nothing is told.
        """
        result, batches = None, plan_in_order(tokens.lengths, batch_size)
        for batch in _told(batches, title, len(tokens)) if title else batches:
            inputs = {name: tf.constant(value) for name, value in tokens.padded(batch.rows, batch.length).items()}
            output = self._run(inputs).numpy()
            if result is None:
                result = np.empty((len(tokens), *output.shape[1:]), output.dtype)
            result[batch.rows] = output
        return result


def _told(batches: Sequence[Batch], title: str, texts: int) -> Iterator[Batch]:
    """The batches, with a line that tells how many texts were done; by chance, as in order the longest come last and the time left would be told too short."""
    progress, done = Progress(title, texts), 0
    for number in np.random.default_rng(0).permutation(len(batches)):
        yield batches[number]
        done += len(batches[number].rows)
        if done < texts:
            progress.update(done)
    progress.close()


class ClassificationEvaluator:
    """Validation metrics of a classifier: `valid_loss`, `valid_accuracy`, `valid_macro_f1`.

    Args:
        tokens: validation texts in scope, n of them.
        targets: their class numbers, int `[n]`.
        columns: those of the model's output that are the logits of these classes.
    """

    def __init__(self, tokens: Tokens, targets: np.ndarray, labels: tuple[str, ...], columns: slice = slice(None)):
        self.tokens, self.targets, self.labels, self.columns = tokens, targets, labels, columns
        self._model, self._forward = None, None

    def __call__(self, model: tf.keras.Model) -> dict[str, float]:
        if model is not self._model:
            self._model, self._forward = model, Forward(model)
        logits = self._forward(self.tokens)[:, self.columns]
        metrics = classification_metrics(softmax(logits), self.targets, self.labels, threshold=None)
        return {"valid_loss": metrics["nll"], "valid_accuracy": metrics["accuracy"], "valid_macro_f1": metrics["macro_f1"]}


class MultitaskEvaluator:
    """Validation metrics of all tasks together, and of each as `<task>/valid_...` where there are several.

    `valid_loss` is the sum by the weights that the tasks train with, `valid_accuracy` and `valid_macro_f1` are means over the tasks.
    """

    def __init__(self, tasks: Mapping[str, ClassificationEvaluator], weights: Mapping[str, float]):
        self.tasks, self.weights = tasks, weights

    def __call__(self, model: tf.keras.Model) -> dict[str, float]:
        found = {task: evaluator(model) for task, evaluator in self.tasks.items()}
        if len(found) == 1:
            return next(iter(found.values()))
        shares = {task: self.weights.get(task, 1.0) for task in found}
        joined = {name: sum(each[name] for each in found.values()) / len(found) for name in ("valid_accuracy", "valid_macro_f1")}
        joined["valid_loss"] = sum(shares[task] * each["valid_loss"] for task, each in found.items())
        return joined | {f"{task}/{name}": value for task, each in found.items() for name, value in each.items()}
