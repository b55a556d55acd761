"""Who answers: fitted on questions of each kind."""

import json

import numpy as np
import pytest

from apps.customer_service.router import DEFAULT, FAQ, INTENT, NOBODY, Router, fit_router

RNG = np.random.default_rng(0)
KINDS = np.repeat([INTENT, FAQ, NOBODY], [300, 60, 30])
INTENTS = np.clip(np.where(KINDS == INTENT, 0.8, 0.3) + RNG.normal(0, 0.1, 390), 0.001, 0.999)
MARGINS = np.where(KINDS == INTENT, 20.0, -20.0) + RNG.normal(0, 10, 390)
ENTRIES = np.clip(np.where(KINDS == FAQ, 0.7, 0.1) + RNG.normal(0, 0.1, 390), 0.001, 0.999)


@pytest.fixture(scope="module")
def router():
    return fit_router(KINDS, INTENTS, MARGINS, ENTRIES, spread=10.0)


def test_questions_go_where_those_like_them_went(router):
    ways = router.probabilities(INTENTS, MARGINS, ENTRIES).argmax(axis=1)
    for kind in (INTENT, FAQ, NOBODY):
        assert (ways[kind == KINDS] == kind).mean() > 0.9
    np.testing.assert_allclose(router.probabilities(INTENTS, MARGINS, ENTRIES).sum(axis=1), 1.0)


def test_more_evidence_for_a_way_makes_it_more_probable(router):
    for change, kind in (((0.9, 0.0, 0.2), INTENT), ((0.5, 30.0, 0.2), INTENT), ((0.5, 0.0, 0.9), FAQ)):
        before, after = (router.probabilities(*(np.array([value]) for value in each))[0, kind] for each in ((0.5, 0.0, 0.2), change))
        assert after > before


def test_a_kind_of_many_questions_counts_as_one_of_few():
    many = np.concatenate([np.arange(390), np.tile(np.flatnonzero(KINDS == INTENT), 3)])
    first, second = (fit_router(KINDS[rows], INTENTS[rows], MARGINS[rows], ENTRIES[rows], 10.0) for rows in (np.arange(390), many))
    assert first.bias == pytest.approx(second.bias, rel=1e-5)


def test_probabilities_of_0_and_1_are_no_trouble(router):
    assert np.isfinite(router.probabilities(np.array([0.0, 1.0]), np.array([1e9, -1e9]), np.array([1.0, 0.0]))).all()


def test_it_survives_json(router):
    assert Router.from_dict(json.loads(json.dumps(router.as_dict()))) == router


def test_the_default_prefers_whoever_has_the_evidence():
    evidence = np.array([0.95, 0.2, 0.2]), np.array([3.0, -3.0, -3.0]), np.array([0.05, 0.95, 0.05])
    assert DEFAULT.probabilities(*evidence).argmax(axis=1).tolist() == [INTENT, FAQ, NOBODY]
