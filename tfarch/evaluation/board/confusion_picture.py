"""The confusion matrix as a picture, legible from 2 to 150 classes; of more, the cells alone."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE, LEAST_SIDE = 1650, 1000  # pixels that all cells take at most, and before cells get so small that their shares do not fit
LARGEST_CELL, SMALLEST_LABELLED_CELL, SMALLEST_CELL_WITH_SHARE = 100, 11, 30
SMALLEST_FONT, LARGEST_FONT, TITLE_FONT = 10, 16, 18
LONGEST_LABEL = 300  # pixels
MARGIN, GAP = 16, 6
PAPER, INK, SOFT, RULE, EMPTY = (255, 255, 255), (29, 35, 41), (95, 107, 118), (227, 224, 218), (243, 241, 236)
RIGHT, WRONG = (11, 110, 120), (194, 87, 26)
MANY = 25  # classes above which the errors want a picture of their own
MOST = 20  # classes in it


def confused_most(counts: np.ndarray) -> np.ndarray:
    """The at most `MOST` classes that take part in most errors, on either side, in the labels' order.

    Args:
        counts: `[c, c]`, rows are the true classes.
    """
    wrong = counts - np.diag(np.diag(counts))
    errors = wrong.sum(axis=0) + wrong.sum(axis=1)
    ranked = np.argsort(-errors, kind="stable")[:MOST]
    return np.sort(ranked[errors[ranked] > 0])


def draw(counts: np.ndarray, support: np.ndarray, labels: Sequence[str], title: str) -> Image.Image:
    """Rows are the true classes, columns what was predicted; colours (and numbers where they fit, in per cent) are shares of the row's support.

    Errors are orange and coloured by the root of their share, so that rare ones are seen. A class without test rows is a grey row.
    A label that the font cannot write stands as its number in the labels' order, from 1.

    Args:
        counts: `[k, k]`.
        support: `[k]`, test rows of each class, which may exceed the row's sum where the matrix is a part of a larger one.
        labels: the k names.
        title: a line above it.
    """
    classes = len(labels)
    fitting = max(LEAST_SIDE // classes, min(SIDE // classes, SMALLEST_CELL_WITH_SHARE))
    cell = max(1, min(LARGEST_CELL, fitting))
    shares = counts / np.maximum(support, 1)[:, None]
    labelled = cell >= SMALLEST_LABELLED_CELL
    font = _font(min(LARGEST_FONT, max(SMALLEST_FONT, cell - 2)))
    names = [_fitting(_written(label, number), font) for number, label in enumerate(labels, start=1)] if labelled else []
    label_space = max((_width(name, font) for name in names), default=0) + GAP
    head, small = _font(TITLE_FONT), _font(LARGEST_FONT)
    lines = [title, "rows: true class; columns: predicted; teal: right, orange: wrong; per cent of the row"]
    left, top = MARGIN + label_space, MARGIN + 2 * (TITLE_FONT + GAP) + GAP
    side = cell * classes
    text_width = max(_width(lines[0], head), _width(lines[1], small))
    picture = Image.new("RGB", (max(left + side, MARGIN + text_width) + MARGIN, top + side + label_space + MARGIN), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((MARGIN, MARGIN), lines[0], INK, head)
    pen.text((MARGIN, MARGIN + TITLE_FONT + GAP), lines[1], SOFT, small)
    cells = Image.fromarray(_colours(shares, support)).resize((side, side), Image.Resampling.NEAREST)
    picture.paste(cells, (left, top))
    _rule(pen, left, top, cell, classes)
    if cell >= SMALLEST_CELL_WITH_SHARE:
        _write_shares(pen, shares, support, left, top, cell)
    for number, name in enumerate(names):
        middle = number * cell + cell / 2
        pen.text((left - GAP, top + middle), name, INK, font, anchor="rm")
        _write_upright(picture, name, font, round(left + middle), top + side + GAP)
    return picture


def _colours(shares: np.ndarray, support: np.ndarray) -> np.ndarray:
    """uint8 `[k, k, 3]`."""
    full = np.where(np.eye(len(shares), dtype=bool)[..., None], np.array(RIGHT), np.array(WRONG))
    strength = np.sqrt(shares)[..., None]
    colours = np.array(PAPER) * (1 - strength) + full * strength
    colours[support == 0] = EMPTY
    return np.rint(colours).astype(np.uint8)


def _rule(pen: ImageDraw.ImageDraw, left: int, top: int, cell: int, classes: int) -> None:
    """Hairlines between the cells, or around all of them where they are too small for that."""
    side = cell * classes
    for at in range(0, side + 1, cell) if cell >= SMALLEST_LABELLED_CELL else (0, side):
        pen.line((left + at, top, left + at, top + side), RULE)
        pen.line((left, top + at, left + side, top + at), RULE)


def _write_shares(pen: ImageDraw.ImageDraw, shares: np.ndarray, support: np.ndarray, left: int, top: int, cell: int) -> None:
    font = _font(min(LARGEST_FONT, cell // 3 + 1))
    for (row, column), share in np.ndenumerate(shares):
        if support[row] and share >= 0.005:
            centre = (left + column * cell + cell / 2, top + row * cell + cell / 2)
            pen.text(centre, f"{share * 100:.0f}", PAPER if share > 0.3 else INK, font, anchor="mm")


def _write_upright(picture: Image.Image, name: str, font: ImageFont.FreeTypeFont, middle: int, top: int) -> None:
    """Writes a column's name from below upwards, ending at `top`."""
    height = round(font.size * 1.4)
    ink = Image.new("L", (max(1, _width(name, font)), height))
    ImageDraw.Draw(ink).text((0, height / 2), name, 255, font, anchor="lm")
    picture.paste(INK, (middle - height // 2, top), ink.rotate(90, expand=True))


def _width(text: str, font: ImageFont.FreeTypeFont) -> int:
    return round(font.getlength(text))


def _fitting(name: str, font: ImageFont.FreeTypeFont) -> str:
    """The name, its end cut off where it is too long."""
    if _width(name, font) <= LONGEST_LABEL:
        return name
    while _width(f"{name}..", font) > LONGEST_LABEL:
        name = name[:-1]
    return f"{name}.."


def _written(label: str, number: int) -> str:
    """The label on one line, or its number where a character is none of the font's."""
    name = " ".join(label.split())
    return name if all(character == " " or _has(character) for character in set(name)) else f"#{number}"


@functools.cache
def _has(character: str) -> bool:
    return _glyph(character) != _glyph("\U0010ffff")  # what no font has


def _glyph(character: str) -> bytes:
    return bytes(_font(LARGEST_FONT).getmask(character))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """The font that comes with Pillow."""
    return ImageFont.load_default(size)
