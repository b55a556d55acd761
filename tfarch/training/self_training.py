"""Self-training: texts without labels take those that a classifier is surest of, and teach it in turn (Scudder 1965; Yarowsky 1995; Lee 2013).

Of every class as many are taken, not all above some probability: that would take the easy classes whole and nothing of the hard ones, which the next
round would then have forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfarch.runtime.logistic import softmax
from tfarch.training.probe import L2, fit_probe

# Of the texts that would fall to a class if all classes were asked as often, the share that each round takes.
SHARES = (0.1, 0.2, 0.4, 0.6)


def surest(probabilities: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The texts that are taken, rising, and the class that each is taken for: two int arrays `[m]`.

    Args:
        probabilities: `[n, classes]`.
        share: of n / classes; a class that fewer texts fall to takes those.
    """
    classes = probabilities.shape[1]
    most = max(1, round(share * len(probabilities) / classes))
    best, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    taken = np.sort(np.concatenate([order[best[order] == number][:most] for number in range(classes)]))
    return taken, best[taken]


def self_trained_probe(
    vectors: np.ndarray,
    targets: np.ndarray,
    counts: np.ndarray,
    unlabelled: np.ndarray,
    classes: int,
    *,
    l2: float = L2,
    shares: Sequence[float] = SHARES,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a linear probe (see `fit_probe`) after a round of self-training for each of `shares`.

    Args:
        vectors, targets, counts: of the labelled rows, `[n, width]`, `[n]`, `[n]`; a text without a label counts 1.
        unlabelled: vectors of the texts without labels, `[m, width]`.
        l2: weight decay of the probes.
    """
    kernel, bias = fit_probe(vectors, targets, classes, counts=counts, l2=l2)
    for share in shares:
        taken, guesses = surest(softmax(unlabelled @ kernel + bias), share)
        kernel, bias = fit_probe(
            np.concatenate([vectors, unlabelled[taken]]),
            np.concatenate([targets, guesses]),
            classes,
            counts=np.concatenate([counts, np.ones(len(taken), counts.dtype)]),
            l2=l2,
        )
    return kernel, bias
