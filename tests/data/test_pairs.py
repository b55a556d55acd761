"""A batch of pairs holds both texts of each, side by side, under one group and with half of the pair's weight each."""

import numpy as np

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first
from tfarch.data.batches import Batch, as_dataset, plan_epoch
from tfarch.data.pairs import TextPairs
from tfarch.data.tokens import Tokens

# Four texts of 2, 3, 4 and 5 tokens: text i begins with the id 100 + i.
TOKENS = Tokens(
    np.array([100, 1, 101, 1, 2, 102, 1, 2, 3, 103, 1, 2, 3, 4], np.int32),
    np.array([0, 2, 5, 9, 14], np.int64),
)
PAIRS = TextPairs(
    TOKENS, targets=np.array([7, 7, 8], np.int32), weights=np.array([1.0, 1.0, 2.0], np.float32), pairs=np.array([[1, 0], [2, 0], [0, 3]])
)


def test_a_row_is_a_pair_and_as_long_as_its_longer_text():
    assert len(PAIRS) == 3
    assert PAIRS.lengths.tolist() == [3, 4, 5]


def test_the_tokens_of_both_texts_are_counted():
    assert PAIRS.count_tokens(np.array([0, 2])) == (3 + 2) + (2 + 5)


def test_both_texts_of_a_pair_lie_side_by_side():
    made = PAIRS.batch(Batch(np.array([2, 0]), 5), total_weight=3.0)
    assert made["ids"][:, 0].tolist() == [100, 103, 101, 100]
    assert made["mask"].sum(axis=1).tolist() == [2, 5, 3, 2]


def test_both_carry_the_pairs_group_and_half_of_its_weight():
    made = PAIRS.batch(Batch(np.array([2, 0]), 5), total_weight=3.0)
    assert made["targets"].tolist() == [8, 8, 7, 7]
    np.testing.assert_allclose(made["weights"], np.array([2, 2, 1, 1]) / 6, rtol=1e-6)


def test_a_padding_row_is_two_empty_texts_of_no_group_and_no_weight():
    made = PAIRS.batch(Batch(np.array([1, -1]), 4), total_weight=1.0)
    assert made["targets"].tolist() == [7, 7, -1, -1]
    assert made["weights"].tolist() == [0.5, 0.5, 0.0, 0.0]
    assert made["mask"][2:].sum() == 0


def test_the_weights_of_an_update_sum_to_one():
    plan = plan_epoch(PAIRS.lengths, 2, seed=0, epoch=0, replicas=2)
    batches = list(as_dataset(PAIRS, plan).as_numpy_iterator())
    assert [len(batch["ids"]) for batch in batches] in ([4, 4], [4, 2], [2, 4])
    for batch in batches:
        assert np.isclose(batch["weights"].sum(), 1.0)
