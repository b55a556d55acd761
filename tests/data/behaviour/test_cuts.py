"""How a log is cut: what is asked for is never earlier than what is known, but where a cut says that it leaks."""

import dataclasses

import numpy as np
import pytest

from tfarch.data.behaviour import Interactions
from tfarch.data.behaviour.cuts import Fold, LeakError, Query, cold_items, leave_last_out, random_share, require_no_future, rolling_cuts


def log_of(users, items, times):
    return Interactions.of([f"u{each}" for each in users], [f"i{each}" for each in items], np.array(times, np.float64))


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    return log_of(rng.integers(0, 8, 600), rng.integers(0, 40, 600), np.sort(rng.integers(0, 500, 600)))


def test_each_fold_learns_from_all_up_to_its_moment_and_asks_for_what_users_do_next(log):
    folds = list(rolling_cuts(log, (0.5, 0.75), least_rows=5))
    assert len(folds) == 2
    for fold, moment, end in zip(folds, np.quantile(log.times, [0.5, 0.75]), [np.quantile(log.times, 0.75), np.inf], strict=True):
        assert fold.train.tolist() == np.flatnonzero(log.times <= moment).tolist()
        assert [query.user for query in fold.queries] == list(range(8))
        for query in fold.queries:
            mine = np.flatnonzero((log.users == query.user) & (log.times <= end))
            assert np.concatenate([query.known, query.wanted]).tolist() == mine.tolist()
            in_window = int((log.times[mine] > moment).sum())
            assert len(query.wanted) == in_window - int(np.ceil(0.8 * in_window)) > 0


def test_a_user_with_few_events_in_a_window_is_not_asked_for():
    log = log_of([0] * 6 + [1] * 3 + [0] * 4 + [1] * 2, range(15), range(15))
    (fold,) = rolling_cuts(log, (0.6,), least_rows=4)
    assert [query.user for query in fold.queries] == [0]


def test_the_last_window_may_end_before_the_log(log):
    (fold,) = rolling_cuts(log, (0.5,), until=0.75, least_rows=5)
    assert max(log.times[query.wanted].max() for query in fold.queries) <= np.quantile(log.times, 0.75)


def test_events_of_one_time_are_on_one_side_of_a_moment():
    log = log_of([0] * 40, range(40), np.repeat([1, 2, 3, 4], 10))
    for fold in rolling_cuts(log, (0.3, 0.6), least_rows=1):
        train = log.times[fold.train]
        assert not set(train.tolist()) & {float(each) for query in fold.queries for each in log.times[query.wanted]}


def test_the_guard_fails_where_an_event_of_the_future_is_learned_from(log):
    (fold,) = rolling_cuts(log, (0.5,), least_rows=5)
    with pytest.raises(LeakError, match="is known where 'u"):
        require_no_future(log, dataclasses.replace(fold, train=np.arange(len(log))))
    query = fold.queries[0]
    turned = Fold("turned", fold.train, (Query(query.user, query.wanted, query.known[-2:]),))
    with pytest.raises(LeakError, match="turned: an event at"):
        require_no_future(log, turned)


def test_leaving_the_last_event_out_leaks_and_says_so(log):
    fold = leave_last_out(log)
    assert fold.leaks_time
    assert all(len(query.wanted) == 1 for query in fold.queries)
    assert len(fold.train) == len(log) - len(fold.queries)
    for query in fold.queries:
        assert query.wanted[0] == np.flatnonzero(log.users == query.user)[-1]
    with pytest.raises(LeakError):
        require_no_future(log, fold)


def test_a_random_share_is_of_every_user(log):
    fold = random_share(log, 0.25, seed=1)
    assert fold.leaks_time
    for query in fold.queries:
        mine = np.flatnonzero(log.users == query.user)
        assert sorted([*query.known, *query.wanted]) == mine.tolist()
        assert len(query.wanted) == len(mine) // 4
    assert not set(fold.train.tolist()) & {int(row) for query in fold.queries for row in query.wanted}
    again = random_share(log, 0.25, seed=1)
    assert all((one.wanted == other.wanted).all() for one, other in zip(fold.queries, again.queries, strict=True))


def test_cold_items_are_in_nothing_that_is_learned_from(log):
    fold = cold_items(log, 0.2, seed=2)
    cold = {int(item) for query in fold.queries for item in log.items[query.wanted]}
    assert len(cold) == 8
    assert not cold & set(log.items[fold.train].tolist())


def test_a_log_out_of_order_is_refused():
    with pytest.raises(ValueError, match="order of time"):
        Interactions(*(np.zeros(2, np.int32),) * 3, np.ones(2, np.float32), np.array([2.0, 1.0]), ("u",), ("i",), ("",))
