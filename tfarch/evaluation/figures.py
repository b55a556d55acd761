"""What a report says, read off once for the terminal, the HTML page and the model card: columns, comparisons, numbers as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT = "–"  # what stands where nothing was measured
REFERENCE = "float32"  # the variant that others are compared with
# Out-of-scope scores, as people call them.
METHOD_NAMES = {
    "max_probability": "highest probability",
    "energy": "energy of the logits",
    "mahalanobis": "Mahalanobis distance",
    "nearest_neighbour": "nearest training row",
    "adaptive_boundary": "adaptive boundary",
    "combined": "probability, energy and nearest row",
}
SIGNIFICANCE = 0.05  # the p-value above which a difference is called chance


@dataclass(frozen=True)
class Column:
    """One measured figure of a variant or a baseline."""

    title: str
    unit: str
    path: tuple[str, ...]  # where the figure stands in the row
    scale: float = 1.0  # what it is multiplied with to be in `unit`
    digits: int = 2
    narrow: bool = True  # whether the terminal's table, too, has room for it
    short: str = ""  # its title there

    def value(self, row: Mapping[str, Any]) -> float | None:
        """The figure in `unit`; None where it was not measured."""
        found = at(row, *self.path)
        return None if found is None or not math.isfinite(found) else found * self.scale

    def text(self, row: Mapping[str, Any]) -> str:
        """The figure as written in a table, without its unit."""
        value = self.value(row)
        return ABSENT if value is None else f"{value:,.{self.digits}f}"


SIZE = Column("size", "MB", ("bytes",), 1e-6)
ACCURACY = Column("accuracy", "%", ("metrics", "accuracy"), 100)
MACRO_F1 = Column("macro F1", "%", ("metrics", "macro_f1"), 100)


def variant_columns(variants: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The columns that at least one of the rows has a figure for; latency at every thread count that was measured."""
    columns = [
        SIZE,
        Column("gzipped", "MB", ("gzip_bytes",), 1e-6, short="gzip"),
        Column("zeros", "%", ("sparsity",), 100, digits=1),
        ACCURACY,
        MACRO_F1,
        Column("mean squared error", "", ("metrics", "mse"), digits=4, short="MSE"),
        Column("ECE", "", ("metrics", "ece"), digits=3),
        Column("NLL", "", ("metrics", "nll"), digits=3, narrow=False),
        Column("accuracy in scope, rejecting", "%", ("metrics", "in_scope_accuracy"), 100, narrow=False),
        Column("out-of-scope recall", "%", ("metrics", "oos_recall"), 100, short="OOS rec."),
        Column("out-of-scope AUROC", "", ("metrics", "oos_auroc"), digits=3, narrow=False),
    ]
    for threads in thread_counts(variants):
        noun = "thread" if threads == 1 else "threads"
        path = ("latency_ms", f"threads_{threads}")
        columns.append(Column(f"p50, {threads} {noun}", "ms", (*path, "p50"), short=f"p50 {threads}t"))
        columns.append(Column(f"p95, {threads} {noun}", "ms", (*path, "p95"), narrow=False))
    columns.append(Column(f"same label as {_unrounded(variants)}", "%", ("parity", "label_agreement"), 100, short="agree"))
    return [column for column in columns if any(column.value(variant) is not None for variant in variants)]


def _unrounded(variants: Sequence[Mapping[str, Any]]) -> str:
    """Whose labels the variants' are held against: the float32 file's of the same weights, which after a recipe is another one than the run's."""
    others = {at(variant, "parity", "against") for variant in variants} - {None, REFERENCE}
    return "before rounding" if others else REFERENCE


def thread_counts(variants: Sequence[Mapping[str, Any]]) -> list[int]:
    """The thread counts at which a variant's latency was measured, rising."""
    names = {name for variant in variants for name in variant.get("latency_ms") or ()}
    return sorted(int(name.removeprefix("threads_")) for name in names)


def at(values: Any, *path: str) -> Any:
    """The value under nested keys; None where a key is missing on the way."""
    for key in path:
        if not isinstance(values, Mapping):
            return None
        values = values.get(key)
    return values


def asked_and_found(bound: Mapping[str, Any]) -> tuple[str, str]:
    """The two figures of a row of the report's `gate`."""
    asked, found = ("not measured" if figure is None else f"{figure:.5g}" for figure in (bound["asked"], bound["found"]))
    return asked, found


def chosen_variant(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The variant that ships, if the report has measured it."""
    return next((each for each in report.get("variants") or () if each["name"] == report.get("chosen")), None)


def reference_variant(report: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The uncompressed variant that the others are held against, if there is one."""
    return next((each for each in report.get("variants") or () if each["name"] == REFERENCE), None)


def scored_rows(variant: Mapping[str, Any]) -> int | None:
    """The rows in scope that its accuracy was measured on; None where no class table tells."""
    table = at(variant, "metrics", "per_class")
    return sum(each["support"] for each in table.values()) if table else None


def latency(variant: Mapping[str, Any]) -> tuple[float, int] | None:
    """The median milliseconds of one text and the thread count, at the fewest threads measured."""
    for threads in thread_counts([variant]):
        p50 = at(variant, "latency_ms", f"threads_{threads}", "p50")
        if p50 is not None:
            return p50, threads
    return None


def headline(report: Mapping[str, Any]) -> str | None:
    """The result in two sentences: what the shipped file reaches, and what it is against float32. None where none was chosen."""
    variant = chosen_variant(report)
    if variant is None:
        return None
    facts = []
    accuracy, rows, speed = ACCURACY.value(variant), scored_rows(variant), latency(variant)
    if accuracy is not None:
        facts.append(f"labels {accuracy:.2f} % of {f'{rows:,} ' if rows else 'the '}test rows correctly")
    if SIZE.value(variant) is not None:
        facts.append(f"takes {SIZE.text(variant)} MB")
    if speed:
        facts.append(f"answers a text in {speed[0]:.2f} ms on {threads_text(speed[1])}")
    against = comparison(variant, reference_variant(report))
    first = f"{variant['name']} {join(facts)}." if facts else f"{variant['name']} was chosen."
    told = f"{first} Against {REFERENCE} it is {join(against)}." if against else first
    return f"{report['of_task'].replace('_', ' ').capitalize()}: {told}" if report.get("of_task") else told


def comparison(variant: Mapping[str, Any], reference: Mapping[str, Any] | None) -> list[str]:
    """What the variant is against the reference, in words: size, speed and accuracy, as far as both were measured."""
    if reference is None or variant is reference:
        return []
    facts = []
    size, before = SIZE.value(variant), SIZE.value(reference)
    if size and before:
        facts.append(_times(before / size, "smaller", "larger"))
    now, then = latency(variant), latency(reference)
    if now and then and now[1] == then[1]:
        facts.append(_times(then[0] / now[0], "faster", "slower"))
    reached, full = ACCURACY.value(variant), ACCURACY.value(reference)
    if reached is not None and full is not None:
        points = f"{abs(reached - full):.2f}"
        more = "more" if reached > full else "less"
        facts.append("equally accurate" if points == "0.00" else f"{points} points {more} accurate{_chance(variant, reference)}")
    return facts


def _chance(variant: Mapping[str, Any], reference: Mapping[str, Any]) -> str:
    """Whether the difference in accuracy may be chance, in brackets; nothing where it was not tested against this reference."""
    p_value = at(variant, "paired", "p_value")
    if p_value is None or at(variant, "paired", "against") != reference["name"]:
        return ""
    return f" ({'within' if p_value > SIGNIFICANCE else 'beyond'} chance, paired test p = {p_value:.2g})"


def rejection(variant: Mapping[str, Any] | None) -> str | None:
    """What "I don't know" brings and what it costs, in a sentence; None where no rows out of scope were tested."""
    recall, accepted = at(variant, "metrics", "oos_recall"), at(variant, "metrics", "in_scope_accuracy")
    if recall is None or accepted is None:
        return None
    return (
        f"Out of scope: {recall * 100:.1f} % of what is out of scope is turned away; with that, {accepted * 100:.1f} % of what is in scope is "
        f"answered rightly, without it {variant['metrics']['accuracy'] * 100:.1f} %."
    )


def _times(ratio: float, better: str, worse: str) -> str:
    """A ratio in words: 3.8 -> "3.8 times smaller"; 0.5 -> "2.0 times larger"."""
    text = f"{max(ratio, 1 / ratio):.1f}"
    return f"as {'large' if better == 'smaller' else 'fast'}" if text == "1.0" else f"{text} times {better if ratio > 1 else worse}"


def threads_text(threads: int) -> str:
    """ "one thread", "2 threads"."""
    return "one thread" if threads == 1 else f"{threads} threads"


def join(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def number_text(value: float | None, digits: int = 0) -> str | None:
    """A number with this many digits, thousands parted by commas; None stays None."""
    return None if value is None else f"{value:,.{digits}f}"


def share_text(value: float | None) -> str | None:
    """A share as per cent; None stays None."""
    return None if value is None else f"{value * 100:.1f} %"


def pair_text(first: float | None, second: float | None, digits: int) -> str | None:
    """Two numbers; None where one is missing."""
    return None if first is None or second is None else f"{first:.{digits}f}, {second:.{digits}f}"


def seconds_text(value: float | None) -> str | None:
    """A time in seconds, or in minutes where it is long; None stays None."""
    if value is None:
        return None
    return f"{value:.1f} s" if value < 120 else f"{value // 60:.0f} min {value % 60:.0f} s"


def mislabelled(label_errors: Mapping[str, Any] | None) -> str | None:
    """How many rows of each part look mislabelled, in a few words; None where nothing was looked at.

    >>> mislabelled({"suspects": {"train": 17, "valid": 0, "test": 1}})
    '17 training rows and 1 test row look mislabelled'
    """
    if not label_errors:
        return None
    names = {"train": "training", "valid": "validation", "test": "test"}
    counts = {names[part]: count for part, count in label_errors["suspects"].items() if count}
    if not counts:
        return "no row looks mislabelled"
    parts = join([f"{count:,} {name} row{'' if count == 1 else 's'}" for name, count in counts.items()])
    return f"{parts} look{'s' if list(counts.values()) == [1] else ''} mislabelled"
