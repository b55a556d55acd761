"""HTML and SVG elements as values: text is escaped unless it is `Markup`, so a label or a customer's text can never become a tag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, TypeAlias

Child: TypeAlias = "str | Iterable[Child] | None"

UNPRINTABLE = dict.fromkeys([*range(9), *range(11, 32), 127, *range(128, 160), *range(55296, 57344)], "�")
MOST = 400  # characters shown of a text


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *children: Child, **attributes: object) -> Markup:
    """An element; `class_` is written `class`, other underscores are hyphens; an attribute of None or False is left out, True stands bare.

    >>> tag("p", "1 < 2", class_="note", data_value=3)
    '<p class="note" data-value="3">1 &lt; 2</p>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Child) -> Markup:
    """Children one after the other: None gives nothing, text is escaped, `Markup` is kept, others are gone through."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, str):
        return Markup(escape(children.translate(UNPRINTABLE)))
    return Markup("".join(join(child) for child in children))


def quoted(text: str) -> Markup:
    """A text from the data: cut when very long, its writing direction kept to itself."""
    return tag("bdi", text if len(text) <= MOST else f"{text[:MOST]}… ({len(text):,} characters)", class_="text")


def marked(text: str, words: Iterable[Mapping[str, Any]]) -> Markup:
    """As `quoted`, with words marked: each has its `start` and `end` in the text and its `weight`, a figure that is shown with its sign."""
    parts: list[Child] = []
    at = 0
    for word in sorted(words, key=lambda word: word["start"]):
        if at <= word["start"] < word["end"] <= min(len(text), MOST):
            sign, side = ("+", "for") if word["weight"] > 0 else ("\N{MINUS SIGN}", "against")
            value = tag("small", f"{sign}{abs(word['weight']):.1f}")
            parts += [text[at : word["start"]], tag("mark", text[word["start"] : word["end"]], value, class_=side)]
            at = word["end"]
    rest = text[at:] if len(text) <= MOST else f"{text[at:MOST]}… ({len(text):,} characters)"
    return tag("bdi", *parts, rest, class_="text")


def named(label: str) -> Markup:
    """A label or a name: a long one breaks after its underscores and slashes."""
    return tag("bdi", Markup(re.sub(r"(?<=[_/])(?=.)", "<wbr>", join(label))), class_="name")


def fact_list(facts: Iterable[tuple[str, Child]]) -> Markup | None:
    """A list of named facts without those that are unknown."""
    known = [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts if value]
    return tag("dl", known, class_="facts") if known else None


def figure(plot: Markup, caption: str | None) -> Markup:
    """A plot with the sentence below it."""
    return tag("figure", plot, tag("figcaption", caption) if caption else None)


def scrolled(table: Markup, *, tall: bool = False) -> Markup:
    """A table that scrolls inside the page where it is wider, or much taller, than a screen."""
    return tag("div", table, class_="scroll tall" if tall else "scroll", tabindex="0")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value).translate(UNPRINTABLE))}"'
