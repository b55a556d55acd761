"""Ratings of `tfds:movielens/...` through tensorflow-datasets' own mock: builder, features and decoding are real, only the files are not there."""

import numpy as np
import pytest

from apps.recommender.settings import DataSettings
from apps.recommender.source import load
from tfarch.errors import InputError

tfds = pytest.importorskip("tensorflow_datasets")

PLACE = "tfds:movielens/100k-ratings"


def examples(self, split, decoders=None, read_config=None, **kwargs):
    """Three ratings as the builder has them."""
    import tensorflow as tf

    rows = {
        "user_id": [b"7", b"9", b"7"],
        "movie_id": [b"357", b"11", b"11"],
        "movie_title": [b"One Flew Over the Cuckoo's Nest (1975)", b"Seven", b"Seven"],
        "movie_genres": tf.ragged.constant([[7], [5, 16], [5, 16]], dtype=tf.int64),
        "timestamp": tf.constant([879024327, 875654590, 875654591], tf.int64),
        "user_rating": [4.0, 2.0, 5.0],
    }
    return tf.data.Dataset.from_tensor_slices(rows).map(lambda row: {**row, "movie_genres": tf.convert_to_tensor(row["movie_genres"])})


def test_ratings_and_films_are_read():
    with tfds.testing.mock_data(as_dataset_fn=examples):
        source = load(DataSettings(interactions=PLACE, liked=4.0))
    log, films = source.log, source.catalogue
    assert [(log.user_ids[user], log.item_ids[item]) for user, item in zip(log.users, log.items, strict=True)] == [
        ("9", "11"),
        ("7", "11"),
        ("7", "357"),
    ]
    assert log.values.tolist() == [2.0, 5.0, 4.0]
    assert films.ids == ("357", "11")
    assert films.texts == ("One Flew Over the Cuckoo's Nest (1975). Drama", "Seven. Crime, Thriller")
    assert films.categories == (("Drama",), ("Crime", "Thriller"))
    assert films.since[0] == 157766400.0
    assert np.isnan(films.since[1])
    assert source.name == "movielens/100k-ratings"


def test_what_has_no_users_is_refused_and_what_is_unknown_too():
    with tfds.testing.mock_data(num_examples=3):
        with pytest.raises(InputError, match="no feature 'user'; its features: 'text', 'label'"):
            load(DataSettings(interactions="tfds:imdb_reviews"))
        with pytest.raises(InputError, match="no such TensorFlow dataset"):
            load(DataSettings(interactions="tfds:movielenz/100k-ratings"))
