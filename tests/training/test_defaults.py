"""What is left open is settled by the data and the start."""

import dataclasses

import pytest

from tfarch.config import TrainConfig
from tfarch.training.defaults import settled


@pytest.mark.parametrize(("rows", "from_random", "pretrained"), [(1, 10, 5), (880, 10, 5), (5_000, 7, 5), (9_003, 4, 4), (1_000_000, 4, 4)])
def test_small_data_gets_more_epochs_within_bounds(rows, from_random, pretrained):
    assert settled(TrainConfig(), rows=rows, structure="encoder", pretrained=False).epochs == from_random
    assert settled(TrainConfig(), rows=rows, structure="encoder", pretrained=True).epochs == pretrained


@pytest.mark.parametrize(("structure", "rate"), [("encoder", 5e-4), ("averaged", 1e-2)])
def test_the_rate_fits_the_start(structure, rate):
    assert settled(TrainConfig(), rows=100, structure=structure, pretrained=False).learning_rate == rate


def test_the_rate_from_pretrained_weights_rises_with_the_rows_within_bounds():
    rates = [
        settled(TrainConfig(), rows=rows, structure="encoder", pretrained=True).learning_rate for rows in (1, 704, 3_000, 9_503, 10**6)
    ]
    assert rates == pytest.approx([1e-4, 1.03e-4, 1.72e-4, 2.5e-4, 2.5e-4], rel=0.01)


def test_labels_that_are_guesses_get_few_epochs_at_the_low_peak():
    found = settled(TrainConfig(), rows=3_000, structure="encoder", pretrained=True, guesses=True)
    assert found.epochs == 3
    assert found.learning_rate == pytest.approx(1e-4)
    said = settled(TrainConfig(epochs=7, learning_rate=0.5), rows=3_000, structure="encoder", pretrained=True, guesses=True)
    assert (said.epochs, said.learning_rate) == (7, 0.5)


def test_what_the_user_said_stays():
    said = dataclasses.replace(TrainConfig(), epochs=3, learning_rate=0.5, freeze=[])
    assert settled(said, rows=100, structure="encoder", pretrained=True) == said


def test_the_token_table_is_frozen_on_small_data_alone():
    def frozen(rows, pretrained=True):
        return settled(TrainConfig(), rows=rows, structure="encoder", pretrained=pretrained).freeze

    assert frozen(49_999) == ["token_embedding/*"]
    assert frozen(50_000) == []
    assert frozen(100, pretrained=False) == []
