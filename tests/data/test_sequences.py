"""Stretches of histories, and the tensors of a batch of them: each distinct item once, each event but the first foretold once."""

import dataclasses

import numpy as np
import pytest

from tfarch.data.batches import Batch, as_dataset, plan_epoch
from tfarch.data.sequences import ItemSequences
from tfarch.data.tokens import Tokens

TOKENS = Tokens(np.arange(30, dtype=np.int32), np.array([0, 3, 8, 10, 15, 30]))  # of five items
ITEMS = np.array([0, 1, 2, 0, 3, 4, 1, 2])
HISTORIES = [np.array([0, 2, 4, 6, 7]), np.array([1]), np.array([3, 5])]
SEQUENCES = ItemSequences.of(
    TOKENS, HISTORIES, ITEMS, np.arange(8) % 3, np.linspace(1, 2, 8), np.array([9.0, 9, 1, 9, 2, 3, 4, 5]), longest=3
)


def test_histories_are_cut_so_that_every_event_but_the_first_is_foretold_once():
    assert SEQUENCES.lengths.tolist() == [3, 3, 2]
    assert SEQUENCES.targets.tolist() == [0, 0, 2]
    assert SEQUENCES.items.tolist() == [0, 2, 3, 3, 1, 2, 0, 4]
    assert SEQUENCES.weights.tolist() == [1 + 2, 4 + 5, 3]


def test_a_batch_has_each_item_once_and_each_event_its_place():
    batch = SEQUENCES.batch(Batch(np.array([0, 2]), 3), 6.0)
    assert batch["items"].tolist() == [[0, 2, 3, 4]]
    assert batch["history"].tolist() == [[[0, 1], [0, -1]]]
    assert batch["targets"].tolist() == [[[1, 2], [3, 0]]]
    np.testing.assert_allclose(batch["weights"], [[[1 / 6, 2 / 6], [3 / 6, 0.0]]])
    assert batch["behaviours"].tolist() == [[[0, 2], [0, 0]]]
    np.testing.assert_allclose(batch["amounts"], [[[1.0, 1 + 2 / 7], [1 + 3 / 7, 0.0]]])
    assert batch["had"].tolist() == [[[True, True, True, False], [True, False, False, True]]]
    assert batch["ids"].shape == (1, 4, 15)
    assert batch["ids"][0, 1, :2].tolist() == [8, 9]
    assert batch["mask"].sum(axis=2).tolist() == [[3, 2, 5, 15]]


def test_each_replica_has_stretches_and_items_of_its_own():
    batch = SEQUENCES.for_replicas(2).batch(Batch(np.array([0, 1, 2, -1]), 3), 1.0)
    assert batch["items"].tolist() == [[0, 1, 2, 3], [0, 4, -1, -1]]
    assert batch["history"].tolist() == [[[0, 2], [3, 1]], [[0, -1], [-1, -1]]]
    assert batch["weights"].tolist() == [[[1, 2], [4, 5]], [[3, 0], [0, 0]]]
    assert batch["mask"][1, 2:].sum() == 0
    assert not batch["had"][1, 1].any()


@pytest.mark.parametrize("replicas", [1, 2])
def test_batches_come_as_their_signature_says_and_weigh_one_in_each_update(replicas):
    rng = np.random.default_rng(0)
    histories = [np.sort(rng.permutation(300)[: rng.integers(1, 30)]) for _ in range(20)]
    ones = np.ones(300)
    sequences = ItemSequences.of(TOKENS, histories, rng.integers(0, 5, 300), ones, ones, ones, longest=8).for_replicas(replicas)
    plan = plan_epoch(sequences.lengths, 4, seed=0, epoch=0, replicas=replicas)
    batches = list(as_dataset(sequences, plan).as_numpy_iterator())
    assert len(batches) == len(plan)
    foretold = 0
    for batch in batches:
        assert batch["weights"].sum() == pytest.approx(1.0)
        assert (batch["history"] >= 0).any()
        foretold += int((batch["weights"] > 0).sum())
    assert foretold == sum(max(0, len(each) - 1) for each in histories)


def test_stretches_that_foretell_nothing_are_refused():
    with pytest.raises(ValueError, match="foretell none"):
        ItemSequences.of(TOKENS, HISTORIES, ITEMS, ITEMS, ITEMS, ITEMS, longest=1)


def test_the_place_of_what_was_not_wanted_is_told_with_a_sign():
    signed = dataclasses.replace(SEQUENCES, unwanted=np.array([False, False, True, False, True, False, False, True]))
    batch = signed.batch(Batch(np.array([0, 2]), 3), 6.0)
    assert batch["targets"].tolist() == [[[1, -1 - 2], [-1 - 3, 0]]]
    assert batch["history"].tolist() == SEQUENCES.batch(Batch(np.array([0, 2]), 3), 6.0)["history"].tolist()
