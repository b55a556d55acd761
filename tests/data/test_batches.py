"""Batches hold every row once, pad it as little as its bucket asks, follow from (seed, epoch) alone, and weigh an update to one."""

import numpy as np
import pytest

import tfarch  # noqa: F401 - settles which Keras TensorFlow uses, so it comes first
from tfarch.data.batches import BUCKETS, Batch, Examples, as_dataset, bucket_of, plan_epoch, plan_in_order
from tfarch.data.tokens import Tokens
from tfarch.training.objectives import class_weights

LENGTHS = np.random.default_rng(7).integers(3, 60, 203)


def plan(lengths=LENGTHS, batch_size=8, *, seed=1, epoch=0, **options):
    return plan_epoch(lengths, batch_size, seed=seed, epoch=epoch, **options)


def batches_of(updates):
    return [batch for update in updates for batch in update]


def rows_of(updates):
    """The rows in the order in which they are trained on, padding left out."""
    rows = np.concatenate([batch.rows for batch in batches_of(updates)])
    return rows[rows >= 0].tolist()


def as_lists(updates):
    return [[(batch.rows.tolist(), batch.length) for batch in update] for update in updates]


def examples(lengths=LENGTHS, *, targets=None, weights=None):
    """Texts of the ids 1, 2, 3 ... in which text i begins with the id 1000 + i."""
    ids = [np.concatenate([[1000 + row], np.arange(1, length)]) for row, length in enumerate(lengths)]
    tokens = Tokens(np.concatenate(ids).astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    targets = np.arange(len(lengths), dtype=np.int32) if targets is None else targets
    return Examples(tokens, targets, np.ones(len(lengths), np.float32) if weights is None else weights)


# Buckets


@pytest.mark.parametrize(
    ("length", "edge"), [(1, 16), (16, 16), (17, 24), (384, 384), (385, 512), (512, 512), (513, 1024), (1024, 1024), (1025, 1536)]
)
def test_a_text_is_padded_to_the_next_edge_and_beyond_the_last_to_its_multiple(length, edge):
    assert bucket_of(length) == edge


# The plan of an epoch


@pytest.mark.parametrize("options", [{}, {"accumulate": 3}, {"replicas": 4}, {"fixed_size": True}, {"fixed_size": True, "replicas": 8}])
@pytest.mark.parametrize("rows", [1, 7, 8, 9, 203])
def test_every_row_stands_in_one_batch(rows, options):
    assert sorted(rows_of(plan(LENGTHS[:rows], **options))) == list(range(rows))


def test_no_rows_make_no_updates():
    assert plan(np.zeros(0, np.int64)) == []


def test_no_text_is_longer_than_its_batch():
    assert all(LENGTHS[batch.rows[batch.rows >= 0]].max() <= batch.length for batch in batches_of(plan()))


def test_a_batch_is_no_longer_than_its_longest_text_asks():
    for batch in batches_of(plan()):
        assert batch.length == min(bucket_of(LENGTHS[batch.rows[batch.rows >= 0]].max()), LENGTHS.max())


def test_no_batch_is_longer_than_the_longest_text():
    assert {batch.length for batch in batches_of(plan(np.array([10, 50, 50, 70]), 2))} == {64, 70}
    assert {batch.length for batch in batches_of(plan(np.array([5, 5])))} == {5}


def test_full_batches_hold_texts_of_one_bucket_and_only_what_is_left_over_is_mixed():
    buckets = np.array([bucket_of(length) for length in LENGTHS])
    mixed = sum(len(batch.rows) for batch in batches_of(plan()) if len(set(buckets[batch.rows])) > 1)
    assert mixed <= 7 * len(set(buckets))


def test_batches_are_full_but_for_one():
    sizes = sorted(len(batch.rows) for batch in batches_of(plan()))
    assert sizes == [203 % 8] + [8] * (203 // 8)


def test_the_plan_follows_from_seed_and_epoch():
    assert as_lists(plan(seed=3, epoch=2)) == as_lists(plan(seed=3, epoch=2))


@pytest.mark.parametrize("other", [{"epoch": 1}, {"seed": 2}])
def test_another_epoch_or_seed_has_another_order_of_the_same_rows(other):
    first, second = rows_of(plan()), rows_of(plan(**other))
    assert first != second
    assert sorted(first) == sorted(second)


def test_short_and_long_batches_alternate_at_random():
    lengths = [batch.length for batch in batches_of(plan(np.array([10] * 64 + [20] * 64)))]  # nothing is left over
    assert lengths != sorted(lengths)


def test_accumulation_joins_the_same_batches_to_larger_updates():
    single, joined = plan(), plan(accumulate=4)
    assert as_lists([tuple(batches_of(joined))]) == as_lists([tuple(batches_of(single))])
    assert [len(update) for update in joined] == [4] * 6 + [2]


@pytest.mark.parametrize("replicas", [2, 4, 8])
def test_every_batch_can_be_shared_among_the_replicas_with_no_more_padding_than_that_takes(replicas):
    batches = batches_of(plan(replicas=replicas))
    assert all(len(batch.rows) % replicas == 0 for batch in batches)
    assert sum((batch.rows < 0).sum() for batch in batches) == -203 % replicas


def test_with_a_fixed_size_every_batch_is_full():
    assert {len(batch.rows) for batch in batches_of(plan(fixed_size=True))} == {8}


# The plan of a prediction


@pytest.mark.parametrize("rows", [0, 1, 8, 203])
def test_prediction_takes_every_row_once(rows):
    planned = plan_in_order(LENGTHS[:rows], 8)
    assert sorted(row for batch in planned for row in batch.rows) == list(range(rows))


def test_prediction_goes_by_length_and_pads_no_batch_over_the_longest_text():
    planned = plan_in_order(LENGTHS, 8)
    assert np.all(np.diff(LENGTHS[np.concatenate([batch.rows for batch in planned])]) >= 0)
    assert [batch.length for batch in planned] == [min(bucket_of(LENGTHS[batch.rows].max()), LENGTHS.max()) for batch in planned]


# Weights


@pytest.mark.parametrize("kind", ["none", "balanced", "sqrt"])
@pytest.mark.parametrize("options", [{}, {"accumulate": 3}, {"replicas": 4}, {"fixed_size": True, "accumulate": 2}])
def test_the_weights_of_an_update_sum_to_one(kind, options):
    targets = np.minimum(np.arange(203) % 10, 3).astype(np.int32)  # the last of four classes has most rows
    data = examples(targets=targets, weights=class_weights(targets, 4, kind))
    updates = plan(**options)
    batches = iter(as_dataset(data, updates).as_numpy_iterator())
    sums = [sum(next(batches)["weights"].sum() for _ in update) for update in updates]
    np.testing.assert_allclose(sums, np.ones(len(updates)), atol=1e-6)


def test_rows_keep_the_proportion_of_their_weights():
    data = examples(np.array([4, 4, 4]), weights=np.array([1.0, 3.0, 4.0], np.float32))
    np.testing.assert_allclose(data.batch(Batch(np.array([2, 0, 1]), 4), total_weight=8.0)["weights"], [0.5, 0.125, 0.375])


def test_an_update_of_rows_that_count_nothing_weighs_nothing():
    data = examples(np.array([4, 4, 4, 4]), weights=np.array([[0, 0], [0, 1], [0, 0], [0, 3]], np.float32))
    nothing, something = as_dataset(data, [(Batch(np.array([0, 2]), 4),), (Batch(np.array([1, 3]), 4),)]).as_numpy_iterator()
    assert nothing["weights"].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert something["weights"].tolist() == [[0.0, 0.25], [0.0, 0.75]]


def test_a_padding_row_weighs_nothing_and_holds_no_token():
    data = examples(np.array([3, 2]))
    made = data.batch(Batch(np.array([1, -1]), 4), total_weight=1.0)
    assert made["weights"].tolist() == [1.0, 0.0]
    assert made["ids"].tolist() == [[1001, 1, 0, 0], [0, 0, 0, 0]]
    assert made["mask"].tolist() == [[1, 1, 0, 0], [0, 0, 0, 0]]


# The dataset


@pytest.mark.parametrize(
    ("targets", "kind", "shape"),
    [(np.arange(203, dtype=np.int32), "int32", ()), (np.eye(203, 5, dtype=np.float32), "float32", (5,))],
    ids=["class numbers", "probabilities"],
)
def test_the_dataset_states_its_types_and_shapes(targets, kind, shape):
    spec = as_dataset(examples(targets=targets), plan()).element_spec
    assert {name: (each.dtype.name, tuple(each.shape)) for name, each in spec.items()} == {
        "ids": ("int32", (None, None)),
        "mask": ("int32", (None, None)),
        "segment_ids": ("int32", (None, None)),
        "targets": (kind, (None, *shape)),
        "weights": ("float32", (None,)),
    }


def test_the_dataset_gives_the_planned_batches_in_their_order():
    updates = plan(accumulate=2, replicas=4)
    planned = batches_of(updates)
    made = list(as_dataset(examples(), updates).as_numpy_iterator())
    assert len(made) == len(planned)
    for batch, tensors in zip(planned, made, strict=True):
        real = batch.rows >= 0
        assert tensors["ids"].shape == (len(batch.rows), batch.length)
        assert tensors["ids"][real, 0].tolist() == (1000 + batch.rows[real]).tolist()
        assert tensors["targets"][real].tolist() == batch.rows[real].tolist()
        assert tensors["mask"].sum(axis=1)[real].tolist() == LENGTHS[batch.rows[real]].tolist()


def test_texts_of_the_last_bucket_are_not_cut():
    lengths = np.array([BUCKETS[-1] + 1, BUCKETS[-1] + 5])
    (tensors,) = as_dataset(examples(lengths), plan(lengths)).as_numpy_iterator()
    assert sorted(tensors["mask"].sum(axis=1)) == lengths.tolist()
