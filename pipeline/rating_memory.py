"""One estimate by k nearest neighbours or by Slope One: by the definition, with nothing kept for the next one."""

from typing import NamedTuple

import numpy as np

from .rating_models import KNN
from .rating_training import Training

Biases = tuple[np.ndarray, np.ndarray]


class _Sides(NamedTuple):
    """Users as x and items as y, or the other way round; places as in `Training`, biases float64[xs] and [ys]."""

    xs: np.ndarray
    ys: np.ndarray
    of_xs: list[np.ndarray]
    of_ys: list[np.ndarray]
    x_biases: np.ndarray
    y_biases: np.ndarray


class _Shared:
    """What x shares with all others: values of the same y, x's ``mine`` and another's ``theirs``, float64[m]."""

    def __init__(self, sides: _Sides, values: np.ndarray, x: int) -> None:
        own = sides.of_xs[x][np.argsort(sides.ys[sides.of_xs[x]], kind="stable")]
        met = [sides.of_ys[y] for y in sides.ys[own].tolist()]
        places = np.concatenate(met)
        self.mine = np.repeat(values[own], [len(each) for each in met])
        self.theirs = values[places]
        self._others = sides.xs[places]
        self._count = len(sides.of_xs)

    def total(self, terms: np.ndarray | float) -> np.ndarray:
        """float64[xs]: terms, one for each shared value, added up for each other."""
        return np.bincount(self._others, np.broadcast_to(terms, self.mine.shape), self._count)


def slope_estimate(training: Training, user: int | None, item: int | None) -> float | None:
    """The user's mean and the mean, over what the user rated together with others, of the item's differences to it."""
    if user is None or item is None:
        return None
    none = np.zeros(0)
    sides = _Sides(training.items, training.users, training.of_items, training.of_users, none, none)
    shared = _Shared(sides, training.ratings, item)
    common, differences = shared.total(1.0), shared.total(shared.mine - shared.theirs)
    rated = training.of_users[user]
    slopes = [differences[other] / common[other] for other in training.items[rated].tolist() if common[other] > 0]
    return float(np.mean(training.ratings[rated]) + (sum(slopes) / len(slopes) if slopes else 0.0))


def neighbour_estimate(
    model: KNN, training: Training, biases: Biases, user: int | None, item: int | None
) -> float | None:
    """The weighted mean of what the k nearest gave, around what the model centres on."""
    of_users, of_items = biases
    baseline = model.centring == "baseline"
    if user is None or item is None:
        known = training.mean + (0.0 if user is None else of_users[user]) + (0.0 if item is None else of_items[item])
        return float(known) if baseline else None
    sides = _Sides(training.users, training.items, training.of_users, training.of_items, of_users, of_items)
    x, y = user, item
    if not model.user_based:
        sides = _Sides(training.items, training.users, training.of_items, training.of_users, of_items, of_users)
        x, y = item, user
    ratings = training.ratings
    near = _similarities(model, training.mean, sides, ratings, x)
    met = sides.of_ys[y]
    nearest = met[np.argsort(-near[sides.xs[met]], kind="stable")][: model.k]
    nearest = nearest[near[sides.xs[nearest]] > 0]
    centre, unit = _centre_and_unit(model, training, sides, x, y)
    if len(nearest) < model.min_k:
        return None if model.centring == "basic" else float(centre)
    around = [_centre_and_unit(model, training, sides, other, y) for other in sides.xs[nearest].tolist()]
    deviations = [(ratings[place] - mean) / scale for place, (mean, scale) in zip(nearest, around, strict=True)]
    weights = near[sides.xs[nearest]]
    return float(centre + weights @ deviations / weights.sum() * unit)


def _centre_and_unit(model: KNN, training: Training, sides: _Sides, x: int, y: int) -> tuple[float, float]:
    """What the ratings of x deviate from at y, and in which unit."""
    own = training.ratings[sides.of_xs[x]]
    if model.centring == "basic":
        return 0.0, 1.0
    if model.centring == "baseline":
        return float(training.mean + sides.x_biases[x] + sides.y_biases[y]), 1.0
    unit = (np.std(own) or np.std(training.ratings) or 1.0) if model.centring == "z-score" else 1.0
    return float(np.mean(own)), float(unit)


def _similarities(model: KNN, mean: float, sides: _Sides, ratings: np.ndarray, x: int) -> np.ndarray:
    """float64[xs]: to every other x, by Surprise's formula, so that equal ones are equal; 0 where it is not defined."""
    values = ratings
    if model.similarity == "pearson-baseline":
        values = ratings - ((mean + sides.y_biases[sides.ys]) + sides.x_biases[sides.xs])
    shared = _Shared(sides, values, x)
    common, product = shared.total(1.0), shared.total(shared.mine * shared.theirs)
    square, other_square = shared.total(shared.mine**2), shared.total(shared.theirs**2)
    if model.similarity == "pearson":
        total, other_total = shared.total(shared.mine), shared.total(shared.theirs)
        product = common * product - total * other_total
        square, other_square = common * square - total**2, common * other_square - other_total**2
    with np.errstate(divide="ignore", invalid="ignore"):
        if model.similarity == "msd":
            near = 1 / (shared.total((shared.mine - shared.theirs) ** 2) / common + 1)
        else:
            near = product / np.sqrt(square * other_square)
        if model.similarity == "pearson-baseline":
            near = np.where(common < 2, 0.0, near * ((common - 1) / (common - 1 + model.shrinkage)))
    near[(common < model.min_support) | ~np.isfinite(near)] = 0.0
    near[x] = 1.0
    return near
