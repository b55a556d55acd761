"""The parity gate: what was trained, what TF Serving runs and what the runtime runs must answer alike, on every text of the evaluation set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tfarch.errors import GateError


def compare(probabilities: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Largest difference of probabilities and share of equal labels between two answers `[n, classes]`."""
    return {
        "max_abs_difference": float(np.abs(probabilities.astype(np.float64) - reference).max(initial=0.0)),
        "label_agreement": float((probabilities.argmax(1) == reference.argmax(1)).mean()) if len(reference) else 1.0,
        "texts": len(reference),
    }


def parity(reference: np.ndarray, others: Mapping[str, np.ndarray], bound: float) -> dict:
    """The report's figures: each of `others` against the Keras model's probabilities `reference`."""
    figures = {f"keras_{name}": compare(answer, reference)["max_abs_difference"] for name, answer in others.items()}
    return {"bound": bound, "texts": len(reference), **figures, "holds": all(value <= bound for value in figures.values())}


def joined(figures: Sequence[Mapping]) -> dict:
    """The figures of `parity` of several tasks as one: the largest differences, over all texts."""
    names = [name for name in figures[0] if name.startswith("keras_")]
    texts = sum(each["texts"] for each in figures)
    worst = {name: max(each[name] for each in figures) for name in names}
    return {"bound": figures[0]["bound"], "texts": texts, **worst, "holds": all(each["holds"] for each in figures)}


def variant_parity(figures: Sequence[Mapping]) -> dict:
    """The figures of `compare` of several tasks as one: the largest difference, the least agreement, over all texts."""
    return {
        **figures[0],
        "max_abs_difference": max(each["max_abs_difference"] for each in figures),
        "label_agreement": min(each["label_agreement"] for each in figures),
        "texts": sum(each["texts"] for each in figures),
    }


def require_parity(report: dict, variants: list[dict], agreement_bound: float) -> None:
    """The gate, after the report is written.

    Raises:
        GateError: a float path differs by more than its bound, or a compressed variant agrees with the float32 file on too few labels.
    """
    if not report["holds"]:
        worst = max((name for name in report if name.startswith("keras_")), key=report.get)
        raise GateError(f"parity: {worst} differs by {report[worst]:.2e}, over the bound {report['bound']:g} (export.parity_bound)")
    for variant in variants:
        share = variant.get("parity", {}).get("label_agreement", 1.0)
        if share < agreement_bound:
            raise GateError(
                f"parity: {variant['name']} gives the label of {variant['parity']['against']} for {share:.1%} of the texts, "
                f"under the bound {agreement_bound:.1%} (export.agreement_bound)"
            )
