"""Embeddings begin as what the encoder says of each piece: its geometry, in fewer numbers, rarer pieces weighing more."""

import dataclasses

import numpy as np
import pytest

from tfarch.compression.recipe import Student
from tfarch.compression.student import each_alone, embeddings_of, student_spec
from tfarch.models.spec import AveragedSpec, EncoderSpec
from tfarch.runtime.tokeniser import Tokeniser

PIECES, WIDTH = 50, 12
VECTORS = np.random.default_rng(0).normal(3.0, np.linspace(2.0, 0.1, WIDTH), (PIECES, WIDTH)).astype(np.float32)
RANKS = np.log(1 + np.arange(1, PIECES + 1))[:, None]
CENTRED = VECTORS.astype(np.float64) - VECTORS.mean(axis=0)


def test_its_heads_fill_its_width_and_the_rest_is_as_the_teachers():
    teacher = EncoderSpec(900, 64, (4, 4), 16, (128, 128), gelu="tanh", pooling="first", unit_vectors=True)
    stage = Student(width=48, depth=3, head_width=12, feed_forward=40)
    expected = EncoderSpec(70, 48, (4, 4, 4), 12, (40, 40, 40), positions=20, gelu="tanh", pooling="first", unit_vectors=True)
    assert student_spec(stage, teacher, 70, 20) == expected


def test_a_teacher_without_layers_may_have_a_student_with_some():
    expected = EncoderSpec(70, 48, (4,), 12, (40,), positions=20, unit_vectors=True)
    assert student_spec(Student(width=48, head_width=12, feed_forward=40), AveragedSpec(900, 64, unit_vectors=True), 70, 20) == expected


def test_without_depth_it_is_the_mean_of_embeddings():
    teacher = EncoderSpec(900, 64, (4,), 16, (128,))
    assert student_spec(Student(width=48, depth=0), teacher, 70, 20) == AveragedSpec(70, 48)
    scaled = dataclasses.replace(teacher, unit_vectors=True)
    assert student_spec(Student(width=48, depth=0), scaled, 70, 20) == AveragedSpec(70, 48, unit_vectors=True)


def test_each_piece_stands_alone_in_its_text():
    tokeniser = Tokeniser.train(["lost my card", "money back"], 100)
    found = each_alone(tokeniser)
    assert len(found) == len(tokeniser.vocabulary)
    for row in (0, 7, len(found) - 1):
        assert found.ids[found.offsets[row] : found.offsets[row + 1]].tolist() == [tokeniser.cls_id, row, tokeniser.sep_id]


def test_all_components_keep_angles_and_relative_distances():
    plain = embeddings_of(VECTORS, WIDTH) / RANKS
    expected, found = CENTRED @ CENTRED.T, plain @ plain.T
    assert found * (expected[0, 0] / found[0, 0]) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("width", [1, 5])
def test_fewer_keep_what_differs_most(width):
    found = embeddings_of(VECTORS, width)
    assert found.shape == (PIECES, width)
    assert found.dtype == np.float32
    left, sizes, _ = np.linalg.svd(CENTRED, full_matrices=False)
    expected = np.abs(left[:, :width] * sizes[:width] * RANKS)
    assert np.abs(found) == pytest.approx(expected / np.sqrt(np.mean(expected**2)), rel=1e-4, abs=1e-5)


def test_their_root_mean_square_is_1():
    assert np.sqrt(np.mean(embeddings_of(VECTORS * 1000, 4) ** 2)) == pytest.approx(1.0, abs=1e-5)
