"""What a file costs against another one on the same rows: answers that flip, by class, by slice, and under typos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfarch.evaluation.typos import with_typo

FLIPS = 20  # that are shown, of those that lose a right answer
FEWEST = 20  # test rows of a class or slice from which on a loss of it is looked at
_RARE = 0.25  # share of the classes that are called rare: those with the fewest training rows
_SHORT, _LONG = 1 / 3, 2 / 3  # of the rows, by length

Model = Callable[[Sequence[str]], np.ndarray]


def cost(
    given: np.ndarray,
    reference: np.ndarray,
    targets: np.ndarray,
    labels: Sequence[str],
    texts: Sequence[str],
    train_rows: np.ndarray,
) -> dict[str, Any]:
    """Of the n rows in scope.

    Args:
        given, reference: class probabilities `[n, classes]` of the file and of the one that it is held against.
        targets: class numbers `[n]`.
        train_rows: of each class, how many it was trained on, `[classes]`.

    Returns:
        `flips`: how many rows it answers otherwise, of which right answers are `lost` or `gained`, and examples of those lost, the surest of the reference first;
        `classes` and `slices`: name, rows, accuracy (of a class: recall) and that of the reference.
    """
    answered, before = given.argmax(axis=1), reference.argmax(axis=1)
    right, right_before = answered == targets, before == targets
    lost = np.flatnonzero(right_before & ~right)
    surest = lost[np.argsort(-reference[lost, before[lost]], kind="stable")][:FLIPS]
    lengths = np.array([len(text) for text in texts])
    short, long = (int(np.quantile(lengths, share)) for share in (_SHORT, _LONG)) if len(texts) else (0, 0)
    rare = np.argsort(train_rows, kind="stable")[: max(1, round(_RARE * len(labels)))]
    rarest = "class" if len(rare) == 1 else f"{len(rare)} classes"
    parts = {
        f"up to {short} characters": lengths <= short,
        f"{short + 1} to {long} characters": (lengths > short) & (lengths <= long),
        f"over {long} characters": lengths > long,
        f"the {rarest} with the fewest training rows": np.isin(targets, rare),
    }
    return {
        "rows": len(targets),
        "accuracy": _share(right),
        "reference_accuracy": _share(right_before),
        "flips": {
            "count": int((answered != before).sum()),
            "lost": len(lost),
            "gained": int((right & ~right_before).sum()),
            "examples": [
                {
                    "text": texts[row],
                    "label": labels[targets[row]],
                    "predicted": labels[answered[row]],
                    "probability": float(given[row].max()),
                }
                for row in surest
            ],
        },
        "classes": _parts({label: targets == number for number, label in enumerate(labels)}, right, right_before),
        "slices": _parts(parts, right, right_before),
    }


def in_short(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of what `cost` found: `accuracy`, `flips` without examples, and the class and the slice of so many rows that lose most, None where there is none."""
    flips = {name: found["flips"][name] for name in ("count", "lost", "gained")}
    return {
        "accuracy": found["accuracy"],
        "flips": flips,
        "worst_class": _losing_most(found["classes"]),
        "worst_slice": _losing_most(found["slices"]),
    }


def typos(
    models: Mapping[str, Model], answers: Mapping[str, np.ndarray], texts: Sequence[str], targets: np.ndarray, *, rows: int, seed: int
) -> tuple[int, dict[str, dict[str, float]]]:
    """Accuracies of each model, `clean` and with a typo in each text (`typos`), on at most so many rows, drawn by the seed; and how many rows.

    Args:
        models: give class probabilities `[n, classes]` of texts.
        answers: what each gives for `texts`.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(texts))[:rows]
    slipped = [with_typo(texts[row], rng) for row in chosen]
    found = {
        name: {
            "clean": _share(answers[name][chosen].argmax(axis=1) == targets[chosen]),
            "typos": _share(model(slipped).argmax(axis=1) == targets[chosen]),
        }
        for name, model in models.items()
    }
    return len(chosen), found


def _losing_most(parts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    known = [each for each in parts if each["rows"] >= FEWEST]
    return max(known, key=lambda each: each["reference_accuracy"] - each["accuracy"], default=None)


def _parts(parts: dict[str, np.ndarray], right: np.ndarray, right_before: np.ndarray) -> list[dict[str, Any]]:
    return [
        {"name": name, "rows": int(part.sum()), "accuracy": _share(right[part]), "reference_accuracy": _share(right_before[part])}
        for name, part in parts.items()
        if part.any()
    ]


def _share(right: np.ndarray) -> float:
    return float(right.mean()) if len(right) else 0.0
