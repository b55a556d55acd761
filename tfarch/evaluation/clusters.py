"""Groups of texts that ask the same: agglomerative clustering of their vectors by average cosine (Sokal and Michener 1958, UPGMA)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfarch.runtime.scope import unit

MOST = 5_000  # points: the table of cosines takes 4 * points^2 bytes, 100 MB


@dataclass(frozen=True)
class Merge:
    """Two clusters become one; the points are named by any of their members.

    similarity: the average cosine of their pairs.
    """

    first: int
    second: int
    similarity: float


def merges(vectors: np.ndarray, weights: np.ndarray) -> list[Merge]:
    """All n - 1 merges of n points, in the order of falling similarity, by chains of nearest neighbours (Murtagh 1983): n^2 steps and no seed.

    Args:
        vectors: `[n, width]`.
        weights: how many texts each point stands for `[n]`; the averages count them all.

    Raises:
        ValueError: there are more than `MOST` points.
    """
    points = len(vectors)
    if points > MOST:
        raise ValueError(f"{points} points, at most {MOST}")
    similarity = cosine_table(vectors)
    sizes, alive = np.asarray(weights, np.float64).copy(), np.ones(points, bool)
    found: list[Merge] = []
    chain: list[int] = []
    while len(found) < points - 1:
        if not chain:
            chain.append(int(alive.argmax()))
        last = chain[-1]
        nearest = int(similarity[last].argmax())
        if len(chain) > 1 and similarity[last, chain[-2]] >= similarity[last, nearest]:
            nearest = chain[-2]  # of equally near ones the one that the chain came from: else it would never end
        if len(chain) < 2 or nearest != chain[-2]:
            chain.append(nearest)
            continue
        del chain[-2:]
        found.append(Merge(nearest, last, float(similarity[last, nearest])))
        _merge(similarity, sizes, kept=nearest, gone=last)
        alive[last] = False
    return sorted(found, key=lambda each: -each.similarity)


def cosine_table(vectors: np.ndarray) -> np.ndarray:
    """All cosines `[n, n]`, float32; minus infinity of a point to itself."""
    units = unit(vectors)
    table = units @ units.T
    np.fill_diagonal(table, -np.inf)
    return table


def _merge(similarity: np.ndarray, sizes: np.ndarray, *, kept: int, gone: int) -> None:
    """`kept` becomes both: its similarities are the averages over all pairs of members (Lance and Williams 1967)."""
    mean = (sizes[kept] * similarity[kept] + sizes[gone] * similarity[gone]) / (sizes[kept] + sizes[gone])
    similarity[kept], similarity[:, kept] = mean, mean
    similarity[gone], similarity[:, gone] = -np.inf, -np.inf
    similarity[kept, kept] = -np.inf
    sizes[kept] += sizes[gone]


def cut(tree: list[Merge], points: int, least: float) -> np.ndarray:
    """The cluster of each point `[points]`, numbered from 0 in the order of their first members: only merges of at least this similarity are done."""
    parent = np.arange(points)

    def root(point: int) -> int:
        while parent[point] != point:
            parent[point] = point = parent[parent[point]]
        return point

    for merge in tree:
        if merge.similarity >= least:
            parent[root(merge.second)] = root(merge.first)
    roots = np.array([root(point) for point in range(points)])
    _, first, place = np.unique(roots, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[place]
