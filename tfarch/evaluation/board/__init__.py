"""What TensorBoard shows of the file that ships, measured on the test rows: confusion matrix, precision and recall, text vectors, and the run's
settings beside its results. One run of TensorBoard, written without TensorFlow; what training shows is `tfarch.training.callbacks.TensorBoard`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary

from tfarch.evaluation.board.confusion_picture import MANY, confused_most, draw
from tfarch.evaluation.board.curves import curve_summary, hardest, precision_recall
from tfarch.evaluation.board.events import image, scalar, write_events
from tfarch.evaluation.board.projector import write_projector
from tfarch.evaluation.board.session import hyper_parameters, results, session
from tfarch.evaluation.confusion import confusion_matrix
from tfarch.evaluation.figures import chosen_variant
from tfarch.evaluation.out_of_scope import Answers


def write_board(
    folder: Path, report: Mapping[str, Any], answers: Answers, targets: np.ndarray, labels: Sequence[str], texts: Sequence[str], *, run: str
) -> None:
    """Writes an event file and the projector's files into `folder`, which is there and empty.

    Args:
        report: as report.json holds it, with the variant that ships measured.
        answers: of that variant, for the n test rows.
        targets: `[n]` class indices; -1 marks a row that is out of scope.
        labels: the class names.
        texts: the n texts.
        run: what the run is called among others in the tab HPARAMS.

    Raises:
        OSError: the disk is full or the folder cannot be written.
    """
    write_events(folder, _summaries(report, answers.probabilities, targets, labels, run))
    write_projector(folder, answers, targets, labels, texts, oos_label=report["config"]["data"]["oos_label"], seed=report["seed"])


def _summaries(
    report: Mapping[str, Any], probabilities: np.ndarray, targets: np.ndarray, labels: Sequence[str], run: str
) -> Iterator[Summary]:
    yield from session(hyper_parameters(report), f"{run} {report['created']}", report["created"])
    for tag, value in results(report).items():
        yield scalar(f"shipped/{tag}", value)
    yield from _confusions(report["chosen"], confusion_matrix(probabilities, targets, len(labels)), labels)
    yield from _curves(chosen_variant(report)["metrics"]["per_class"], probabilities[targets >= 0], targets[targets >= 0], labels)


def _confusions(name: str, counts: np.ndarray, labels: Sequence[str]) -> Iterator[Summary]:
    rows = f"{name}, {counts.sum():,} test rows in scope"
    note = "A row is a class of the test rows, a column what they were taken for. Teal: right; orange: wrong. Shares of the row."
    yield image("confusion/all_classes", draw(counts, counts.sum(axis=1), labels, rows), note)
    chosen = confused_most(counts)
    if len(labels) > MANY and len(chosen) > 1:
        some = [labels[number] for number in chosen]
        title = f"{rows}: the {len(chosen)} classes with most errors"
        yield image("confusion/most_errors", draw(counts[np.ix_(chosen, chosen)], counts.sum(axis=1)[chosen], some, title), note)


def _curves(per_class: Mapping[str, Any], probabilities: np.ndarray, targets: np.ndarray, labels: Sequence[str]) -> Iterator[Summary]:
    positive = targets[:, None] == np.arange(len(labels))
    rows = f"{len(targets):,} test rows in scope"
    yield curve_summary("micro_average", precision_recall(positive.ravel(), probabilities.ravel()), f"All classes as one, {rows}.")
    chosen = hardest(per_class, labels)
    for number in chosen:
        figures = per_class[labels[number]]
        said = f"F1 {figures['f1'] * 100:.1f} %, {figures['support']:,} of {rows}."
        if len(chosen) < len(labels):
            said += f" Shown are the {len(chosen)} classes whose F1 is lowest."
        yield curve_summary(f"class/{labels[number]}", precision_recall(positive[:, number], probabilities[:, number]), said)
