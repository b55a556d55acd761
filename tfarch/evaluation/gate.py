"""The bounds that the file which ships must keep: what was asked, what was found, and whether it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfarch.errors import GateError
from tfarch.evaluation.cost import FEWEST
from tfarch.evaluation.figures import REFERENCE, at, chosen_variant
from tfarch.evaluation.tasks import views

Report = Mapping[str, Any]
INT8 = "dynamic_int8"  # of the trained model: what latency is a share of
_LEAST = ("accuracy",)  # of these more is better


def asked_for(settings: Mapping[str, float | None], recipe: Mapping[str, float]) -> dict[str, float]:
    """The bounds that are stated: those of the settings (see `GateConfig`), and of the recipe where these say nothing."""
    return {**recipe, **{name: value for name, value in settings.items() if value is not None}}


def gate(report: Report, bounds: Mapping[str, float]) -> list[dict[str, Any]]:
    """Each bound for each task, of what they share once: `bound`, `asked`, `found`, `holds` and the `task`; a figure that this run does not have holds nothing: `found` is None."""
    rows = []
    for name, asked in bounds.items():
        found = _FIGURES[name]
        tasks = {"": report} if name in _SHARED else views(report)
        for task, view in tasks.items():
            value = found(view)
            holds = value is not None and (value >= asked if name in _LEAST else value <= asked)
            rows.append({"bound": name, **({"task": task} if task else {}), "asked": asked, "found": value, "holds": holds})
    return rows


def require_gate(rows: list[dict[str, Any]]) -> None:
    """The gate, after the report is written.

    Raises:
        GateError: a bound does not hold; names all that do not.
    """
    broken = []
    for row in rows:
        if not row["holds"]:
            found = "this run has no such figure" if row["found"] is None else f"{row['found']:.4g}"
            least = "at least" if row["bound"] in _LEAST else "at most"
            broken.append(f"gate.{row['bound']}{' of ' + row['task'] if 'task' in row else ''}: {found}, asked {least} {row['asked']:.4g}")
    if broken:
        raise GateError("; ".join(broken))


def _accuracy(report: Report) -> float | None:
    return at(chosen_variant(report), "metrics", "accuracy")


def _ece(report: Report) -> float | None:
    return at(chosen_variant(report), "metrics", "ece")


def _accuracy_loss(report: Report) -> float | None:
    return _lost(report, "accuracy")


def _auroc_loss(report: Report) -> float | None:
    return _lost(report, "oos_auroc")


def _lost(report: Report, name: str) -> float | None:
    """Against the float32 file of the trained model."""
    before, now = at(_named(report, REFERENCE), "metrics", name), at(chosen_variant(report), "metrics", name)
    return None if before is None or now is None else before - now


def _flips(report: Report) -> float | None:
    lost, rows = at(report, "cost", "flips", "lost"), at(report, "cost", "rows")
    return lost / rows if rows else None


def _worst(name: str):
    def worst(report: Report) -> float | None:
        parts = [each for each in at(report, "cost", name) or [] if each["rows"] >= FEWEST]
        return max((each["reference_accuracy"] - each["accuracy"] for each in parts), default=None)

    return worst


def _typo_loss(report: Report) -> float | None:
    found = at(report, "cost", "typos")
    return None if not found else (found["clean"] - found["typos"]) - (found["reference_clean"] - found["reference_typos"])


def _megabytes(report: Report) -> float | None:
    size = at(chosen_variant(report), "bytes")
    return None if size is None else size / 1e6


def _latency(report: Report) -> float | None:
    """Of the median of the trained model's int8 file, or where there is none its float32 file."""
    plain = _named(report, INT8) or _named(report, REFERENCE)
    of_each = [next(iter((at(each, "latency_ms") or {}).values()), None) for each in (chosen_variant(report), plain)]
    return of_each[0]["p50"] / of_each[1]["p50"] if all(of_each) else None


def _named(report: Report, name: str) -> Report | None:
    return next((each for each in report.get("variants") or [] if each["name"] == name), None)


_FIGURES = {
    "accuracy": _accuracy,
    "accuracy_loss": _accuracy_loss,
    "class_loss": _worst("classes"),
    "slice_loss": _worst("slices"),
    "flips": _flips,
    "typo_loss": _typo_loss,
    "ece": _ece,
    "auroc_loss": _auroc_loss,
    "megabytes": _megabytes,
    "latency": _latency,
}
_SHARED = ("megabytes", "latency")  # by all tasks
