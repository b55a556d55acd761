"""Latent semantic vectors against the singular value decomposition of the whole table."""

import numpy as np

from tfarch.evaluation.latent import latent_vectors

TEXTS = [[1, 5, 6, 2], [1, 5, 5, 7, 2], [1, 8, 9, 2], [1, 8, 8, 9, 6, 2], [1, 2], [1, 7, 10, 2]]
IDS = np.array([piece for text in TEXTS for piece in text])
OFFSETS = np.cumsum([0, *map(len, TEXTS)])


def table():
    counts = np.array([[text.count(piece) for piece in range(11)] for text in TEXTS], float)
    rarity = np.log(len(TEXTS) / np.maximum((counts > 0).sum(axis=0), 1))
    values = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * rarity
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)


def test_all_directions_keep_every_cosine():
    vectors = latent_vectors(IDS, OFFSETS, width=50)
    assert vectors.shape == (6, 6)  # no more than texts
    np.testing.assert_allclose(vectors @ vectors.T, table() @ table().T, atol=1e-5)


def test_few_directions_are_those_of_the_largest_singular_values():
    left, values, _ = np.linalg.svd(table())
    best = left[:, :2] * values[:2]
    vectors = latent_vectors(IDS, OFFSETS, width=2)
    np.testing.assert_allclose(vectors @ vectors.T, best @ best.T, atol=0.05)


def test_what_stands_in_every_text_counts_nothing():
    np.testing.assert_allclose(latent_vectors(IDS, OFFSETS)[4], 0.0, atol=1e-6)  # [CLS] [SEP] alone


def test_the_same_seed_gives_the_same_vectors():
    np.testing.assert_array_equal(latent_vectors(IDS, OFFSETS, width=3, seed=1), latent_vectors(IDS, OFFSETS, width=3, seed=1))
