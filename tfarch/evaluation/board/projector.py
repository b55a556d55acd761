"""Vectors for TensorBoard's tab PROJECTOR: the vectors, what each row is, and the file that names both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from tensorboard.plugins.projector.metadata import PROJECTOR_FILENAME
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from tfarch.evaluation.out_of_scope import Answers

MOST_ROWS = 5_000  # PCA and t-SNE run in the reader's browser
MOST_CHARACTERS = 200  # of a text
ROWS = "rows.tsv"
# The tab colours by a column of at most 50 values: `outcome` where there are more classes.
COLUMNS = ("label", "predicted", "outcome", "text")


def write_projector(
    folder: Path, answers: Answers, targets: np.ndarray, labels: Sequence[str], texts: Sequence[str], *, oos_label: str, seed: int
) -> None:
    """Writes the projector's three files into `folder`. Of more than `MOST_ROWS` rows that many are drawn by the seed and kept in their order.

    Args:
        answers, targets, labels, texts: see `write_board`.
        oos_label: what rows out of scope are called.

    Raises:
        OSError: a file cannot be written.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(texts))[:MOST_ROWS])
    cells = []
    for row in rows:
        target, predicted = int(targets[row]), int(answers.probabilities[row].argmax())
        outcome = "out of scope" if target < 0 else "right" if target == predicted else "wrong"
        cells.append((oos_label if target < 0 else labels[target], labels[predicted], outcome, texts[row]))
    project(folder, "text_vectors", answers.vectors[rows], COLUMNS, cells)


def project(folder: Path, name: str, vectors: np.ndarray, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Writes the projector's three files into `folder`.

    Args:
        name: of the vectors, as the tab shows it.
        vectors: float `[n, width]`.
        columns: two or more.
        rows: what each of the n is, a cell for each column.

    Raises:
        OSError: a file cannot be written.
    """
    config, file = ProjectorConfig(), f"{name}.tsv"
    config.embeddings.add(tensor_name=name, tensor_path=file, metadata_path=ROWS)
    _write(folder / ROWS, ["\t".join(columns), *("\t".join(map(_cell, cells)) for cells in rows)])
    _write(folder / file, ("\t".join(f"{value:.5g}" for value in vector) for vector in vectors.tolist()))
    _write(folder / PROJECTOR_FILENAME, [text_format.MessageToString(config).rstrip("\n")])


def _cell(text: str) -> str:
    """On one line, without tabs, and not too long."""
    text = " ".join(text.split())
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


def _write(file: Path, lines: Iterable[str]) -> None:
    with open(file, "w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(f"{line}\n" for line in lines)
