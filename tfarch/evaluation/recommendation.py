"""How good recommendations are: where the items that a user took next stand among all that he could have been shown, and what the lists are like.

Nothing is sampled: all candidates are ranked (Krichene and Rendle 2020, "On Sampled Metrics for Item Recommendation"). Three views of every query:
`warm`, among items that were learned from, `cold`, among those that were not, and `all`; `new_users` is `all` for users of whom nothing was learned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfarch.evaluation.bootstrap import mean_interval
from tfarch.evaluation.ranking import (
    average_precision_at,
    capped_recall_at,
    hit_at,
    ndcg_at,
    padded,
    ranks_among,
    recall_at,
    reciprocal_rank,
)

VIEWS = ("warm", "all", "cold", "new_users")
LISTED = 10  # items of a list

# Of ranks `[n, r]`, a figure for each query `[n]`.
METRICS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "ndcg_at_10": lambda found: ndcg_at(found, 10),
    "recall_at_10": lambda found: recall_at(found, 10),
    "recall_at_20": lambda found: recall_at(found, 20),
    "capped_recall_at_10": lambda found: capped_recall_at(found, 10),
    "capped_recall_at_20": lambda found: capped_recall_at(found, 20),
    "hit_at_10": lambda found: hit_at(found, 10),
    "mrr": reciprocal_rank,
    "map_at_10": lambda found: average_precision_at(found, 10),
}


@dataclass
class Rankings:
    """Queries of one way to recommend, as they are added.

    found: of each view, the ranks of each query's wanted items.
    users: of each view, the user of each query: one who is asked for more than once counts as one when intervals are drawn.
    lists: the first items of each query in the view `all`, numbers `[LISTED]`.
    """

    found: dict[str, list[np.ndarray]] = field(default_factory=lambda: {view: [] for view in VIEWS})
    users: dict[str, list[int]] = field(default_factory=lambda: {view: [] for view in VIEWS})
    lists: list[np.ndarray] = field(default_factory=list)

    def add(self, user: int, scores: np.ndarray, *, seen: np.ndarray, wanted: np.ndarray, warm: np.ndarray, new: bool) -> None:
        """Takes a query.

        Args:
            scores: of every item, float `[items]`, higher for what comes first; NaN is no score.
            seen: numbers of the items that the user has had, which are no candidates.
            wanted: numbers of the items that he took next, each once; those he has had are passed over.
            warm: whether an item was learned from, bool `[items]`.
            new: whether nothing was learned of the user.

        Raises:
            ValueError: a score is NaN, or there is not one for every item.
        """
        if scores.shape != warm.shape or np.isnan(scores).any():
            raise ValueError(f"scores {scores.shape} of {warm.shape[0]} items, {int(np.isnan(scores).sum())} of them NaN")
        unseen = np.ones(len(scores), bool)
        unseen[seen] = False
        wanted = wanted[unseen[wanted]]
        for view, candidates in {"warm": unseen & warm, "all": unseen, "cold": unseen & ~warm}.items():
            right = wanted[candidates[wanted]]
            if len(right):
                self._take(view, user, ranks_among(scores, candidates, right))
        if len(wanted):
            if new:
                self._take("new_users", user, self.found["all"][-1])
            self.lists.append(first(scores, unseen, LISTED))

    def _take(self, view: str, user: int, found: np.ndarray) -> None:
        self.found[view].append(found)
        self.users[view].append(user)

    def figures(self, view: str, metric: str) -> np.ndarray:
        """A metric of each query of a view, `[n]`."""
        return METRICS[metric](padded(self.found[view]))

    def summary(self) -> dict[str, dict[str, float | list[float] | int]]:
        """Of each view that has queries their number, the mean of each metric, and the 95 % interval of NDCG over users."""
        told: dict[str, dict] = {}
        for view in VIEWS:
            if self.found[view]:
                figures = {metric: self.figures(view, metric) for metric in METRICS}
                means = {metric: float(each.mean()) for metric, each in figures.items()}
                interval = mean_interval(figures["ndcg_at_10"], np.array(self.users[view]))
                told[view] = {"queries": len(self.found[view]), **means, "ndcg_at_10_interval": list(interval)}
        return told


def paired_difference(one: Rankings, other: Rankings, view: str, metric: str = "ndcg_at_10") -> tuple[float, tuple[float, float]]:
    """By how much `one` is better than `other` on the same queries, and the 95 % interval of that, over users.

    Raises:
        ValueError: the queries are not the same.
    """
    if one.users[view] != other.users[view]:
        raise ValueError("two ways that were asked different queries")
    difference = one.figures(view, metric) - other.figures(view, metric)
    return float(difference.mean()), mean_interval(difference, np.array(one.users[view]))


def first(scores: np.ndarray, candidates: np.ndarray, count: int) -> np.ndarray:
    """Numbers of the `count` candidates of the highest scores, the highest first; of equal ones the lower number."""
    masked = np.where(candidates, scores, -np.inf)
    count = min(count, int(candidates.sum()))
    cut = np.partition(masked, len(masked) - count)[len(masked) - count] if count else np.inf
    best = np.flatnonzero(masked > cut)
    tied = np.flatnonzero(candidates & (masked == cut))[: count - len(best)]
    chosen = np.concatenate([best, tied])
    return chosen[np.lexsort((chosen, -scores[chosen]))]


def list_figures(lists: Sequence[np.ndarray], counts: np.ndarray, users: int, vectors: np.ndarray | None = None) -> dict[str, float]:
    """What the lists are like, beside being right.

    - `coverage`: the share of all items that stand in a list.
    - `mean_popularity`: events of a listed item, mean.
    - `novelty`: -log2 of the share of users who had a listed item, mean (Zhou et al. 2010, equation 3; an item nobody had counts as of one user).
    - `diversity`: 1 - the cosine of two items of a list, mean over pairs (Ziegler et al. 2005); where there are vectors.

    Args:
        lists: numbers of items.
        counts: events of each item, `[items]`.
        users: whose events these are.
        vectors: of items, `[items, width]`.
    """
    listed = np.concatenate([np.zeros(0, np.int64), *lists]).astype(np.int64)
    told = {
        "coverage": len(np.unique(listed)) / len(counts),
        "mean_popularity": float(counts[listed].mean()),
        "novelty": float(-np.log2(np.clip(counts[listed], 1, users) / users).mean()),
    }
    if vectors is not None:
        units = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        pairs = [units[each] @ units[each].T for each in lists if len(each) > 1]
        told["diversity"] = float(np.mean([1.0 - (each.sum() - np.trace(each)) / (each.size - len(each)) for each in pairs]))
    return told
