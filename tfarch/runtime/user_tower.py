"""A user's state, of his history alone, in numpy: what the user tower of `tfarch.models.interest` says after the last event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# The weights of an interest model that make a user's state.
OF_USERS = ("event_weights/", "fading_mean/", "history_", "match/")


@dataclass(frozen=True)
class UserTower:
    """weights: by name, see `OF_USERS`; heads: of the attention, where there is one."""

    weights: Mapping[str, np.ndarray]
    heads: int = 2

    def state(self, vectors: np.ndarray, behaviours: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """A vector of length 1, float32 `[width]`; zeros where there is no event.

        Args:
            vectors: of the items of the history, in the order of time, float32 `[n, width]`.
            behaviours: int `[n]`.
            amounts: what each event counts, `[n]`.
        """
        return self.by_event(vectors, behaviours, amounts).sum(axis=0).astype(np.float32)

    def by_event(self, vectors: np.ndarray, behaviours: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """What each event gives to the state, float64 `[n, width]`; their sum is the state."""
        if not len(vectors):
            return np.zeros(vectors.shape)
        amounts = (
            np.asarray(amounts, np.float64) * np.exp(self.weights["event_weights/logs"].astype(np.float64))[behaviours.astype(np.int64)]
        )
        keep = 1.0 / (1.0 + np.exp(-float(self.weights["fading_mean/log_odds"])))
        shares = amounts * keep ** np.arange(len(vectors) - 1, -1, -1)
        given = (shares / max(np.abs(shares).sum(), 1e-6))[:, None] * vectors
        if "history_query/kernel" in self.weights:
            given = given + self._attended(vectors)
        return given / max(float(np.linalg.norm(given.sum(axis=0))), 1e-6)

    @property
    def matches(self) -> bool:
        """Whether it can tell how probable it is that a user wants an item."""
        return "match/bias" in self.weights

    def chances(self, state: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """How probable it is that a user of this state `[width]` wants each of the items of the vectors `[n, width]` when he comes upon it, float64 `[n]`."""
        odds = (vectors @ state).astype(np.float64) * np.exp(float(self.weights["match/log_scale"])) + float(self.weights["match/bias"])
        return 1.0 / (1.0 + np.exp(-odds))

    def _attended(self, vectors: np.ndarray) -> np.ndarray:
        """What the last event takes from each of them, `[n, width]`."""
        query, key, value = (
            (part @ self.weights[f"history_{role}/kernel"]).reshape(len(part), self.heads, -1)
            for role, part in (("query", vectors[-1:]), ("key", vectors), ("value", vectors))
        )
        scores = np.einsum("qhd,khd->hk", query, key) / np.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return (shares.T[:, :, None] * value).reshape(len(vectors), -1) @ self.weights["history_output/kernel"]
