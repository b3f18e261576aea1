"""The `planted-ratings` dataset: synthetic ratings of the shape of MovieLens 1M, with planted tastes.

*Shape.* 6,040 users, 3,706 items, 1,000,209 ratings, each pair at most once; how many ratings users and items have, by
the quantiles that MovieLens 1M has (users exactly, items up to chance); exactly as many of each number of stars.
*Who rates what.* Each user's items are the first arrivals of a race: item i arrives after an exponential time of rate
w_i exp(pull * taste_ui), so that users rate what they are likely to like; w is fitted to the items' quantiles.
*Ratings.* bias_u + bias_i + taste_ui + noise, cut into stars; taste_ui is a product of `RANK` factors, and what many
rate is rated higher. The spreads are such that models do about as well as on MovieLens 1M, where published RMSEs go
from 1.12 (mean) by 0.91 (biases) to 0.86 (SVD++).
*When.* Users come one after the other, each in a few sessions of ratings some seconds apart.

MovieLens 1M: Harper and Konstan, "The MovieLens datasets: history and context", 2015.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .dataset import Maker, Progress, RatingDataset
from .interaction_file import numbered, write_ids, write_rows
from .streams import Stream

USERS, ITEMS = 6_040, 3_706
STARS = (56_174, 107_557, 261_197, 348_971, 226_310)
"""How many ratings have 1 to 5 stars."""
RATINGS = sum(STARS)
USER_QUARTILES = (20, 44, 96, 208, 2_314)
ITEM_QUARTILES = (1, 33, 123.5, 350, 3_428)
"""Least, quartiles and most ratings of a user, and of an item."""
RANK = 12
GENRES = (
    *("Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
SOURCE = "Synthetic, drawn by technobench from a fixed seed: no person or film in it exists. No licence needed."

_USER_BIAS, _ITEM_BIAS, _POPULARITY_BIAS, _TASTE, _NOISE = 0.50, 0.50, 0.35, 0.55, 0.80
_PULL = 0.7
_FIRST_SECOND, _LAST_SECOND = 956_703_932, 1_046_454_590  # of MovieLens 1M: April 2000 to February 2003
_FITTED_USERS, _FITTING_STEPS = 4, 25
_BLOCK = 512


@dataclass(frozen=True)
class _Tastes:
    """What is known before anyone rates.

    users: (USERS, RANK), items: (ITEMS, RANK); their product, of standard deviation `_TASTE`, is the taste.
    user_counts: int64, (USERS,), ratings of each user; item_counts: (ITEMS,), ratings that an item shall have.
    """

    users: NDArray[np.float64]
    items: NDArray[np.float64]
    user_counts: NDArray[np.int64]
    item_counts: NDArray[np.int64]

    @classmethod
    def draw(cls) -> "_Tastes":
        stream = Stream(20)
        scale = (_TASTE / RANK**0.5) ** 0.5
        users, items = scale * stream.normal(USERS, RANK), scale * stream.normal(ITEMS, RANK)
        user_counts = counts_by_quartiles(USERS, RATINGS, USER_QUARTILES)[np.argsort(stream.uniform(USERS))]
        item_counts = counts_by_quartiles(ITEMS, RATINGS, ITEM_QUARTILES)[np.argsort(stream.uniform(ITEMS))]
        return cls(users, items, user_counts, item_counts)

    def pull(self, rows: slice) -> NDArray[np.float64]:
        """How strongly tastes draw users to items, (rows, ITEMS)."""
        return np.exp(_PULL * (self.users[rows] @ self.items.T) / _TASTE)


def counts_by_quartiles(number: int, total: int, quartiles: Sequence[float]) -> NDArray[np.int64]:
    """Ascending counts with the given least, quartiles and greatest, which add up to ``total``.

    Between two of them the logarithm is straight, but above the upper quartile, where it bends as the total asks.
    """
    place = np.linspace(0, 4, number)
    quarter = np.minimum(place.astype(np.int64), 3)
    within = place - quarter
    logs = np.log(quartiles)

    def counts(bend: float) -> NDArray[np.int64]:
        bent = np.where(quarter == 3, within**bend, within)
        return np.rint(np.exp(logs[quarter] + (logs[quarter + 1] - logs[quarter]) * bent)).astype(np.int64)

    low, high = 0.1, 10.0
    for _ in range(60):
        bend = (low + high) / 2
        low, high = (low, bend) if counts(bend).sum() < total else (bend, high)
    found = counts(low)
    # A few too many are left, by rounding: one less for each of so many in the middle of the upper quarter.
    excess = int(found.sum()) - total
    start = number * 7 // 8
    found[start : start + excess] -= 1
    return found


def _weights(tastes: _Tastes) -> NDArray[np.float64]:
    """The items' rates in the race, (ITEMS,), fitted by turns to both counts on a part of the users.

    An item arrives within user u's time c_u with probability 1 - exp(-c_u rate).
    """
    rows = slice(0, None, _FITTED_USERS)
    pull, user_counts = tastes.pull(rows), tastes.user_counts[rows]
    item_counts = tastes.item_counts * (user_counts.sum() / RATINGS)
    weights = item_counts / item_counts.sum()
    times = user_counts.astype(np.float64)
    for _ in range(_FITTING_STEPS):
        arrived = -np.expm1(-(times[:, None] * pull) * weights)
        times *= user_counts / arrived.sum(axis=1)
        weights *= item_counts / arrived.sum(axis=0)
    return weights


def _rated(tastes: _Tastes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """User and item of every rating, both (RATINGS,); by user, items in ascending order."""
    weights = _weights(tastes)
    arrivals = np.empty((USERS, ITEMS), np.float32)
    rated = np.zeros((USERS, ITEMS), bool)
    for start in range(0, USERS, _BLOCK):
        rows = slice(start, min(start + _BLOCK, USERS))
        waits = -np.log(Stream(21, start // _BLOCK).uniform(rows.stop - start, ITEMS))
        arrivals[rows] = waits / (tastes.pull(rows) * weights)
        for user in range(start, rows.stop):
            count = tastes.user_counts[user]
            rated[user, np.argpartition(arrivals[user], count - 1)[:count]] = True
    # An item that nobody rated would be no item: its first arrival takes the place of the user's most rated item.
    popularity = rated.sum(axis=0)
    for item in np.flatnonzero(popularity == 0):
        user = arrivals[:, item].argmin()
        rated[user, np.where(rated[user], popularity, 0).argmax()] = False
        rated[user, item] = True
    users, items = np.nonzero(rated)
    return users, items


def _stars(tastes: _Tastes, users: NDArray[np.int64], items: NDArray[np.int64], stream: Stream) -> NDArray[np.float32]:
    """The stars of each rating, (RATINGS,): cut where there are as many of each as `STARS` says."""
    popularity = np.log(np.bincount(items, minlength=ITEMS))
    item_bias = (
        _ITEM_BIAS * stream.normal(ITEMS) + _POPULARITY_BIAS * (popularity - popularity.mean()) / popularity.std()
    )
    score = _USER_BIAS * stream.normal(USERS)[users] + item_bias[items] + _NOISE * stream.normal(len(users))
    score += np.einsum("ij,ij->i", tastes.users[users], tastes.items[items])
    stars = np.empty(len(users), np.float32)
    stars[np.argsort(score, kind="stable")] = np.repeat(np.arange(1, 6, dtype=np.float32), STARS)
    return stars


def _seconds(users: NDArray[np.int64], stream: Stream) -> NDArray[np.int64]:
    """When each rating was made, (RATINGS,), given by user, in seconds since 1970 UTC.

    A user comes back after some days with a chance of 1 in 150 per rating, and else rates on after some seconds.
    """
    gaps = np.floor(-20 * np.log(stream.uniform(len(users))))
    returns = stream.uniform(len(users)) < 1 / 150
    gaps[returns] += np.floor(-20 * 86_400 * np.log(stream.uniform(int(returns.sum()))))
    first = np.flatnonzero(np.diff(users, prepend=-1))
    gaps[first] = 0
    since_start = np.cumsum(gaps)
    since_start -= since_start[first][users]
    # Most users of MovieLens 1M came in its first year.
    begin = np.floor((_LAST_SECOND - _FIRST_SECOND) * stream.uniform(USERS) ** 3)
    return np.minimum(_FIRST_SECOND + begin[users] + since_start, _LAST_SECOND).astype(np.int64)


def _items(tastes: _Tastes, stream: Stream) -> pa.Table:
    """Ids and genres: one to three, those that the item's factors and chance say."""
    affinity = tastes.items @ stream.normal(RANK, len(GENRES))
    order = np.argsort(-(affinity + 0.5 * affinity.std() * stream.normal(*affinity.shape)), axis=1)
    count = 1 + stream.index(3, ITEMS)
    genres = [sorted(GENRES[genre] for genre in row[:some]) for row, some in zip(order, count, strict=True)]
    return numbered("i", ITEMS).append_column("genres", pa.array(genres, pa.list_(pa.string())))


def make(folder: Path, scale: float, files: Sequence[Path], progress: Progress) -> RatingDataset:
    """Draw who rates what, then the stars and times; rows are by user and time."""
    tastes = _Tastes.draw()
    users, items = _rated(tastes)
    stream = Stream(22)
    stars = _stars(tastes, users, items, stream)
    order = np.argsort(users + stream.uniform(len(users)))  # in no order of items within a user
    columns = ("user", "item", "value", "timestamp")
    write_rows(folder, columns, [(users, items[order], stars[order], _seconds(users, stream))])
    write_ids(folder, numbered("u", USERS), _items(tastes, stream))
    progress(RATINGS, RATINGS)
    return RatingDataset(
        folder=folder,
        name="planted-ratings",
        scale=scale,
        records=RATINGS,
        columns=columns,
        users=USERS,
        items=ITEMS,
        digest="",
        source=SOURCE,
    ).save()


MAKERS = (Maker("planted-ratings", "synthetic ratings of the shape of MovieLens 1M", make, kind="ratings"),)
