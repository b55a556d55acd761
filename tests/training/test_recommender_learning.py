"""A recommender learns what follows what from a log whose truth is known, and to tell new items apart by their texts."""

import numpy as np
import pytest

from tests.tiny_behaviour import behaviour
from tfarch.config import TrainConfig
from tfarch.data.behaviour import Catalogue, Interactions
from tfarch.data.behaviour.cuts import rolling_cuts
from tfarch.data.tokens import tokenise
from tfarch.evaluation.recommendation import Rankings
from tfarch.models.interest import InterestSpec
from tfarch.models.spec import AveragedSpec
from tfarch.runtime.tokeniser import Tokeniser
from tfarch.training.interest import Interest, sequences_of, train_interest
from tfarch.training.recommender import history_of, learn, signals_at


@pytest.fixture(scope="module")
def data():
    return behaviour()


def test_it_ranks_what_users_want_first_new_items_too(data):
    log, catalogue = data
    moment = float(np.quantile(log.times, 0.8))
    learned = learn(log, catalogue, moment, 4.0).recommender
    (fold,) = rolling_cuts(log, (0.8,), least_rows=5)
    warm, popular = log.select(fold.train).counts() > 0, log.select(fold.train).counts().astype(float)
    ours, simple = Rankings(), Rankings()
    for query in fold.queries:
        wanted = np.unique(log.items[query.wanted[log.values[query.wanted] >= 4]])
        asked = {"seen": log.items[query.known], "wanted": wanted, "warm": warm, "new": False}
        ours.add(query.user, learned.scores(history_of(log, query.known, 4.0)), **asked)
        simple.add(query.user, popular, **asked)
    for view in ("warm", "all", "cold"):
        assert len(ours.found[view]) > 5
        assert ours.summary()[view]["mrr"] > 2 * simple.summary()[view]["mrr"], view


def test_nothing_that_comes_later_has_a_say(data):
    log, catalogue = data
    moment = float(np.quantile(log.times, 0.6))
    until = log.select(log.times <= moment)
    whole, cut = (learn(part, catalogue, moment, 4.0).recommender for part in (log, until))
    np.testing.assert_allclose(whole.ranker.weights, cut.ranker.weights)
    np.testing.assert_allclose(whole.signals.targets, cut.signals.targets)
    assert whole.signals.counts.tolist() == signals_at(until, catalogue, moment).counts.tolist()


def test_an_interest_model_knows_half_of_the_events_for_the_ranker_and_all_of_them_later(data):
    log, catalogue = data
    moment, given = float(np.quantile(log.times, 0.8)), []
    tokeniser = Tokeniser.train(catalogue.texts, 60)
    tokens = tokenise(catalogue.texts, tokeniser, 8)
    spec = InterestSpec(AveragedSpec(len(tokeniser), 16), width=16)
    settings = TrainConfig(epochs=3, batch_size=8, learning_rate=1e-2, freeze=[], monitor="last", precision="float32")

    def interest(part):
        given.append(part)
        trained = train_interest(spec, {}, sequences_of(part, tokens, 4.0), part.counts(), settings)
        return Interest.of(spec, trained.weights, tokens)

    learned = learn(log, catalogue, moment, 4.0, interest=interest).recommender
    assert [float(part.times[-1]) <= np.quantile(log.times, share) for part, share in zip(given, (0.4, 0.8), strict=True)] == [True, True]
    assert len(given[1]) == (log.times <= moment).sum()
    assert learned.ranker.weights[learned.ranker.names.index("interest")] != 0.0
    history = history_of(log, np.flatnonzero(log.users == 0)[:5], 4.0)
    scores = learned.scores(history)
    assert np.isfinite(scores).all()
    for each in (scores, learned.signals.of(history)["interest"]):
        assert np.array([each[kind::4].mean() for kind in range(4)]).argmax() == int(log.user_ids[0][1:]) % 4


def test_popularity_is_counted_in_windows_before_the_moment(data):
    log, catalogue = data
    moment = float(log.times[-1])
    counts = signals_at(log, catalogue, moment).counts
    assert counts[:, 0].sum() == len(log)
    assert counts[:, 1].sum() == (log.times > moment - 30 * 86_400).sum()
    assert (counts[:, 3] == counts[:, 0]).all()  # a log of a hundred days


def test_a_log_too_short_for_a_ranker_still_gives_signals(data):
    log, catalogue = data
    short = log.select(np.arange(40))
    learned = learn(short, catalogue, float(short.times[-1]), 4.0).recommender
    assert (learned.ranker.weights == 0).all()
    assert np.isfinite(learned.scores(history_of(short, np.arange(3), 4.0))).all()


def test_where_there_are_several_behaviours_their_rates_are_signals():
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 40, 2000), rng.integers(0, 30, 2000)
    bought = rng.random(2000) < np.where(items < 10, 0.6, 0.1)
    names = [str(item) for item in range(30)]
    log = Interactions.of(
        users.astype(str).tolist(),
        [names[item] for item in items],
        np.arange(2000.0),
        np.where(bought, "buy", "click").tolist(),
        item_ids=names,
    )
    catalogue = Catalogue(tuple(names), ("",) * 30, ("",) * 30, ((),) * 30, np.full(30, np.nan))
    found = signals_at(log, catalogue, 2000.0)
    rates = found.of_items["rate_buy"]
    np.testing.assert_allclose(rates + found.of_items["rate_click"], 1.0, rtol=1e-6)
    assert rates[:10].min() > rates[10:].max()
    own, usual = items == 3, bought.mean()
    assert rates[3] == pytest.approx((bought[own].sum() + 5 * usual) / (own.sum() + 5), rel=1e-5)
    assert signals_at(log.select(~bought), catalogue, 2000.0).of_items["rate_click"].tolist() == [1.0] * 30
    learned = learn(log, catalogue, 2000.0, 1.0).recommender
    assert "rate_buy" in learned.ranker.names
    assert "rate_buy" not in signals_at(Interactions.of(["u"], ["1"], np.zeros(1), item_ids=names), catalogue, 1.0).of_items
