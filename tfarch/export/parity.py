"""The parity gate: what was trained, what TF Serving runs and what the runtime runs must answer alike, on every text of the evaluation set."""

from __future__ import annotations

from collections.abc import Mapping

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
