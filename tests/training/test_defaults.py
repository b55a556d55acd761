"""What is left open is settled by the data and the start."""

import dataclasses

import pytest

from tfarch.config import TrainConfig
from tfarch.training.defaults import settled


@pytest.mark.parametrize(("rows", "epochs"), [(1, 10), (880, 10), (5_000, 7), (9_003, 4), (1_000_000, 4)])
def test_small_data_gets_more_epochs_within_bounds(rows, epochs):
    assert settled(TrainConfig(), rows=rows, structure="encoder", pretrained=True).epochs == epochs


@pytest.mark.parametrize(
    ("structure", "pretrained", "rate"), [("encoder", True, 2.5e-4), ("encoder", False, 5e-4), ("averaged", False, 1e-2)]
)
def test_the_rate_fits_the_start(structure, pretrained, rate):
    assert settled(TrainConfig(), rows=100, structure=structure, pretrained=pretrained).learning_rate == rate


def test_what_the_user_said_stays():
    said = dataclasses.replace(TrainConfig(), epochs=3, learning_rate=0.5, freeze=[])
    assert settled(said, rows=100, structure="encoder", pretrained=True) == said


def test_the_token_table_is_frozen_on_small_data_alone():
    def frozen(rows, pretrained=True):
        return settled(TrainConfig(), rows=rows, structure="encoder", pretrained=pretrained).freeze

    assert frozen(49_999) == ["token_embedding/*"]
    assert frozen(50_000) == []
    assert frozen(100, pretrained=False) == []
