"""The split that we make: proportional, seeded, complete, and without a text on both sides."""

import random
from collections import Counter

import pytest

from tfarch.data.normal_form import normal_form
from tfarch.data.split import cut, draw, hold_out
from tfarch.data.tables import Table
from tfarch.errors import InputError


def table(pairs):
    texts, labels = zip(*pairs, strict=True)
    return Table(texts, labels, tuple(range(2, len(pairs) + 2)), "rows.csv")


def numbered(**sizes):
    return table([(f"{label} text {number}", label) for label, size in sizes.items() for number in range(size)])


def test_every_row_lands_in_exactly_one_part_in_file_order():
    kept, held = hold_out(numbered(a=30, b=20), 0.3, seed=0, part="test")
    assert sorted(kept + held) == list(range(50))
    assert (kept, held) == (sorted(kept), sorted(held))


def test_labels_are_held_out_in_proportion():
    rows = numbered(a=400, b=100, c=40)
    _, held = hold_out(rows, 0.1, seed=0, part="valid")
    assert Counter(rows.select(held).labels) == {"a": 40, "b": 10, "c": 4}


def test_every_label_with_two_texts_is_on_both_sides_and_a_single_one_is_kept():
    rows = numbered(a=200, b=3, c=2, d=1)
    kept, held = hold_out(rows, 0.01, seed=0, part="test")
    assert set(rows.select(held).labels) == {"a", "b", "c"}
    assert set(rows.select(kept).labels) == {"a", "b", "c", "d"}


def test_the_first_of_two_splits_leaves_a_text_for_the_second():
    rows = numbered(a=3, b=3, c=4)
    kept, _ = hold_out(rows, 0.6, seed=0, part="test", leave=2)
    rest = rows.select(kept)
    train, valid = hold_out(rest, 0.6, seed=0, part="valid")
    assert set(rest.select(train).labels) == set(rest.select(valid).labels) == {"a", "b", "c"}


def test_the_seed_and_the_part_decide_which_rows():
    rows = numbered(a=50, b=50)
    first = hold_out(rows, 0.2, seed=0, part="test")
    assert hold_out(rows, 0.2, seed=0, part="test") == first
    assert hold_out(rows, 0.2, seed=1, part="test") != first
    assert hold_out(rows, 0.2, seed=0, part="valid") != first


def test_the_order_of_the_rows_does_not_matter():
    pairs = [(f"text {number}", "ab"[number % 2]) for number in range(60)]
    shuffled = random.Random(3).sample(pairs, len(pairs))
    one, other = table(pairs), table(shuffled)
    assert set(one.select(hold_out(one, 0.25, 0, "test")[1]).texts) == set(other.select(hold_out(other, 0.25, 0, "test")[1]).texts)


@pytest.mark.parametrize("seed", range(5))
def test_repeated_texts_never_straddle_the_split(seed):
    pairs = [(f"text {number % 20}" + "!" * (number // 20), f"label {number % 20 % 4}") for number in range(60)]
    rows = table(pairs)
    kept, held = hold_out(rows, 0.3, seed, "test")
    assert held
    assert not {normal_form(rows.texts[row]) for row in kept} & {normal_form(rows.texts[row]) for row in held}


def test_a_label_whose_texts_are_all_repeated_still_reaches_both_sides():
    rows = table([(f"text {number % 2}", "a") for number in range(20)] + [(f"other {number}", "b") for number in range(20)])
    kept, held = hold_out(rows, 0.1, seed=0, part="test")
    assert set(rows.select(held).labels) == set(rows.select(kept).labels) == {"a", "b"}


def test_a_text_under_two_labels_is_kept_back():
    rows = table([("same", "a"), ("Same!", "b"), ("b one", "b"), ("b two", "b"), ("a one", "a"), ("a two", "a")])
    for seed in range(5):
        kept, _ = hold_out(rows, 0.5, seed, "test")
        assert {0, 1} <= set(kept)


def test_a_cut_is_exact_proportional_and_keeps_every_label():
    rows = numbered(a=800, b=190, c=9, d=1)
    chosen = rows.select(cut(rows, 100, seed=0))
    assert len(chosen) == 100
    assert Counter(chosen.labels) == {"a": 79, "b": 19, "c": 1, "d": 1}


def test_a_larger_cut_contains_the_smaller_one():
    rows = numbered(a=50, b=30, c=5)
    assert set(cut(rows, 20, seed=0)) < set(cut(rows, 40, seed=0))


def test_a_limit_above_the_rows_keeps_them_all_and_one_below_the_labels_is_refused():
    rows = numbered(a=3, b=3)
    assert cut(rows, 10, seed=0) == list(range(6))
    with pytest.raises(InputError, match=r"data.limit=1 cannot hold the 2 labels of rows.csv"):
        cut(rows, 1, seed=0)


def test_a_draw_takes_as_many_rows_of_each_label_and_all_of_a_smaller_one():
    rows = numbered(a=50, b=30, c=2)
    assert Counter(rows.select(draw(rows, 5, seed=0, number=0)).labels) == {"a": 5, "b": 5, "c": 2}


def test_each_draw_is_another_and_a_larger_one_contains_the_smaller():
    rows = numbered(a=50, b=30)
    assert draw(rows, 5, 0, number=0) == draw(rows, 5, 0, number=0) != draw(rows, 5, 0, number=1)
    assert set(draw(rows, 5, 0, number=0)) < set(draw(rows, 8, 0, number=0))
