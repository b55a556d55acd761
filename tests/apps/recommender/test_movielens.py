"""The app's default data are the set that its text says they are."""

import numpy as np
import pytest

from apps.recommender.movielens import movielens
from tfarch.data.behaviour.cuts import rolling_cuts


@pytest.fixture(scope="module")
def data():
    return movielens()


def test_the_ratings_are_those_of_the_set(data):
    log, films = data
    assert (len(log), len(log.user_ids), len(films)) == (100_004, 671, 9_066)
    assert log.item_ids == films.ids
    assert (np.unique(log.values) * 2).tolist() == list(range(1, 11))
    assert (np.diff(log.times) >= 0).all()


def test_a_film_has_its_title_year_and_genres(data):
    _, films = data
    assert films.titles[0] == "Toy Story (1995)"
    assert films.texts[0] == "Toy Story (1995). Adventure, Animation, Children, Comedy, Fantasy"
    assert films.categories[0] == ("Adventure", "Animation", "Children", "Comedy", "Fantasy")
    assert films.since[0] == 788918400.0
    assert sum(not title for title in films.titles) < 10


def test_its_windows_have_as_many_queries_as_the_protocol_says(data):
    log, _ = data
    counts = np.zeros(3, int)
    for fold in rolling_cuts(log):
        warm = log.select(fold.train).counts() > 0
        for query in fold.queries:
            liked = query.wanted[log.values[query.wanted] >= 4]
            known = warm[log.items[liked]]
            counts += (len(liked) > 0, known.any(), (~known).any())
    assert counts.tolist() == [376, 357, 231]
