"""How well wrong labels are found in these very data: some are planted, and what those who judge say of them is compared with what they say of all rows."""

from __future__ import annotations

import numpy as np

SHARE, LEAST = 0.05, 30  # of the rows get a wrong label, and how many at least where there are enough
# Where the share of planted rows that lie below a score is read: lower it is a matter of single rows, higher right labels have as low a score.
_LEVELS = np.array([0.5, 0.6, 0.7, 0.8, 0.9])


def plant(given: np.ndarray, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The labels `[n]` with some of them exchanged for another class, any with the same chance; and the rows `[m]` that were, rising."""
    random = np.random.default_rng(seed)
    count = min(max(LEAST, round(SHARE * len(given))), max(1, len(given) // 4))
    rows = np.sort(random.permutation(len(given))[:count])
    planted = given.copy()
    planted[rows] = (given[rows] + random.integers(1, classes, count)) % classes
    return planted, rows


def scattered_rate(own: np.ndarray, planted: np.ndarray) -> float:
    """The share of wrong labels were they spread over all classes alike, as planted ones are.

    Were the share e, then below any score there would be at least e times the share of the planted rows that lie below it: e is at most the least quotient of
    both (mixture proportion estimation: Blanchard, Lee and Scott 2010), which it nears where right labels hardly have such scores. Wrong labels that fall on
    a class like their own have higher ones, and are not in it.

    Args:
        own: probability of the given label `[n]` of all rows.
        planted: that of the planted label `[m]`, of rows that got one.
    """
    bounds = np.quantile(planted, _LEVELS, method="higher")
    below = np.searchsorted(np.sort(own), bounds, side="right") / len(own)
    planted_below = np.searchsorted(np.sort(planted), bounds, side="right") / len(planted)
    return float(min(1.0, (below / planted_below).min()))
