"""A SavedModel that takes strings: the tokeniser as graph operations before the classifier, in the layout that TF Serving runs.

`serving_default` takes `texts`, string `[batch]`, and gives for each text

- `labels`, string `[batch]`: the most probable class;
- `probabilities`, float32 `[batch, classes]`;
- `classes`, string `[batch, classes]`: the name of each probability. It is the same row for every text, because the row format of TF
  Serving's REST `predict` needs the batch as the first dimension of every output (its Classify API has the same shape); gRPC's
  `output_filter` leaves it out.

    curl -d '{"instances": ["where is my card?"]}' http://localhost:8501/v1/models/NAME:predict
    {"predictions": [{"labels": "card_arrival", "probabilities": [0.97, ...], "classes": ["card_arrival", ...]}]}

A model of several tasks gives the three of each, as `<task>_labels` and so on.

The tokeniser needs TensorFlow Text's operations: TF Serving is linked with them, Python has them after `import tensorflow_text`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401  registers the operations that a loaded file needs

from tfarch.errors import BundleError, TfarchError
from tfarch.export.text_graph import TextGraph
from tfarch.quiet import quiet
from tfarch.runtime.signature import INPUTS, OUTPUT, SINGLE, is_output_of_task, output_of
from tfarch.runtime.tokeniser import Tokeniser


class _TextClassifier(tf.Module):
    """What is saved: the weights and one function, without the model's training state."""

    def __init__(self, model: tf.keras.Model, text_graph: TextGraph, labels: Mapping[str, Sequence[str]]):
        super().__init__(name="text_classifier")
        self.weights = model.weights

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="texts")])
        def serve(texts: tf.Tensor) -> dict[str, tf.Tensor]:
            inputs = dict(zip(INPUTS, text_graph(texts), strict=True))
            found = model({name: inputs[name] for name in model.input_names}, training=False)
            outputs = {}
            for task, classes in labels.items():
                probabilities, names = tf.cast(found[output_of(task)], tf.float32), tf.constant(list(classes))
                outputs |= {
                    _named("labels", task): tf.gather(names, tf.argmax(probabilities, axis=1)),
                    _named("probabilities", task): probabilities,
                    _named("classes", task): tf.broadcast_to(names, tf.shape(probabilities)),
                }
            return outputs

        self.serve = serve


def _named(output: str, task: str) -> str:
    return f"{task}_{output}" if task else output


def write_saved_model(
    directory: Path, model: tf.keras.Model, tokeniser: Tokeniser, labels: Mapping[str, Sequence[str]], max_length: int
) -> None:
    """Writes `directory` (for TF Serving: a folder whose name is the version's number), in place of what was there.

    Args:
        model: functional; int32 inputs `[batch, length]` named ids, mask and segment_ids, in any order; gives a dictionary with the
            probabilities `[batch, classes]` of each task under `output_of(task)`.
        labels: the classes of each task in the order of its output.
        max_length: most tokens of a text, [CLS] and [SEP] included; longer texts are cut.

    Raises:
        ValueError: an output of the model has not as many classes as there are labels.
        TfarchError: the disk is full or the folder cannot be written.
    """
    for task, classes in labels.items():
        width = model.output_shape[output_of(task)][-1]
        if width != len(classes):
            raise ValueError(f"{len(classes)} labels for an output of {width} classes")
    classifier = _TextClassifier(model, TextGraph(tokeniser, max_length), labels)
    save_module(directory, classifier, {"serving_default": classifier.serve})


def save_module(directory: Path, module: tf.Module, signatures: Mapping[str, Any]) -> None:
    """Writes a module with these functions as a SavedModel, in place of what was there.

    Raises:
        TfarchError: the disk is full or the folder cannot be written.
    """
    directory = Path(directory)
    beside = directory.with_name(f"{directory.name}.{os.getpid()}.part")
    try:
        # Gradients are for training on: a file that serves has no use for them.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        with quiet():  # a notebook would show where it was written beside
            tf.saved_model.save(module, str(beside), signatures=dict(signatures), options=options)
        shutil.rmtree(directory, ignore_errors=True)
        os.replace(beside, directory)
    except (tf.errors.OpError, OSError) as error:
        raise TfarchError(f"{directory}: the SavedModel could not be written: {str(error).splitlines()[0]}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


class SavedModelClassifier:
    """A written SavedModel, run as TF Serving runs it.

    Raises:
        BundleError: the folder is not a readable SavedModel with the signature above.
    """

    def __init__(self, directory: Path):
        if not (Path(directory) / "saved_model.pb").is_file():
            raise BundleError("is no SavedModel: saved_model.pb is missing", file=directory, mend="export the model again")
        try:
            self._loaded = tf.saved_model.load(str(directory))
            self._serve = self._loaded.signatures["serving_default"]
        except (tf.errors.OpError, OSError, LookupError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise BundleError(f"cannot be loaded: {reason}", file=directory, mend="export the model again") from error

    def probabilities(self, texts: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """float32 `[texts, classes]` of a model of one task, see `answers`."""
        return self.answers(texts, batch_size)[SINGLE]

    def answers(self, texts: Sequence[str], batch_size: int = 64) -> dict[str, np.ndarray]:
        """The probabilities of each task, float32 `[texts, classes]`, in the order of `texts`; batches are made of texts of like length, to pad little."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        shapes = self._serve.structured_outputs
        names = {name.removesuffix(OUTPUT).removesuffix("_"): name for name in shapes if is_output_of_task(name)}
        results = {task: np.empty((len(texts), shapes[name].shape[1]), np.float32) for task, name in names.items()}
        for start in range(0, len(texts), batch_size):
            rows = order[start : start + batch_size]
            outputs = self._serve(texts=tf.constant([encoded[row] for row in rows]))
            for task, name in names.items():
                results[task][rows] = outputs[name].numpy()
        return results
