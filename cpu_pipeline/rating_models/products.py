"""Slope One, k-NN and NMF by SciPy's sparse products; the array algebra is `technobench.pipeline.rating_products`."""

import numpy as np
import scipy.sparse as sp

from ...pipeline.rating_models import KNN, NMF, SlopeOne
from ...pipeline.rating_products import (
    Arrays,
    factor_estimates,
    neighbour_offsets,
    nmf_factors,
    slope_estimates,
)
from ...pipeline.stages.ratings import RatingsProblem
from .asked import Asked
from .factors import untrained_nmf
from .neighbours import fit_neighbours
from .slopes import fit_slopes
from .trainset import Trainset

ARRAYS = Arrays(np, sp)


def estimates_by_products(problem: RatingsProblem) -> np.ndarray:
    """float64[n] estimates, fold by fold; the problem's model is Slope One, k-NN or NMF without biases."""
    estimates = np.full(len(problem.data), np.nan)
    for split in problem.splits():
        data, asked = problem.data.of(split.train), problem.data.of(split.test)
        trainset = Trainset.of(data.users, data.items, data.values, data.scale)
        users, items = trainset.user_numbers(asked.users), trainset.item_numbers(asked.items)
        if isinstance(problem.model, SlopeOne):
            found = _slopes(problem.model, trainset, users, items)
        elif isinstance(problem.model, NMF):
            found = _factors(problem.model, trainset, users, items)
        else:
            assert isinstance(problem.model, KNN)
            found = _near(problem.model, trainset, users, items)
        found[np.isnan(found)] = trainset.mean
        estimates[split.test] = found.clip(*data.scale)
    return estimates


def _slopes(model: SlopeOne, trainset: Trainset, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    learned = fit_slopes(model, trainset)
    found = np.full(len(users), np.nan)
    places = learned.asked(users, items).places
    by_user, by_item, means = learned.by_user, learned.by_item, learned.means
    found[places] = slope_estimates(ARRAYS, by_user, by_item, means, users[places], items[places])
    return found


def _near(model: KNN, trainset: Trainset, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    learned = fit_neighbours(model, trainset)
    asked, base, found = learned.asked(users, items)
    places = asked.places
    xs, ys = (users, items) if model.user_based else (items, users)
    offsets = neighbour_offsets(ARRAYS, learned, xs[places], ys[places])
    told = ~np.isnan(offsets)
    found[places[told]] = base[places[told]] + offsets[told]
    return found


def _factors(model: NMF, trainset: Trainset, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    start = untrained_nmf(model, trainset)
    sides = trainset.by_user, trainset.by_item
    user_factors, item_factors = nmf_factors(ARRAYS, model, *sides, start.user_factors, start.item_factors)
    found = np.full(len(users), np.nan)
    places = Asked.of(users, items, len(sides[0])).places
    found[places] = factor_estimates(ARRAYS, user_factors, item_factors, users[places], items[places])
    return found
