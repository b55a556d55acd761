"""The projector's files, read back as its plugin reads them."""

import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from tfarch.evaluation.board.projector import MOST_ROWS, write_projector
from tfarch.evaluation.out_of_scope import Answers

LABELS = ("card", "a\tb")
TEXTS = ["where is it", "tab\there\r\nand lines\u2028more", "x" * 1_000, "other"]
TARGETS = np.array([0, 1, 0, -1])
PROBABILITIES = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]])
VECTORS = np.array([[0.25, -1.5], [3e-7, 12345.6], [0, 1], [1, 0]], np.float32)


def write(folder, answers=None, targets=TARGETS, texts=TEXTS, seed=0):
    write_projector(folder, answers or Answers(PROBABILITIES, VECTORS), targets, LABELS, texts, oos_label="oos", seed=seed)
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    lines = (folder / embedding.metadata_path).read_text(encoding="utf-8").split("\n")
    vectors = [[float(value) for value in line.split("\t")] for line in (folder / embedding.tensor_path).read_text().splitlines()]
    assert lines.pop() == ""
    return [line.split("\t") for line in lines], np.array(vectors)


def test_every_row_has_a_vector_and_says_what_it_is(tmp_path):
    rows, vectors = write(tmp_path)
    assert rows[0] == ["label", "predicted", "outcome", "text"]
    assert [row[:3] for row in rows[1:]] == [
        ["card", "card", "right"],
        ["a b", "a b", "right"],
        ["card", "a b", "wrong"],
        ["oos", "card", "out of scope"],
    ]
    assert vectors == pytest.approx(VECTORS, rel=1e-4)


def test_texts_are_one_cell_on_one_line_and_not_too_long(tmp_path):
    rows, _ = write(tmp_path)
    assert [row[3] for row in rows[1:]] == ["where is it", "tab here and lines more", "x" * 199 + "…", "other"]


def test_of_many_rows_some_are_drawn_by_the_seed(tmp_path):
    count = MOST_ROWS + 1_000
    answers = Answers(np.tile([0.9, 0.1], (count, 1)), np.arange(count, dtype=np.float32)[:, None])
    drawn = []
    for seed in (0, 0, 1):
        rows, vectors = write(tmp_path, answers, np.zeros(count, int), [f"text {row}" for row in range(count)], seed)
        assert len(rows) - 1 == len(vectors) == MOST_ROWS
        assert [row[3] for row in rows[1:]] == [f"text {value:.0f}" for value in vectors[:, 0]]
        assert (np.diff(vectors[:, 0]) > 0).all()
        drawn.append(vectors.tolist())
    assert drawn[0] == drawn[1] != drawn[2]
