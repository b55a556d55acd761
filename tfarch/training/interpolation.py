"""Between two ends: the weights on the straight line from the probe's start to the fine-tuned model that validation likes best.

Fine-tuning forgets some of what the encoder knew. The points between are models too, whose loss is often lower than that of both ends, most of all
where data is small (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", WiSE-FT). Costs a few passes over validation, no training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

Weights = Mapping[str, np.ndarray]

SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of the way to the fine-tuned end


def between(start: Weights, end: Weights, share: float) -> dict[str, np.ndarray]:
    """The weights at `share` (0 to 1) of the way from `start` to `end`; the same names and shapes."""
    return {name: value if share == 1.0 else start[name] + np.float32(share) * (value - start[name]) for name, value in end.items()}


def mean_of(members: Sequence[Weights]) -> dict[str, np.ndarray]:
    """The mean of the weights of several trainings from one pre-trained start: one model, mostly better than each of them (Wortsman et al. 2022, "Model soups",
    section 3.1, the uniform soup)."""
    return {
        name: np.mean([each[name] for each in members], axis=0, dtype=np.float32) if len(members) > 1 else value
        for name, value in members[0].items()
    }


def best_between(
    start: Weights, end: Weights, loss: Callable[[Weights], float], shares: Sequence[float] = SHARES
) -> tuple[dict[str, np.ndarray], float, dict[float, float]]:
    """The weights of least `loss` among the points at `shares` of the way, their share, and the loss at each."""
    losses = {share: loss(between(start, end, share)) for share in shares}
    share = min(losses, key=losses.get)
    return between(start, end, share), share, losses
