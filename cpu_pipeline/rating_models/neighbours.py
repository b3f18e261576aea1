"""k nearest neighbours: no matrix of similarities is kept; each user's (or item's) row is made when it is asked for.

x is a user and y an item, or the other way round (`KNN.user_based`).
"""

from dataclasses import dataclass

import numpy as np

from ...pipeline.rating_models import KNN
from ...pipeline.rating_products import Neighbourhood
from .asked import Asked
from .biases import Biases, fit_biases
from .trainset import Grouped, Trainset

_SIMILARITIES = ("cosine", "msd", "pearson", "pearson-baseline")


@dataclass(frozen=True)
class Neighbours(Neighbourhood):
    """Ratings, of each x with ys ascending, and what they deviate from.

    centre: float64[xs], what estimates are added to; where ``biases`` are, ``mean + b_u + b_i`` instead.
    """

    by_x: Grouped
    by_y: Grouped
    centre: np.ndarray
    biases: Biases | None

    def estimate(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """float64[n] for numbers of users and items, -1 where unknown; NaN where nothing can be told."""
        from ..kernels.rating_neighbours import estimate_rows

        model, by_x, by_y = self.model, self.by_x, self.by_y
        asked, base, found = self.asked(users, items)
        similarity = _SIMILARITIES.index(model.similarity)
        xs_of_y = by_y.others.view(np.uint32)  # compiled loops need not ask whether an index is negative
        asked.on_threads(
            lambda first, last: estimate_rows(
                *(first, last, asked.starts, asked.columns, asked.places),
                *(similarity, self.min_support, model.shrinkage),
                *(by_x.starts, by_x.others, self.x_values, by_y.starts, xs_of_y, self.y_values),
                *(self.deviations, self.spread, min(model.k, int(by_y.counts.max())), model.min_k, base, found),
            )
        )
        return found

    def asked(self, users: np.ndarray, items: np.ndarray) -> tuple[Asked, np.ndarray, np.ndarray]:
        """What is asked by x; float64[n], what neighbours' deviations are added to; the estimates without any."""
        xs, ys = (users, items) if self.model.user_based else (items, users)
        base = self.centre[xs] if self.biases is None else self.biases.estimate(users, items)
        alone = base.copy()
        if self.biases is None:
            alone[(xs < 0) | (ys < 0) | (self.model.centring == "basic")] = np.nan
        return Asked.of(xs, ys, len(self.by_x)), base, alone


def fit_neighbours(model: KNN, trainset: Trainset) -> Neighbours:
    """Put the ratings together, with means or biases as the model needs them."""
    counts = len(trainset.user_ids), len(trainset.item_ids)
    x_count = counts[0] if model.user_based else counts[1]
    by_y = trainset.by_item if model.user_based else trainset.by_user
    by_x = by_y.transposed(x_count)
    biases = fit_biases(model.baseline, trainset) if model.uses_baseline else None
    x_values, y_values = by_x.ratings, by_y.ratings
    if biases is not None and model.similarity == "pearson-baseline":
        of_x, of_y = (biases.of_users, biases.of_items) if model.user_based else (biases.of_items, biases.of_users)
        x_values = by_x.ratings - ((biases.mean + of_y[by_x.others]) + np.repeat(of_x, by_x.counts))
        y_values = by_y.ratings - (np.repeat(biases.mean + of_y, by_y.counts) + of_x[by_y.others])
    centre, spread = np.zeros(x_count), np.ones(x_count)
    deviations = by_y.ratings
    if model.centring == "baseline":
        assert biases is not None
        of_x, of_y = (biases.of_users, biases.of_items) if model.user_based else (biases.of_items, biases.of_users)
        deviations = by_y.ratings - ((biases.mean + of_x[by_y.others]) + np.repeat(of_y, by_y.counts))
    elif model.centring != "basic":
        centre = _of_each(trainset, model).means()
        deviations = by_y.ratings - centre[by_y.others]
        if model.centring == "z-score":
            spread = _of_each(trainset, model).standard_deviations()
            spread[spread == 0.0] = trainset.by_user.ratings.std() or 1.0
    return Neighbours(
        *(model, by_x, by_y, x_values, y_values, deviations, spread, centre),
        biases if model.centring == "baseline" else None,
    )


def _of_each(trainset: Trainset, model: KNN) -> Grouped:
    return trainset.by_user if model.user_based else trainset.by_item
