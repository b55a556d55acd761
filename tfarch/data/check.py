"""What is wrong, or worth knowing, about a data set before anything is trained on it: a list of findings, each one sentence with examples.

Each check is a generator of findings; `check` runs them all over one `Survey`, which works out the normal form of every text once.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tfarch.config import DataConfig
from tfarch.data.normal_form import normal_form
from tfarch.data.tables import Dataset

Severity = Literal["error", "warning", "note"]

MOST_EXAMPLES = 10
MOST_CHARACTERS = 200  # of an example's text
FEW_ROWS = 5  # training rows under which a class has too few
IMBALANCE_NOTE, IMBALANCE_WARNING = 10, 50  # rows of the largest class over those of the smallest
LARGE_SHARE = 0.05  # share of rows above which a note becomes a warning
ONE_LABEL_SHARE, ONE_LABEL_ROWS = 0.95, 20  # one label on this share of at least so many rows is suspicious
# Measured with MiniLM's WordPiece on six data sets: 3.1 to 3.8 characters a token, 99 of 100 texts under 5.6. A text over this is cut.
CHARACTERS_A_TOKEN = 6
HUGE_CHARACTERS = 10_000  # no longer a message: a document, or a file that lost its line breaks

_PARTS = {"train": "training", "valid": "validation", "test": "test"}
_SPOILT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")


@dataclass(frozen=True)
class Example:
    """A row that shows a finding."""

    file: str
    line: int
    label: str
    text: str


@dataclass(frozen=True)
class Finding:
    """One thing found.

    Args:
        kind: a short name, fit for a program.
        severity: error (figures will mislead), warning (look at it) or note.
        count: how many rows, texts or classes it concerns; exact.
        message: one sentence for the reader.
        examples: at most ten of them, texts cut to 200 characters.
    """

    kind: str
    severity: Severity
    count: int
    message: str
    examples: tuple[Example, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"examples": [asdict(example) for example in self.examples]}


Row = tuple[str, int]  # part and index in its table


@dataclass(frozen=True)
class Survey:
    """A data set with the normal form of every text, as the checks take it.

    Args:
        dataset: the rows.
        data: its settings.
        forms: part -> normal form of each row.
        token_lengths: part -> tokens of each row before the cut to `data.max_length`, if known.
    """

    dataset: Dataset
    data: DataConfig
    forms: dict[str, list[str]]
    token_lengths: Mapping[str, Sequence[int]] | None

    def example(self, row: Row) -> Example:
        table, index = self.dataset.parts[row[0]], row[1]
        return Example(table.file, table.lines[index], table.labels[index], shortened(table.texts[index]))

    def examples(self, rows: Iterable[Row]) -> tuple[Example, ...]:
        return tuple(self.example(row) for row, _ in zip(rows, range(MOST_EXAMPLES), strict=False))

    def rows(self) -> Iterator[tuple[Row, str, str]]:
        """Each row with its text and label."""
        for part, table in self.dataset.parts.items():
            for index, (text, label) in enumerate(zip(table.texts, table.labels, strict=True)):
                yield (part, index), text, label

    def class_counts(self, part: str) -> Counter[str]:
        """Rows of each class in a part; out-of-scope rows are not counted."""
        return Counter(label for label in self.dataset.parts[part].labels if label != self.dataset.oos_label)


def check(dataset: Dataset, data: DataConfig, token_lengths: Mapping[str, Sequence[int]] | None = None) -> list[Finding]:
    """All findings, gravest first.

    Args:
        dataset: what `load_dataset` gave.
        data: its settings.
        token_lengths: "train", "valid", "test" -> tokens of each row before they are cut, [CLS] and [SEP] included; without it the share of
            texts that are cut is judged by characters.
    """
    forms = {part: [normal_form(text) for text in table.texts] for part, table in dataset.parts.items()}
    survey = Survey(dataset, data, forms, token_lengths)
    findings = [finding for run in CHECKS for finding in run(survey)]
    return sorted(findings, key=lambda finding: ("error", "warning", "note").index(finding.severity))


def bad_rows(survey: Survey) -> Iterator[Finding]:
    """Rows of the files that could not be used."""
    bad = survey.dataset.bad_rows
    if bad:
        examples = tuple(Example(row.file, row.line, "", shortened(row.reason)) for row in bad[:MOST_EXAMPLES])
        where = _listed([f"{row.file} line {row.line}: {row.reason}" for row in bad], 3, "; ")
        yield Finding(
            "bad_row", "warning", len(bad), f"{_plural(len(bad), 'row was', 'rows were')} unusable and skipped ({where}).", examples
        )


def leaks(survey: Survey) -> Iterator[Finding]:
    """Rows of one part that stand in another, which is then no judge of it."""
    consequences = {
        ("test", "train"): "their score flatters",
        ("valid", "train"): "the choice of the best epoch, the temperature and the threshold are too hopeful",
        ("test", "valid"): "the temperature and the threshold were chosen with their help",
    }
    for (part, other), consequence in consequences.items():
        known, known_words = set(survey.forms[other]), set(survey.dataset.parts[other].texts)
        rows = [(part, index) for index, form in enumerate(survey.forms[part]) if form in known]
        if rows:
            table = survey.dataset.parts[part]
            verbatim = sum(table.texts[index] in known_words for _, index in rows)
            severity = "error" if other == "train" and len(rows) > LARGE_SHARE * len(table) else "warning"
            stand = _plural(len(rows), f"{_PARTS[part]} row is", f"{_PARTS[part]} rows are")
            where = "train" if other == "train" else _PARTS[other]
            outcome = consequence if len(rows) > 1 else consequence.replace("their", "its")
            message = f"{stand} also in {where} ({verbatim:,} word for word): {outcome}."
            yield Finding("leak", severity, len(rows), message, survey.examples(rows))


def taken_out(survey: Survey) -> Iterator[Finding]:
    """Training rows that were left out, as a task that is learned together with this one is judged by their texts."""
    for part, table in survey.dataset.taken_out.items():
        rows = zip(table.lines[:MOST_EXAMPLES], table.labels, table.texts, strict=False)
        examples = tuple(Example(table.file, line, label, shortened(text)) for line, label, text in rows)
        stand = _plural(len(table), f"training row is also a {_PARTS[part]} row", f"training rows are also {_PARTS[part]} rows")
        were = "was" if len(table) == 1 else "were"
        yield Finding(
            "taken_out", "warning", len(table), f"{stand} of a task and {were} left out: one encoder learns for all tasks.", examples
        )


def conflicts(survey: Survey) -> Iterator[Finding]:
    """Texts that stand under two labels, in whatever part."""
    first: dict[str, dict[str, Row]] = defaultdict(dict)  # form -> label -> its first row
    for row, _, label in survey.rows():
        first[survey.forms[row[0]][row[1]]].setdefault(label, row)
    conflicting = [labels for labels in first.values() if len(labels) > 1]
    if conflicting:
        pairs = Counter(tuple(sorted(labels)) for labels in conflicting)
        commonest = _listed([" and ".join(map(repr, pair)) for pair, _ in pairs.most_common()], 3, "; ")
        message = f"{_plural(len(conflicting), 'text stands', 'texts stand')} under two labels or more ({commonest})."
        yield Finding(
            "conflict", "warning", len(conflicting), message, survey.examples(row for labels in conflicting for row in labels.values())
        )


def duplicates(survey: Survey) -> Iterator[Finding]:
    """Rows that repeat an earlier row of their part with the same label."""
    for part, table in survey.dataset.parts.items():
        words, forms = set(), set()
        exact: list[Row] = []
        alike: list[Row] = []
        for index, (text, form, label) in enumerate(zip(table.texts, survey.forms[part], table.labels, strict=True)):
            if (text, label) in words:
                exact.append((part, index))
            elif (form, label) in forms:
                alike.append((part, index))
            words.add((text, label))
            forms.add((form, label))
        for kind, rows, how in (("duplicate", exact, "word for word"), ("near_duplicate", alike, "but for case, spacing or punctuation")):
            if rows:
                repeat = _plural(len(rows), f"{_PARTS[part]} row repeats", f"{_PARTS[part]} rows repeat")
                message = (
                    f"{repeat} an earlier one {how}: {'the model learns' if part == 'train' else 'the score counts'} {_them(rows)} twice."
                )
                yield Finding(kind, _severity(len(rows), len(table)), len(rows), message, survey.examples(rows))


def small_classes(survey: Survey) -> Iterator[Finding]:
    """Classes with too few training rows, and classes that a part lacks."""
    counts = survey.class_counts("train")
    few = sorted((label for label in survey.dataset.labels if counts[label] < FEW_ROWS), key=lambda label: (counts[label], label))
    if few:
        listed = _listed([f"{label!r} ({counts[label]})" for label in few], 5)
        message = f"{_plural(len(few), 'class has', 'classes have')} fewer than {FEW_ROWS} training rows: {listed}."
        first = {label: ("train", index) for index, label in reversed(list(enumerate(survey.dataset.train.labels)))}
        yield Finding("few_examples", "warning", len(few), message, survey.examples(first[label] for label in few))
    for part in ("valid", "test"):
        there = set(survey.dataset.parts[part].labels)
        absent = [label for label in survey.dataset.labels if label not in there]
        if absent:
            listed = _listed([f"{label!r} ({counts[label]} in train)" for label in absent], 5)
            classes = _plural(len(absent), "class has", "classes have")
            message = f"{classes} no {_PARTS[part]} row, so nothing there measures {_them(absent)}: {listed}."
            yield Finding("unmeasured", "warning" if part == "test" else "note", len(absent), message)


def imbalance(survey: Survey) -> Iterator[Finding]:
    """A largest class that dwarfs the smallest; counts the classes that it exceeds more than tenfold."""
    ordered = survey.class_counts("train").most_common()
    (largest, most), (smallest, least) = ordered[0], min(ordered, key=lambda item: (item[1], item[0]))
    if most > IMBALANCE_NOTE * least:
        dwarfed = sum(most > IMBALANCE_NOTE * count for _, count in ordered)
        message = (
            f"The largest class, {largest!r} ({most:,} training rows), is {most / least:.1f} times the smallest, {smallest!r} ({least:,}); "
            f"{_plural(dwarfed, 'class is', 'classes are')} more than {IMBALANCE_NOTE} times smaller than it."
        )
        yield Finding("imbalance", "warning" if most > IMBALANCE_WARNING * least else "note", dwarfed, message)


def one_label(survey: Survey) -> Iterator[Finding]:
    """A part in which (almost) every row has one and the same label: a wrong column, or a file that was sorted and cut."""
    for part in survey.dataset.parts:
        counts = survey.class_counts(part)
        total = counts.total()
        if total < ONE_LABEL_ROWS:
            continue
        label, count = counts.most_common(1)[0]
        if count >= ONE_LABEL_SHARE * total:
            rows = ((part, index) for index, each in enumerate(survey.dataset.parts[part].labels) if each == label)
            rows_with = f"{count:,} of {total:,} {_PARTS[part]} rows have one and the same label"
            message = f"{rows_with}, {label!r}: is it the right column, and the whole file?"
            yield Finding("one_label", "error" if count == total else "warning", count, message, survey.examples(rows))


def labels_alike(survey: Survey) -> Iterator[Finding]:
    """Labels that differ by nothing but case and spacing: one class that was typed in two ways."""
    first: dict[str, Row] = {}
    for row, _, label in survey.rows():
        first.setdefault(label, row)
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in sorted({*first, *filter(None, [survey.dataset.oos_label])}):
        spellings["".join(label.casefold().split())].append(label)
    groups = [labels for labels in spellings.values() if len(labels) > 1]
    if groups:
        listed = _listed([" and ".join(map(repr, labels)) for labels in groups], 5, "; ")
        message = f"{_plural(len(groups), 'label is', 'labels are')} written in several ways, by case or spacing: {listed}."
        yield Finding(
            "labels_alike",
            "warning",
            len(groups),
            message,
            survey.examples(first[each] for labels in groups for each in labels if each in first),
        )


def empty(survey: Survey) -> Iterator[Finding]:
    """Texts without a letter, a digit or a symbol that means something; files with empty texts gave bad rows."""
    rows = [row for row, text, _ in survey.rows() if not any(map(str.isalnum, text))]
    if rows:
        total = sum(map(len, survey.dataset.parts.values()))
        message = f"{_plural(len(rows), 'text has', 'texts have')} neither a letter nor a digit."
        yield Finding("empty", _severity(len(rows), total), len(rows), message, survey.examples(rows))


def over_long(survey: Survey) -> Iterator[Finding]:
    """Texts of which the model sees only the beginning: by tokens where they are known, else by characters."""
    data, parts = survey.data, survey.dataset.parts
    total = sum(map(len, parts.values()))
    if survey.token_lengths is None:
        unit, most = "characters", CHARACTERS_A_TOKEN * data.max_length
        lengths: dict[str, Sequence[int]] = {part: [len(text) for text in table.texts] for part, table in parts.items()}
    else:
        unit, most, lengths = "tokens", data.max_length, dict(survey.token_lengths)
    rows = [(part, index) for part in parts for index, length in enumerate(lengths[part]) if length > most]
    if not rows:
        return
    rows.sort(key=lambda row: -lengths[row[0]][row[1]])
    longest = int(lengths[rows[0][0]][rows[0][1]])
    huge = any(len(parts[part].texts[index]) > HUGE_CHARACTERS for part, index in rows)
    cut = (
        f"cut at data.max_length={data.max_length}"
        if unit == "tokens"
        else f"cut, most likely, at data.max_length={data.max_length} tokens"
    )
    message = (
        f"{len(rows):,} of {total:,} texts ({100 * len(rows) / total:.2g} %) {'is' if len(rows) == 1 else 'are'} longer than "
        f"{most:,} {unit} (the longest {longest:,}) and will be {cut}."
    )
    yield Finding("over_long", "warning" if huge else _severity(len(rows), total), len(rows), message, survey.examples(rows))


def spoilt(survey: Survey) -> Iterator[Finding]:
    """Texts with U+FFFD or control characters: what a wrong decoding leaves behind."""
    rows = [row for row, text, _ in survey.rows() if _SPOILT.search(text)]
    if rows:
        total = sum(map(len, survey.dataset.parts.values()))
        hold = _plural(len(rows), "text holds", "texts hold")
        message = f"{hold} spoilt characters (U+FFFD or control characters), which a wrong decoding leaves behind."
        yield Finding("spoilt_characters", _severity(len(rows), total), len(rows), message, survey.examples(rows))


CHECKS: tuple[Callable[[Survey], Iterator[Finding]], ...] = (
    bad_rows,
    leaks,
    taken_out,
    conflicts,
    duplicates,
    small_classes,
    imbalance,
    one_label,
    labels_alike,
    empty,
    over_long,
    spoilt,
)


def _severity(count: int, total: int) -> Severity:
    return "warning" if count > LARGE_SHARE * total else "note"


def _plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _them(items: Sequence[Any]) -> str:
    return "it" if len(items) == 1 else "them"


def _listed(items: Sequence[str], most: int, separator: str = ", ") -> str:
    shown = separator.join(items[:most])
    return shown if len(items) <= most else f"{shown}{separator}and {len(items) - most:,} more"


def shortened(text: str) -> str:
    """A text as reports show it: at most `MOST_CHARACTERS` of it."""
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
