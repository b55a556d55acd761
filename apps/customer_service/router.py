"""Who answers a question: the intent's answer, the FAQ, or nobody. A conditional logit over the three, fitted on validation's questions of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tfarch.runtime.logistic import softmax
from tfarch.runtime.retrieval import conditional_logit

INTENT, FAQ, NOBODY = range(3)
_LEAST = 1e-4  # probabilities nearer to 0 or 1 than this tell no more
_PENALTY = 0.01


@dataclass(frozen=True)
class Router:
    """Weights of the evidence for each way.

    intent: of the log-odds of the likeliest intent, and of the scope score's standard deviations above the threshold.
    faq: of the log-odds of the likeliest entry.
    bias: of the intent and of the FAQ, against nobody.
    spread: standard deviation of the scope score on validation's rows in scope.
    """

    intent: tuple[float, float]
    faq: float
    bias: tuple[float, float]
    spread: float

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Router:
        """The router that `as_dict` gave."""
        return cls(tuple(values["intent"]), values["faq"], tuple(values["bias"]), values["spread"])

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def probabilities(self, intents: np.ndarray, margins: np.ndarray, entries: np.ndarray) -> np.ndarray:
        """`[n, 3]`, that the intent answers, the FAQ, nobody.

        Args:
            intents: probability of the likeliest intent `[n]`.
            margins: scope score above the threshold `[n]`.
            entries: probability of the likeliest entry `[n]`.
        """
        return softmax(_evidence(intents, margins / self.spread, entries) @ np.array([*self.intent, self.faq, *self.bias]))


# Near what the sample's questions give: for a company that has no queries of its FAQ yet.
DEFAULT = Router(intent=(0.5, 0.5), faq=0.7, bias=(1.0, 1.0), spread=1.0)


def fit_router(kinds: Sequence[int], intents: np.ndarray, margins: np.ndarray, entries: np.ndarray, spread: float) -> Router:
    """The router under which the known kinds (`INTENT`, `FAQ`, `NOBODY`) are most probable; each kind counts the same, however many questions it has."""
    kinds = np.asarray(kinds)
    counts = np.bincount(kinds, minlength=3)
    weights = conditional_logit(_evidence(intents, margins / spread, entries), kinds, np.full(5, _PENALTY), 1.0 / counts[kinds])
    first, second, faq, *bias = map(float, weights)
    return Router((first, second), faq, (bias[0], bias[1]), spread)


def _evidence(intents: np.ndarray, margins: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Features `[n, 3, 5]`; nobody's are 0."""
    features = np.zeros((len(intents), 3, 5))
    features[:, INTENT, 0], features[:, INTENT, 1], features[:, INTENT, 3] = _log_odds(intents), np.clip(margins, -5, 5), 1.0
    features[:, FAQ, 2], features[:, FAQ, 4] = _log_odds(entries), 1.0
    return features


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    clipped = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return np.log(clipped / (1 - clipped))
