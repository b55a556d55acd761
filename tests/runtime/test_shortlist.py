"""The best of many scores, found by a threshold: as by sorting all of them."""

import numpy as np
import pytest

from tfarch.runtime.shortlist import best_above_zero

RANDOM = np.random.default_rng(4)


@pytest.mark.parametrize(
    ("scores", "count"),
    [
        (RANDOM.random(20_000), 100),
        (RANDOM.integers(0, 5, 20_000).astype(float), 100),  # many are equal
        (np.concatenate([RANDOM.random(300), np.zeros(9000)]), 1000),  # fewer are above 0 than are wanted
        (np.concatenate([np.zeros(9000), RANDOM.random(300)]), 200),
        (np.where(np.arange(20_000) % 31 == 0, RANDOM.random(20_000) + 1.0, RANDOM.random(20_000)), 2000),  # those that are asked mislead
        (np.where(np.arange(20_000) % 31 == 0, 0.0, RANDOM.random(20_000)), 500),
        (np.zeros(100), 10),
        (np.ones(3), 10),
        (np.zeros(0), 10),
    ],
)
def test_the_best_are_those_of_a_sort(scores, count):
    found = best_above_zero(scores, count)
    assert len(set(found.tolist())) == len(found) == min(count, int((scores > 0.0).sum()))
    assert np.sort(scores[found])[::-1].tolist() == np.sort(scores)[::-1][: len(found)].tolist()
