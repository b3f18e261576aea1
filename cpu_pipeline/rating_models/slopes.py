"""Slope One: no matrix of differences is kept; each item's row is made when it is asked for."""

from dataclasses import dataclass

import numpy as np

from ...pipeline.rating_models import SlopeOne
from .asked import Asked
from .trainset import Grouped, Trainset


@dataclass(frozen=True)
class Slopes:
    """The ratings by user, and by item with users ascending; float64[users], the users' means."""

    by_user: Grouped
    by_item: Grouped
    means: np.ndarray

    def estimate(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """float64[n] for numbers of users and items, -1 where unknown: NaN there."""
        from ..kernels.rating_slopes import estimate_items

        asked = self.asked(users, items)
        found = np.full(len(users), np.nan)
        by_item, by_user = self.by_item, self.by_user
        asked.on_threads(
            lambda first, last: estimate_items(
                *(first, last, asked.starts, asked.columns, asked.places),
                *(*by_item.arrays, *by_user.arrays, self.means, found),
            )
        )
        return found

    def asked(self, users: np.ndarray, items: np.ndarray) -> Asked:
        """The pairs of known users and items, by item."""
        return Asked.of(items, users, len(self.by_item))


def fit_slopes(model: SlopeOne, trainset: Trainset) -> Slopes:
    """Put the ratings together; `SlopeOne` has no hyper-parameters."""
    by_user = trainset.by_user
    return Slopes(by_user, by_user.transposed(len(trainset.item_ids)), by_user.means())
