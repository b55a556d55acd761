"""From questions that were asked to candidates for new classes: those that a bundle does not answer, clustered by its own text vectors. No TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfarch.data.normal_form import same_question
from tfarch.errors import InputError
from tfarch.evaluation.clusters import MOST
from tfarch.evaluation.discovery import Cluster, find_clusters
from tfarch.runtime import Classifier

LOW = 0.3  # a best probability below it is no answer either
# Eight intents of BANKING77 among 60 questions of 60 others, six draws, vectors of a model that was trained on other intents (and, in brackets, of none): at
# 0.55 a cluster's texts are of one intent by 85 % (81), 86 % (89) of the intents' texts are in one, and 21 % (32) of the others; at 0.45 it is 73, 93 and
# 46 %, at 0.65 95, 72 and 6 %.
LEAST = 0.55


@dataclass(frozen=True)
class Discovery:
    """What was found among questions.

    asked: how many there were.
    texts: those of them that were clustered, n.
    clusters: groups of them, by their numbers, the largest first.
    """

    asked: int
    texts: tuple[str, ...]
    clusters: tuple[Cluster, ...]

    @property
    def left_over(self) -> list[str]:
        """The texts that are in no cluster."""
        clustered = {row for cluster in self.clusters for row in cluster.rows}
        return [text for row, text in enumerate(self.texts) if row not in clustered]

    def rows(self) -> list[tuple[str, str]]:
        """Text and name of its cluster, of all that are in one: training rows once a person has looked them over."""
        return [(self.texts[row], cluster.name) for cluster in self.clusters for row in cluster.rows]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        clusters = [cluster.as_dict(self.texts) for cluster in self.clusters]
        return {"asked": self.asked, "unanswered": len(self.texts), "clusters": clusters, "left_over": self.left_over}


def discover(
    classifier: Classifier, texts: Sequence[str], *, least: float = LEAST, min_size: int = 3, below: float = LOW, everything: bool = False
) -> Discovery:
    """Clusters the texts that `classifier` calls out of scope, or whose best probability is below `below`; with `everything` all of them.

    Args:
        least: average cosine at which two groups are one, from -1 to 1.
        min_size: texts of a cluster, at least.

    Raises:
        InputError: there are more different texts than the table of their cosines has room for, or a number is out of its range.
        BundleError: the bundle was exported without text vectors.
    """
    if min_size < 2:
        raise InputError(f"min-size {min_size}: a cluster has 2 texts or more")
    if not -1 <= least <= 1:
        raise InputError(f"cosine {least:g}: expected -1 to 1")
    asked = [text for text in texts if text.strip()]
    probabilities, vectors = classifier.answers(asked)
    chosen = np.ones(len(asked), bool) if everything else _unanswered(classifier, probabilities, vectors, below)
    unanswered = [asked[row] for row in np.flatnonzero(chosen)]
    groups = np.array(same_question(unanswered), np.int64)
    different = len(set(groups.tolist()))
    if different > MOST:
        raise InputError(f"{different:,} different texts are to be clustered, at most {MOST:,}", mend="give a part of them")
    clusters = find_clusters(unanswered, vectors[chosen], groups, least=least, min_size=min_size, taken=classifier.labels)
    return Discovery(len(asked), tuple(unanswered), tuple(clusters))


def _unanswered(classifier: Classifier, probabilities: np.ndarray, vectors: np.ndarray, below: float) -> np.ndarray:
    unsure = probabilities.max(axis=1) < below
    return unsure if classifier.out_of_scope is None else unsure | classifier.out_of_scope.rejects(probabilities, vectors)
