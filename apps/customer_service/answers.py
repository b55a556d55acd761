"""The app's answers: a YAML file of intents, each with variants whose slots are filled from the customer's words or from what is known already.

constants:                      # facts that any answer may use: {phone}
  phone: "08081 570150"
slots:                          # pieces of a customer's message: {order_number}
  order_number:
    means: your order number    # what the app calls it
    pattern: '\\bLK(\\d{6})\\b'   # a regular expression, case ignored; its first group, or all of it, is the value
  device:
    means: the device
    values:                     # or the words that stand for each value, case ignored
      router: [router, hub, modem]
answers:
  order_tracking:               # the variant with the most slots that can all be filled answers; the last one has none
    - "Order {order_number}: open Orders in the app ..."
    - "Open Orders in the app ..."
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfarch.errors import InputError, unknown
from tfarch.settings import read_yaml

SECTIONS = ("constants", "slots", "answers")


@dataclass(frozen=True)
class Slot:
    """A named piece of a customer's message.

    means: a noun phrase for people.
    patterns: regular expressions, each with the value that it stands for; None: what its first group, or all of it, matched.
    """

    name: str
    means: str
    patterns: tuple[tuple[re.Pattern[str], str | None], ...]

    def find(self, text: str) -> str | None:
        """The value that stands first in `text`, of several there the longest; None where there is none."""
        found = [(match, value) for pattern, value in self.patterns if (match := pattern.search(text))]
        if not found:
            return None
        match, value = min(found, key=lambda each: (each[0].start(), -each[0].end()))
        return value or (match[1] if match.re.groups and match[1] else match[0])


@dataclass(frozen=True)
class Answer:
    """What is answered, and the slots that were filled in it."""

    text: str
    slots: Mapping[str, str]


@dataclass(frozen=True)
class AnswerBook:
    """The answers of a company.

    constants: values by name that any answer may use.
    answers: the variants by intent.
    """

    constants: Mapping[str, str]
    slots: Mapping[str, Slot]
    answers: Mapping[str, tuple[str, ...]]

    def values(self, text: str) -> dict[str, str]:
        """The values of the slots that `text` fills."""
        return {name: value for name, slot in self.slots.items() if (value := slot.find(text)) is not None}

    def answer(self, intent: str, values: Mapping[str, str], turn: int = 0) -> Answer | None:
        """The variant of `intent` with the most slots, all of which are in `values`; None where the intent has no answer. Of several such they take
        turns."""
        fitting = [each for each in self.answers.get(intent, ()) if all(name in values for name in self._slots_of(each))]
        if not fitting:
            return None
        most = max(len(self._slots_of(each)) for each in fitting)
        best = [each for each in fitting if len(self._slots_of(each)) == most]
        best = best[turn % len(best)]
        used = {name: values[name] for name in self._slots_of(best)}
        return Answer(best.format_map({**self.constants, **used}), used)

    def _slots_of(self, variant: str) -> list[str]:
        return [name for name in placeholders(variant) if name in self.slots]


def placeholders(variant: str) -> list[str]:
    """The names in braces, each once, in their order.

    Raises:
        ValueError: a brace is not closed, or is not around a name alone.
    """
    names = []
    for _, name, form, conversion in string.Formatter().parse(variant):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{{{name}}} is no name (a brace itself is written {{{{ or }}}})")
        names.append(name)
    return list(dict.fromkeys(names))


def read_answers(file: str | Path) -> AnswerBook:
    """The answers in a YAML file.

    Raises:
        InputError: the file is missing or not as above; names the file, the line and the mend.
    """
    values, lines = read_yaml(file)
    return answer_book(values, file, lines)


def answer_book(values: Mapping[str, Any], file: str | Path | None = None, lines: Mapping[str, int] | None = None) -> AnswerBook:
    """The answers from plain values, checked as `read_answers` does; `lines` gives the line of each dotted key."""
    lines = lines or {}

    def wrong(place: str, problem: str, mend: str | None = None) -> InputError:
        return InputError(f"{place}: {problem}", file=file, line=lines.get(place), mend=mend)

    def mapping(place: str, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise wrong(place, f"expected names with their values, found {value!r}")
        return {str(name): each for name, each in value.items()}

    for section in values:
        if section not in SECTIONS:
            raise unknown("section", section, SECTIONS, file=file, line=lines.get(str(section)))
    constants = {}
    for name, value in mapping("constants", values.get("constants") or {}).items():
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise wrong(f"constants.{name}", f"expected a text, found {value!r}")
        constants[name] = str(value)
    slots = {name: _slot(name, value, wrong) for name, value in mapping("slots", values.get("slots") or {}).items()}
    both = constants.keys() & slots.keys()
    if both:
        raise wrong(f"slots.{min(both)}", "a constant has this name too", "rename one")
    answers = {}
    for intent, variants in mapping("answers", values.get("answers") or {}).items():
        answers[intent] = _variants(f"answers.{intent}", variants, {*constants, *slots}, slots, wrong)
    if not answers:
        raise wrong("answers", "there are none")
    return AnswerBook(constants, slots, answers)


def _slot(name: str, value: Any, wrong) -> Slot:
    place = f"slots.{name}"
    if not name.isidentifier():
        raise wrong(place, "is no name: letters, digits and underscores only")
    if not isinstance(value, Mapping) or not isinstance(value.get("means"), str) or ("pattern" in value) == ("values" in value):
        raise wrong(place, "expected means, and either pattern or values")
    for key in value:
        if key not in ("means", "pattern", "values"):
            raise wrong(f"{place}.{key}", "is no setting of a slot", "known: means, pattern, values")
    if "pattern" in value:
        try:
            return Slot(name, value["means"], ((re.compile(str(value["pattern"]), re.IGNORECASE), None),))
        except re.error as error:
            raise wrong(f"{place}.pattern", f"is no regular expression: {error}") from error
    patterns = []
    if not isinstance(value["values"], Mapping) or not value["values"]:
        raise wrong(f"{place}.values", f"expected values with their words, found {value['values']!r}")
    for canonical, words in value["values"].items():
        if not isinstance(words, Sequence) or isinstance(words, str) or not words or not all(str(word).strip() for word in words):
            raise wrong(f"{place}.values.{canonical}", f"expected a list of words, found {words!r}")
        longest_first = sorted((re.escape(str(word)) for word in words), key=len, reverse=True)
        patterns.append((re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)", re.IGNORECASE), str(canonical)))
    return Slot(name, value["means"], tuple(patterns))


def _variants(place: str, variants: Any, known: set[str], slots: Mapping[str, Slot], wrong) -> tuple[str, ...]:
    if not isinstance(variants, Sequence) or isinstance(variants, str) or not variants:
        raise wrong(place, f"expected a list of answers, found {variants!r}")
    for number, variant in enumerate(variants):
        if not isinstance(variant, str) or not variant.strip():
            raise wrong(f"{place}.{number}", f"expected a text, found {variant!r}")
        try:
            names = placeholders(variant)
        except ValueError as error:
            raise wrong(f"{place}.{number}", str(error)) from error
        for name in names:
            if name not in known:
                raise wrong(
                    f"{place}.{number}", f"{{{name}}} is neither a slot nor a constant", f"known: {', '.join(sorted(known)) or 'none'}"
                )
    if any(name in slots for name in placeholders(variants[-1])):
        raise wrong(
            f"{place}.{len(variants) - 1}",
            "the last variant answers where no slot is filled, and so can have none",
            "add one without slots",
        )
    return tuple(variants)
