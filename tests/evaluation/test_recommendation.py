"""Recommendations against counting by hand: views, what is no candidate, intervals over users, and what the lists are like."""

import numpy as np
import pytest

from tfarch.evaluation.recommendation import METRICS, Rankings, first, list_figures, paired_difference

WARM = np.array([True, True, True, False, False])


def asked(rankings, scores, wanted, *, user=0, seen=(), new=False, warm=WARM):
    rankings.add(user, np.array(scores, float), seen=np.array(seen, int), wanted=np.array(wanted, int), warm=warm, new=new)


def test_each_view_ranks_its_own_candidates():
    rankings = Rankings()
    asked(rankings, [0.1, 0.5, 0.2, 0.4, 0.3], [0, 4])
    assert [each.tolist() for each in rankings.found["warm"]] == [[3.0]]
    assert [each.tolist() for each in rankings.found["all"]] == [[5.0, 3.0]]
    assert [each.tolist() for each in rankings.found["cold"]] == [[2.0]]
    assert rankings.found["new_users"] == []


def test_what_a_user_has_had_is_no_candidate_and_cannot_be_wanted():
    rankings = Rankings()
    asked(rankings, [0.1, 0.5, 0.2, 0.4, 0.3], [0, 1], seen=[1, 3])
    assert [each.tolist() for each in rankings.found["all"]] == [[3.0]]
    asked(rankings, [0.1, 0.5, 0.2, 0.4, 0.3], [1], seen=[1])
    assert len(rankings.found["all"]) == len(rankings.lists) == 1


def test_a_view_in_which_nothing_is_wanted_has_no_query():
    rankings = Rankings()
    asked(rankings, [1, 2, 3, 4, 5], [4], new=True)
    assert rankings.found["warm"] == []
    assert [each.tolist() for each in rankings.found["new_users"]] == [[1.0]]
    assert "warm" not in rankings.summary()
    assert rankings.summary()["cold"]["ndcg_at_10"] == 1.0


def test_scores_that_are_none_are_refused():
    with pytest.raises(ValueError, match="2 of them NaN"):
        asked(Rankings(), [0, np.nan, np.nan, 1, 2], [0])
    with pytest.raises(ValueError, match="of 5 items"):
        asked(Rankings(), [0, 1], [0])


def test_the_summary_has_every_metric_and_an_interval_that_holds_the_mean():
    rng, rankings = np.random.default_rng(0), Rankings()
    for user in range(40):
        asked(rankings, rng.random(5), [int(rng.integers(5))], user=user)
    told = rankings.summary()["all"]
    assert told["queries"] == 40
    assert set(told) == {"queries", "ndcg_at_10_interval", *METRICS}
    low, high = told["ndcg_at_10_interval"]
    assert low < told["ndcg_at_10"] < high
    assert told["hit_at_10"] == 1.0  # of five candidates all are among the first ten


def test_a_user_who_is_asked_for_ten_times_makes_no_interval_narrower():
    rng, once, often = np.random.default_rng(1), Rankings(), Rankings()
    for user in range(30):
        scores, wanted = rng.random(5), [int(rng.integers(5))]
        asked(once, scores, wanted, user=user)
        for _ in range(10):
            asked(often, scores, wanted, user=user)
    assert often.summary()["all"]["ndcg_at_10_interval"] == pytest.approx(once.summary()["all"]["ndcg_at_10_interval"])


def test_a_better_way_is_better_by_the_paired_difference():
    rng, right, wrong = np.random.default_rng(2), Rankings(), Rankings()
    for user in range(60):
        wanted = int(rng.integers(5))
        noise = rng.random(5)
        asked(right, noise + 0.5 * (np.arange(5) == wanted), [wanted], user=user)
        asked(wrong, noise, [wanted], user=user)
    difference, (low, high) = paired_difference(right, wrong, "all")
    assert 0 < low < difference < high
    asked(wrong, [1, 2, 3, 4, 5], [0], user=99)
    with pytest.raises(ValueError, match="different queries"):
        paired_difference(right, wrong, "all")


def test_the_first_items_are_those_of_the_highest_scores_and_of_ties_the_lower_number():
    scores = np.array([0.2, 0.9, 0.5, 0.5, 0.5, 0.1])
    assert first(scores, np.ones(6, bool), 3).tolist() == [1, 2, 3]
    assert first(scores, scores != 0.9, 2).tolist() == [2, 3]
    assert first(scores, scores > 0.4, 10).tolist() == [1, 2, 3, 4]
    assert first(scores, np.zeros(6, bool), 3).tolist() == []


def test_lists_are_told_by_what_they_cover_and_how_alike_their_items_are():
    lists, counts = [np.array([0, 1]), np.array([0, 2])], np.array([8, 2, 0, 4])
    told = list_figures(lists, counts, users=8, vectors=np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    assert told["coverage"] == 0.75
    assert told["mean_popularity"] == (8 + 2 + 8 + 0) / 4
    assert told["novelty"] == (0 + 2 + 0 + 3) / 4  # of 8 in 8 users, 2 in 8, 8 in 8, and one at least
    assert told["diversity"] == pytest.approx((0.0 + 1.0) / 2)
