"""The linear probe: softmax regression on the encoder's vectors as they are, before any of it is trained. The head starts from it.

A head of random weights sends noise through the encoder until it has learned; one that starts from the probe leaves the pre-trained features
whole (Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", LP-FT), and on little data most of what is reached is reached here.
"""

from __future__ import annotations

import numpy as np

from tfarch.runtime.logistic import softmax

ROWS = 20_000  # more rows hardly move a probe and cost a pass through the encoder
# Both measured on two validation sets, 44 classes of 20 rows and 77 of 117: log-likelihood is flat from 1e-3 to 3e-3 and from 100 steps on.
L2 = 2e-3
STEPS = 200


def fit_probe(
    features: np.ndarray,
    targets: np.ndarray,
    classes: int,
    *,
    counts: np.ndarray | None = None,
    l2: float = L2,
    steps: int = STEPS,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel float32 `[width, classes]` and bias float32 `[classes]` of a softmax regression.

    Minimises the mean cross-entropy + l2 / 2 * |kernel|^2 over centred features of mean variance 1, by accelerated gradient steps of size 1 / L
    (Nesterov 1983; L bounds the curvature, Böhning 1992): convex, so there is no seed and no step size to tune.

    Args:
        features: `[n, width]`.
        targets: class numbers `[n]`.
        counts: what each row counts in the mean `[n]`; None: all the same.
    """
    centre, scale = features.mean(axis=0), float(features.std(axis=0).mean()) or 1.0
    inputs = ((features - centre) / scale).astype(np.float32)
    rows = len(inputs)
    share = (np.full(rows, 1.0 / rows) if counts is None else counts / counts.sum()).astype(np.float32)[:, None]
    truth = np.zeros((rows, classes), np.float32)
    truth[np.arange(rows), targets] = 1.0
    curvature = 0.5 * max(1.0, float(np.linalg.eigvalsh(inputs.T @ (share * inputs))[-1])) + l2
    kernel, bias = np.zeros((inputs.shape[1], classes), np.float32), np.zeros(classes, np.float32)
    ahead_kernel, ahead_bias, momentum = kernel, bias, 1.0
    for _ in range(steps):
        error = share * (softmax(inputs @ ahead_kernel + ahead_bias).astype(np.float32) - truth)
        next_kernel = ahead_kernel - (inputs.T @ error + l2 * ahead_kernel) / curvature
        next_bias = ahead_bias - error.sum(axis=0) / curvature
        next_momentum = (1.0 + (1.0 + 4.0 * momentum**2) ** 0.5) / 2.0
        carried = np.float32((momentum - 1.0) / next_momentum)
        ahead_kernel, ahead_bias = next_kernel + carried * (next_kernel - kernel), next_bias + carried * (next_bias - bias)
        kernel, bias, momentum = next_kernel, next_bias, next_momentum
    kernel = (kernel / scale).astype(np.float32)
    return kernel, (bias - centre @ kernel).astype(np.float32)
