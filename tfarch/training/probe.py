"""The linear probe: softmax regression on the encoder's vectors as they are, before any of it is trained. The head starts from it.

A head of random weights sends noise through the encoder until it has learned; one that starts from the probe leaves the pre-trained features
whole (Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", LP-FT), and on little data most of what is reached is reached here.
"""

from __future__ import annotations

import numpy as np

from tfarch.evaluation.out_of_fold import out_of_fold_loss, stratified_folds
from tfarch.runtime.logistic import softmax

ROWS = 20_000  # more rows hardly move a probe and cost a pass through the encoder
# Both measured on two validation sets, 44 classes of 20 rows and 77 of 117: log-likelihood is flat from 1e-3 to 3e-3 and from 100 steps on.
L2 = 2e-3
STEPS = 200
GROWTH, MOST_L2 = 5.0, 2.0
# Of 77 classes ten fits to as many rows take half a dozen seconds on 2 cores.
CHOICE_ROWS, CHOICE_FOLDS, CHOICE_STEPS = 2_000, 5, 100


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


def chosen_l2(features: np.ndarray, targets: np.ndarray, classes: int, seed: int) -> float:
    """The weight decay by whose probes rows that they have not seen are told best: `L2`, or `GROWTH` times as much while that is better.

    `L2` suits classes that the features tell apart. Where they hardly do, as a sentence encoder's vectors do with sentiment, such a probe learns the rows by heart, and a head that
    starts from it is sure of what is wrong: with 720 texts of three sentiments unseen rows had a mean negative log-likelihood of 2.55 by it and of 0.88 by 250 times as
    much decay, and after fine-tuning 64 and 73 % of 144 unseen rows were right.

    Args:
        features, targets: see `fit_probe`; at most `CHOICE_ROWS` rows are looked at. A class of one row takes no part.
        seed: which rows, and their folds.
    """
    rows = np.sort(np.random.default_rng(seed).permutation(len(targets))[:CHOICE_ROWS])
    counts = np.bincount(targets[rows], minlength=classes)
    rows = rows[counts[targets[rows]] > 1]
    if not len(rows):
        return L2
    features, targets = features[rows], targets[rows]
    folds = stratified_folds(targets, np.arange(len(rows)), CHOICE_FOLDS, seed)

    def unseen_loss(l2: float) -> float:
        return out_of_fold_loss(features, targets, classes, folds, lambda *each: fit_probe(*each, l2=l2, steps=CHOICE_STEPS))

    l2, loss = L2, unseen_loss(L2)
    while l2 * GROWTH <= MOST_L2 and (next_loss := unseen_loss(l2 * GROWTH)) < loss:
        l2, loss = l2 * GROWTH, next_loss
    return l2
