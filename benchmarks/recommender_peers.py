"""Well-kept recommenders of other people for `benchmarks.recommendation`; runs in the bench environment.

A way is fitted to the events of a fold and then scores all items for each query by what is known of its user: kNN and iALS of `implicit`, SLIM of `fastslim`, SASRec of `RecTools`.
"""

from __future__ import annotations

import dataclasses
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from benchmarks.workers import peak_mb, serve

NO_SCORE = -1e9  # of an item that a way says nothing of


@dataclass(frozen=True)
class Fold:
    """What a way may know: the events up to a moment, and of each query what its user did until he is asked for."""

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    times: np.ndarray
    starts: np.ndarray
    known_items: np.ndarray
    known_values: np.ndarray
    user_count: int
    item_count: int
    liked: float

    @classmethod
    def read(cls, file: str) -> Fold:
        with np.load(file) as arrays:
            own = {field.name: arrays[field.name] for field in dataclasses.fields(cls)}
        return cls(**{name: value.item() if value.ndim == 0 else value for name, value in own.items()})

    def matrices(self, only_liked: bool) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """1 where a user had (or liked) an item: of the events `[users, items]`, and of what is known of the queries `[queries, items]`."""
        queries = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        taken, known = (values >= (self.liked if only_liked else -np.inf) for values in (self.values, self.known_values))
        return (
            _ones(self.users[taken], self.items[taken], (self.user_count, self.item_count)),
            _ones(queries[known], self.known_items[known], (len(self.starts) - 1, self.item_count)),
        )


def _ones(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> sparse.csr_matrix:
    found = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    found.data[:] = 1.0
    return found


def neighbours(fold: Fold, kind: str, only_liked: bool = False, **settings: float) -> np.ndarray:
    """Item-kNN of `implicit`."""
    from implicit import nearest_neighbours

    train, known = fold.matrices(only_liked)
    model = getattr(nearest_neighbours, kind)(**settings)
    model.fit(train, show_progress=False)
    return np.asarray((known @ model.similarity.tocsr()).todense())


def als(fold: Fold, only_liked: bool = False, **settings: float) -> np.ndarray:
    """iALS of `implicit` (Hu, Koren and Volinsky 2008); users of the queries are folded in."""
    from implicit.als import AlternatingLeastSquares

    train, known = fold.matrices(only_liked)
    model = AlternatingLeastSquares(random_state=0, **settings)
    model.fit(train, show_progress=False)
    users = model.recalculate_user(np.arange(known.shape[0]), known)
    return np.asarray(users) @ np.asarray(model.item_factors).T


def slim(fold: Fold, only_liked: bool = False, **settings: float) -> np.ndarray:
    """SLIM of `fastslim` (Ning and Karypis 2011)."""
    import fastslim

    train, known = fold.matrices(only_liked)
    weights = fastslim.fit(train.astype(np.float64), **settings)
    return np.asarray((known.astype(np.float64) @ weights).todense())


def sasrec(fold: Fold, only_liked: bool = False, **settings: float) -> np.ndarray:
    """SASRec of `RecTools` (Kang and McAuley 2018), which sees the queries' histories as those of users that it did not learn from."""
    import pandas as pd
    import torch
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models.nn.transformers.sasrec import SASRecModel

    torch.manual_seed(0)
    taken, known = (values >= (fold.liked if only_liked else -np.inf) for values in (fold.values, fold.known_values))
    queries = np.repeat(np.arange(len(fold.starts) - 1), np.diff(fold.starts))

    def dataset(users: np.ndarray, items: np.ndarray, times: np.ndarray) -> Dataset:
        columns = {Columns.User: users, Columns.Item: items, Columns.Weight: 1.0, Columns.Datetime: pd.to_datetime(times, unit="s")}
        return Dataset.construct(pd.DataFrame(columns))

    model = SASRecModel(verbose=0, deterministic=True, recommend_torch_device="cpu", **settings)
    model.fit(dataset(fold.users[taken], fold.items[taken], fold.times[taken]))
    asked = dataset(queries[known], fold.known_items[known], np.arange(known.sum()))  # in the order of time
    found = model.recommend(
        np.unique(queries[known]), asked, k=fold.item_count, filter_viewed=False, add_rank_col=False, on_unsupported_targets="ignore"
    )
    scores = np.full((len(fold.starts) - 1, fold.item_count), NO_SCORE, np.float32)
    scores[found[Columns.User].to_numpy(), found[Columns.Item].to_numpy()] = found[Columns.Score].to_numpy()
    return scores


WAYS: dict[str, Callable[..., np.ndarray]] = {"neighbours": neighbours, "als": als, "slim": slim, "sasrec": sasrec}


def _answer(way: str, fold: str, out: str, settings: dict) -> dict[str, float]:
    """Writes the scores of the queries, float32 `[queries, items]`."""
    known = Fold.read(fold)
    started = time.perf_counter()
    scores = WAYS[way](known, **settings)
    seconds = time.perf_counter() - started
    np.save(out, np.nan_to_num(np.asarray(scores, np.float32), nan=NO_SCORE))
    return {"seconds": seconds, "peak_mb": peak_mb()}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    serve(_answer)
    sys.exit(0)
