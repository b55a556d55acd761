"""What logistic models of every kind share: softmax, log-sum-exp, and the convex fit by Newton steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis, float64."""
    shifted = np.asarray(logits, np.float64)
    exponentials = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def log_sum_exp(logits: np.ndarray) -> np.ndarray:
    """The logarithm of the summed exponentials over the last axis, without overflow."""
    highest = logits.max(axis=-1)
    return highest + np.log(np.exp(logits - highest[..., None]).sum(axis=-1))


def minimise(
    loss: Callable[[np.ndarray], float], slopes: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], start: np.ndarray, steps: int = 200
) -> np.ndarray:
    """The weights `[f]` that minimise a convex loss, by Newton steps that are halved until they help.

    Args:
        loss: of weights.
        slopes: their gradient `[f]` and second derivatives `[f, f]`, positive definite.
        start: where to begin.
        steps: at most.
    """
    weights, value = start, loss(start)
    for _ in range(steps):
        gradient, second = slopes(weights)
        direction, size = np.linalg.solve(second, gradient), 1.0
        while size > 1e-9 and loss(weights - size * direction) > value:
            size /= 2
        moved = loss(weights - size * direction)
        if value - moved < 1e-12:
            break
        weights, value = weights - size * direction, moved
    return weights
