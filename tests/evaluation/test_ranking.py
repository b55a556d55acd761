"""Ranks, and what is made of them, against counting by hand."""

import numpy as np
import pytest

from tfarch.evaluation.ranking import (
    NOTHING,
    average_precision_at,
    capped_recall_at,
    hit_at,
    ndcg_at,
    padded,
    precision_at,
    ranks,
    ranks_among,
    recall_at,
    reciprocal_rank,
)

# Three queries over four entries.
SCORES = np.array([[0.9, 0.1, 0.5, 0.2], [0.3, 0.3, 0.3, 0.8], [0.0, 0.0, 0.0, 0.0]])


def test_a_rank_counts_the_entries_that_score_higher():
    assert ranks(SCORES[:1], np.array([3])).tolist() == [[3.0]]


def test_entries_of_one_score_share_the_mean_of_their_ranks():
    assert ranks(SCORES, np.array([2, 1, 0])).tolist() == [[2.0], [3.0], [2.5]]  # second; of ranks 2 to 4; of 1 to 4


def test_a_query_may_have_several_right_entries_or_none():
    found = ranks(SCORES, np.array([[0, 3], [3, NOTHING], [NOTHING, NOTHING]]))
    assert found.tolist() == [[1.0, 3.0], [1.0, np.inf], [np.inf, np.inf]]


def test_the_reciprocal_rank_is_that_of_the_first_right_entry():
    assert reciprocal_rank(np.array([[4.0, 2.0], [1.0, np.inf], [np.inf, np.inf]])).tolist() == [0.5, 1.0, 0.0]


def test_precision_is_the_share_of_the_first_entries_that_is_right():
    found = np.array([[1.0, 3.0], [2.0, 4.0], [np.inf, np.inf]])
    assert precision_at(found, 1).tolist() == [1.0, 0.0, 0.0]
    assert precision_at(found, 4).tolist() == [0.5, 0.5, 0.0]


def test_a_tie_for_the_first_place_is_not_the_first_place():
    assert precision_at(ranks(np.array([[0.5, 0.5]]), np.array([0])), 1).tolist() == [0.0]


def test_the_gain_of_one_right_entry_is_discounted_by_its_rank():
    found = np.array([[1.0], [3.0], [5.0], [6.0]])
    np.testing.assert_allclose(ndcg_at(found, 5), [1.0, 1 / np.log2(4), 1 / np.log2(6), 0.0])


def test_the_gain_of_several_is_measured_by_the_best_order_that_there_is():
    best_of_two, best_of_one = 1 + 1 / np.log2(3), 1.0
    found = np.array([[1.0, 3.0], [2.0, np.inf], [np.inf, np.inf]])
    np.testing.assert_allclose(ndcg_at(found, 3), [(1 + 1 / np.log2(4)) / best_of_two, (1 / np.log2(3)) / best_of_one, 0.0])


def test_more_right_entries_than_places_can_still_be_a_perfect_list():
    assert ndcg_at(np.array([[1.0, 2.0, 3.0]]), 2) == pytest.approx([1.0])


def test_ranks_among_candidates_are_those_of_a_table_of_the_candidates():
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, candidates = rng.integers(0, 6, 30).astype(float), rng.random(30) < 0.6
        right = rng.permutation(np.flatnonzero(candidates))[:3]
        places = np.cumsum(candidates) - 1
        assert ranks_among(scores, candidates, right).tolist() == ranks(scores[candidates][None], places[right][None])[0].tolist()


def test_recall_counts_all_that_is_right_or_what_the_places_can_hold():
    found = padded([np.array([1.0, 3.0, 9.0]), np.array([2.0]), np.array([])])
    assert recall_at(found, 2).tolist() == [1 / 3, 1.0, 0.0]
    assert capped_recall_at(found, 2).tolist() == [1 / 2, 1.0, 0.0]
    assert hit_at(found, 2).tolist() == [1.0, 1.0, 0.0]
    assert hit_at(found, 1).tolist() == [1.0, 0.0, 0.0]


def test_average_precision_is_that_down_to_each_right_entry():
    found = padded([np.array([4.0, 1.0]), np.array([3.0, 20.0]), np.array([])])
    assert average_precision_at(found, 10).tolist() == [(1 / 1 + 2 / 4) / 2, (1 / 3) / 2, 0.0]
