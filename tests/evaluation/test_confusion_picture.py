"""The confusion matrix as a picture: each cell has the colour of its share, and labels stand where they can be read."""

import numpy as np
import pytest
from PIL import Image, ImageChops

from tfarch.evaluation.board.confusion_picture import EMPTY, LONGEST_LABEL, MOST, PAPER, RIGHT, SIDE, WRONG, _has, confused_most, draw


def counts_of(classes, errors=True):
    """Ten rows of each class, of which two of every third are taken for the next class."""
    counts = np.eye(classes, dtype=int) * 10
    for number in range(0, classes - 1, 3) if errors else ():
        counts[number, number] -= 2
        counts[number, number + 1] += 2
    return counts


def picture_of(counts, labels=None, title="a file"):
    labels = [f"class_{number}" for number in range(len(counts))] if labels is None else labels
    return draw(counts, counts.sum(axis=1), labels, title)


def places(picture, colour):
    """(row, column) of the pixels of one colour."""
    return np.argwhere((np.asarray(picture) == colour).all(axis=2))


def test_a_perfect_model_has_a_full_diagonal_and_no_orange():
    picture = picture_of(counts_of(4, errors=False))
    assert len(places(picture, RIGHT)) > 4 * 80 * 80  # four cells of 100 pixels, less their numbers
    assert len(places(picture, WRONG)) == 0


def test_a_cell_is_coloured_by_the_share_of_its_row():
    counts = np.array([[0, 7], [0, 1]])  # all seven of the first class are taken for the second
    picture = picture_of(counts)
    (wrong_top, wrong_left), (right_top, right_left) = places(picture, WRONG).min(axis=0), places(picture, RIGHT).min(axis=0)
    assert wrong_left == right_left
    assert right_top > wrong_top


def test_a_rare_error_can_be_seen():
    counts = np.array([[99, 1], [0, 100]])
    pixels = np.asarray(picture_of(counts)).reshape(-1, 3)
    faint = np.rint(np.array(PAPER) * 0.9 + np.array(WRONG) * 0.1)  # the root of 1 %
    assert (pixels == faint).all(axis=1).sum() > 5_000


def test_a_class_without_test_rows_is_a_grey_row():
    counts = np.array([[5, 0, 0], [0, 0, 0], [0, 0, 5]])
    rows = places(picture_of(counts), EMPTY)
    assert len(rows) > 3 * 90 * 90
    assert np.ptp(rows[:, 0]) < 100 <= np.ptp(rows[:, 1])


@pytest.mark.parametrize("classes", [2, 3, 20, 77, 150])
def test_labels_stand_on_both_sides_up_to_150_classes(classes):
    long, short = (picture_of(counts_of(classes, errors=False), [name] * classes) for name in ("MMMMMMMM", "MMM"))
    more = long.height - short.height
    assert more > 20
    assert places(long, RIGHT)[:, 1].min() - places(short, RIGHT)[:, 1].min() == more
    assert long.width < SIDE + 2 * LONGEST_LABEL


def test_more_classes_are_cells_alone():
    assert picture_of(counts_of(400), ["MMMMMMMM"] * 400).size == picture_of(counts_of(400), ["MMM"] * 400).size


def test_a_long_label_is_cut():
    picture = picture_of(counts_of(3), ["a very long label " * 20, "b", "c"])
    assert picture.width < 3 * 100 + LONGEST_LABEL + 400


def test_a_label_that_the_font_lacks_stands_as_its_number():
    written, numbered = picture_of(counts_of(3), ["a", "größe 日本", "c"]), picture_of(counts_of(3), ["a", "#2", "c"])
    assert ImageChops.difference(written, numbered).getbbox() is None
    assert _has("M")
    assert not _has("日")


def test_a_label_of_two_lines_stands_on_one():
    one, two = picture_of(counts_of(2), ["first line", "b"]), picture_of(counts_of(2), ["first\n line", "b"])
    assert ImageChops.difference(one, two).getbbox() is None


def test_the_title_fits():
    short, long = (picture_of(counts_of(2), title=title) for title in ("short", "a very long title " * 10))
    assert long.width > short.width
    assert isinstance(long, Image.Image)


def test_the_classes_with_most_errors_are_found_on_both_sides_of_an_error():
    counts = np.eye(60, dtype=int) * 10
    counts[3, 50] = 9
    counts[7, 3] = 1
    assert confused_most(counts).tolist() == [3, 7, 50]
    assert len(confused_most(counts_of(150))) == MOST
