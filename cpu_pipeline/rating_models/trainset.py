"""Training ratings by user and by item, numbered and ordered as Surprise's ``Trainset`` has them."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...pipeline import rating_products
from ...pipeline.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


class Grouped(rating_products.Grouped):
    """Ratings put together by compiled loops."""

    @classmethod
    def of(cls, keys: np.ndarray, others: np.ndarray, ratings: np.ndarray, count: int) -> "Grouped":
        """Put together by key, each one's in the order they come in."""
        from ..kernels.rating_index import group

        return cls(*group(keys, others, ratings, count))

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Starts, others and ratings, as the compiled loops take them."""
        return self.starts, self.others, self.ratings

    @property
    def counts(self) -> np.ndarray:
        """int64[users]: ratings of each."""
        return np.diff(self.starts)

    def transposed(self, count: int) -> "Grouped":
        """By the others, of whom there are ``count``; each one's in ascending order."""
        keys = np.repeat(np.arange(len(self), dtype=np.int32), self.counts)
        return Grouped.of(self.others, keys, self.ratings, count)

    def means(self) -> np.ndarray:
        """float64[users]: the mean rating of each."""
        return np.array([self.ratings[start:end].mean() for start, end in self._slices()])

    def standard_deviations(self) -> np.ndarray:
        """float64[users]: the standard deviation of each one's ratings."""
        return np.array([self.ratings[start:end].std() for start, end in self._slices()])

    def _slices(self) -> Sequence[tuple[int, int]]:
        return list(zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True))


@dataclass(frozen=True)
class Trainset:
    """Ratings to learn from; users and items are numbered as they come first.

    user_ids, item_ids: the ids by number. users, items: int32[n]; ratings: float64[n], in the order given.
    scale: the lowest and the highest rating that an estimate may be.
    """

    user_ids: "pd.Index"
    item_ids: "pd.Index"
    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray
    scale: tuple[float, float]

    @classmethod
    def of(cls, users: Any, items: Any, ratings: Any, scale: tuple[float, float] | None = None) -> "Trainset":
        """Number users and items.

        Args:
            users: n ids, of any kind that a pandas index holds.
            items: n ids.
            ratings: n finite numbers. Repeated pairs all count.
            scale: lowest and highest rating; None to take those of the ratings.

        Raises:
            InputError: there is no rating, the lengths differ, a rating is not finite, an id is missing.

        """
        values = _numbers(ratings)
        if not len(users) == len(items) == len(values):
            raise InputError(f"{len(users)} users, {len(items)} items and {len(values)} ratings; give as many of each")
        if not len(values):
            raise InputError("there is no rating to learn from")
        lowest, highest = scale or (float(values.min()), float(values.max()))
        if not lowest <= highest:
            raise InputError(f"the scale is from {lowest!r} to {highest!r}; give the lowest rating first")
        user_codes, user_ids = _numbered(users, "user")
        item_codes, item_ids = _numbered(items, "item")
        return cls(user_ids, item_ids, user_codes, item_codes, values, (lowest, highest))

    @functools.cached_property
    def by_user(self) -> Grouped:
        """Each user's ratings in the order given."""
        return Grouped.of(self.users, self.items, self.ratings, len(self.user_ids))

    @functools.cached_property
    def by_item(self) -> Grouped:
        """Each item's ratings in the order given."""
        return Grouped.of(self.items, self.users, self.ratings, len(self.item_ids))

    @functools.cached_property
    def mean(self) -> float:
        """The mean of all ratings."""
        return float(self.by_user.ratings.mean())

    def user_numbers(self, ids: Any) -> np.ndarray:
        """int64[n]: the number of each user, -1 where unknown."""
        return self.user_ids.get_indexer(_index(ids))

    def item_numbers(self, ids: Any) -> np.ndarray:
        """int64[n]: the number of each item, -1 where unknown."""
        return self.item_ids.get_indexer(_index(ids))


def _numbers(ratings: Any) -> np.ndarray:
    """float64[n], contiguous and finite."""
    try:
        values = np.ascontiguousarray(ratings, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"ratings must be numbers ({error})") from error
    if values.ndim != 1:
        raise InputError(f"ratings have {values.ndim} dimensions; give one number per rating")
    if not np.isfinite(values).all():
        place = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(f"rating {place} (counted from 0) is {values[place]}; leave out what is not finite")
    return values


def _numbered(ids: Any, what: str) -> tuple[np.ndarray, "pd.Index"]:
    import pandas as pd

    codes, unique = pd.factorize(_index(ids))
    if (missing := np.flatnonzero(codes < 0)).size:
        raise InputError(f"the {what} of rating {missing[0]} (counted from 0) is missing; leave such ratings out")
    return codes.astype(np.int32), pd.Index(unique)


def _index(ids: Any) -> "pd.Index":
    """Ids of any kind as a pandas index."""
    import pandas as pd

    return ids if isinstance(ids, pd.Index) else pd.Index(ids)
