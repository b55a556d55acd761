"""Average linkage against its definition, worked out pair by pair."""

import itertools

import numpy as np
import pytest

from tfarch.evaluation import clusters
from tfarch.evaluation.clusters import cut, merges


def by_definition(vectors, weights, least):
    """Joins the two clusters with the highest average cosine, over and over, while it is at least `least`."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    parts = [[point] for point in range(len(vectors))]

    def average(first, second):
        pairs = [(weights[a] * weights[b], units[a] @ units[b]) for a in first for b in second]
        return sum(weight * cosine for weight, cosine in pairs) / sum(weight for weight, _ in pairs)

    while len(parts) > 1:
        first, second = max(itertools.combinations(range(len(parts)), 2), key=lambda pair: average(parts[pair[0]], parts[pair[1]]))
        if average(parts[first], parts[second]) < least:
            break
        parts[first] += parts.pop(second)
    return {frozenset(part) for part in parts}


def sets(numbers):
    return {frozenset(np.flatnonzero(numbers == number).tolist()) for number in numbers}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("least", [-0.2, 0.1, 0.4, 0.8])
def test_the_clusters_are_those_of_the_definition(seed, least):
    random = np.random.default_rng(seed)
    vectors, weights = random.normal(size=(18, 4)), random.integers(1, 4, 18)
    assert sets(cut(merges(vectors, weights), 18, least)) == by_definition(vectors, weights, least)


def test_points_that_are_the_same_are_joined_first_and_the_search_ends():
    tree = merges(np.ones((6, 3)), np.ones(6))
    assert len(tree) == 5
    assert all(each.similarity == pytest.approx(1.0) for each in tree)


def test_clusters_are_numbered_by_their_first_members():
    vectors = np.array([[1, 0], [0, 1], [1, 0.1], [0.1, 1]])
    np.testing.assert_array_equal(cut(merges(vectors, np.ones(4)), 4, 0.9), [0, 1, 0, 1])


def test_one_point_is_one_cluster():
    assert merges(np.ones((1, 3)), np.ones(1)) == []
    np.testing.assert_array_equal(cut([], 1, 0.5), [0])


def test_more_points_than_there_is_room_for_are_refused(monkeypatch):
    monkeypatch.setattr(clusters, "MOST", 3)
    with pytest.raises(ValueError, match="4 points, at most 3"):
        merges(np.ones((4, 2)), np.ones(4))
