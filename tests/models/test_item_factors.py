"""The factors against EASE as it is written in its paper."""

import numpy as np
import pytest
from scipy import sparse

from tfarch.models import item_factors as module
from tfarch.models.item_factors import item_factors


def events(users, items, seed=0, density=0.15):
    rng = np.random.default_rng(seed)
    taste, kind = rng.normal(size=(users, 4)), rng.normal(size=(items, 4))
    return sparse.csr_matrix((taste @ kind.T + rng.normal(size=(users, items)) > np.quantile(taste @ kind.T, 1 - density)).astype(float))


def ease(x, l2):
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


@pytest.mark.parametrize("shape", [(40, 25), (25, 40)])
def test_with_all_singular_vectors_the_scores_are_those_of_ease(shape):
    x, l2 = events(*shape), 5.0
    found = item_factors(x, 1000, l2)
    assert found.sources.shape == found.targets.shape
    assert found.sources.shape[1] <= min(shape)
    weights = ease(x.toarray(), l2)
    had, amounts = np.array([3, 7, 11]), np.array([1.0, 0.5, 2.0])
    unseen = np.setdiff1d(np.arange(shape[1]), had)
    np.testing.assert_allclose(found.scores(had, amounts)[unseen], (amounts @ weights[had])[unseen], atol=1e-5)


def test_the_randomised_vectors_give_nearly_the_scores_of_the_exact_ones(monkeypatch):
    x = events(300, 200)
    exact = item_factors(x, 8, 10.0)
    monkeypatch.setattr(module, "_DENSE", 10)
    found = item_factors(x, 8, 10.0, seed=3)
    for had in (np.array([1]), np.array([5, 50, 150])):
        one, other = (each.scores(had, np.ones(len(had))) for each in (exact, found))
        assert np.abs(one - other).max() < 0.02 * np.abs(one).max()
    again = item_factors(x, 8, 10.0, seed=3)
    assert (again.sources == found.sources).all()


def test_an_item_without_an_event_says_nothing_and_is_said_nothing_of():
    x = sparse.hstack([events(30, 20), sparse.csr_matrix((30, 1))]).tocsr()
    found = item_factors(x, 5, 10.0)
    assert np.abs(found.sources[-1]).max() == np.abs(found.targets[-1]).max() == 0.0


def test_what_is_bought_together_is_recommended_together():
    x = sparse.csr_matrix(np.kron(np.eye(2), np.ones((10, 3))) * (np.random.default_rng(0).random((20, 6)) < 0.8))
    scores = item_factors(x, 2, 1.0).scores(np.array([0]), np.ones(1))
    assert min(scores[1:3]) > max(scores[3:]) + 0.1


@pytest.mark.parametrize(("rank", "l2"), [(0, 1.0), (3, 0.0), (3, float("nan"))])
def test_settings_that_cannot_be_are_refused(rank, l2):
    with pytest.raises(ValueError, match="has to be 1 or more"):
        item_factors(events(5, 5), rank, l2)
