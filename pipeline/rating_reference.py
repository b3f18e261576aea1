"""Estimates of ratings by the definition, in float64, to check answers against.

What is trained one rating after the other is trained so, as the formula stands (`rating_descent`), with all epochs on
as many whole folds as fit `MOST_OPERATIONS`, and every estimate of those folds is checked; estimates of the folds that
are left are checked to be within the scale, and no more. Neighbours and Slope One are worked out for a sample of every
fold, from all training ratings. Ties and the order of ratings are Surprise's.

At the size of MovieLens 1M that is all five folds of SVD, NMF and the baselines, which are 2e9 multiplications a fold
or fewer, and the first fold of SVD++, which is 1.4e11: its implicit factors are changed at each rating, in quadratic
time, and so are no copy of the linear algorithm that they check. What is wrong in a later fold alone, as of a thread
that writes where it should not, is not seen there.
"""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .rating_descent import biases_als, biases_sgd, nmf, svd, svdpp
from .rating_memory import neighbour_estimate, slope_estimate
from .rating_models import KNN, NMF, SVD, BaselineALS, BaselineSGD, NormalPredictor, SlopeOne, SVDpp
from .rating_training import Training

if TYPE_CHECKING:
    from .interactions import Ratings
    from .stages.ratings import RatingsProblem

MOST_OPERATIONS = 2e11
"""Multiplications of all folds that are trained; one fold of SVD++ at MovieLens 1M's size is 1.4e11, some minutes."""
SAMPLED = 60
"""Test ratings of a fold that neighbours and Slope One are worked out for."""


@dataclass(frozen=True)
class Checked:
    """Estimates, float64[m], and the places of their ratings in the data, int64[m]."""

    places: np.ndarray
    estimates: np.ndarray


def checked(problem: "RatingsProblem") -> Checked | None:
    """What to check: whole folds of a trained model, a sample of every fold of the others.

    Returns:
        None where one fold alone is beyond `MOST_OPERATIONS`.

    """
    sampled = isinstance(problem.model, KNN | SlopeOne)
    left = MOST_OPERATIONS
    parts = []
    for split in problem.splits():
        training, test = Training(problem.data.of(split.train)), split.test
        left -= 0 if sampled else operations(problem.model, training)
        if left < 0:
            break
        if sampled:
            chosen = np.random.default_rng(problem.seed).permutation(len(test))[:SAMPLED]
            test = test[chosen]
        parts.append(Checked(test, _estimates(problem.model, training, problem.data.of(test))))
    if not parts:
        return None
    return Checked(np.concatenate([part.places for part in parts]), np.concatenate([part.estimates for part in parts]))


def operations(model: Any, training: Training) -> float:
    """Multiplications that training by the definition takes, about."""
    each = getattr(model, "factors", 1) * getattr(model, "epochs", 1)
    if isinstance(model, SVDpp):
        return float((np.bincount(training.users).astype(float) ** 2).sum() * each)
    return float(len(training.ratings) * each)


def _estimates(model: Any, training: Training, asked: "Ratings") -> np.ndarray:
    """float64[m]: estimates of what is asked, within the scale."""
    if isinstance(model, NormalPredictor):
        random = np.random.RandomState(model.seed)
        deviation = float(np.sqrt(np.mean((training.ratings - training.mean) ** 2)))
        found = [random.normal(training.mean, deviation) for _ in range(len(asked))]
        return np.clip(found, *asked.scale)
    users = [training.user_number.get(user) for user in asked.users.tolist()]
    items = [training.item_number.get(item) for item in asked.items.tolist()]
    pairs = list(zip(users, items, strict=True))
    if isinstance(model, KNN):
        biases = trained_biases(model.baseline, training)
        found = [neighbour_estimate(model, training, biases, user, item) for user, item in pairs]
    elif isinstance(model, SlopeOne):
        found = [slope_estimate(training, user, item) for user, item in pairs]
    else:
        found = _trained_estimates(model, training, pairs)
    return np.clip(np.array([training.mean if each is None else each for each in found], np.float64), *asked.scale)


def _trained_estimates(
    model: Any, training: Training, pairs: list[tuple[int | None, int | None]]
) -> list[float | None]:
    """Estimates by ``mean + b_u + b_i + q_i.p_u``; None where the model cannot tell."""
    if isinstance(model, BaselineALS | BaselineSGD):
        of_users, of_items = trained_biases(model, training)
        p, q = np.zeros((len(of_users), 1)), np.zeros((len(of_items), 1))
    else:
        of_users, of_items, p, q = trained_factors(model, training)
    biased = getattr(model, "biased", True)
    found: list[float | None] = []
    for user, item in pairs:
        if not biased and (user is None or item is None):
            found.append(None)
            continue
        estimate = training.mean if biased else 0.0
        estimate += 0.0 if user is None else of_users[user]
        estimate += 0.0 if item is None else of_items[item]
        found.append(float(estimate + (0.0 if user is None or item is None else p[user] @ q[item])))
    return found


def trained_biases(model: BaselineALS | BaselineSGD, training: Training) -> tuple[np.ndarray, np.ndarray]:
    """float64[users] and float64[items]."""
    users, items, ratings, mean, bu, bi = data = _in_order(training, training.mean)
    if isinstance(model, BaselineALS):
        return biases_als(
            users, items, ratings, mean, bu, bi, model.epochs, model.user_regularization, model.item_regularization
        )
    return _compiled(biases_sgd)(*data, model.epochs, model.rate, model.regularization)


def trained_factors(
    model: SVD | SVDpp | NMF, training: Training
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Biases, float64[users] and [items], and factors, [users, f] and [items, f]; SVD++'s with what is implied."""
    random = np.random.RandomState(model.seed)
    users, items = len(training.of_users), len(training.of_items)
    mean = training.mean if getattr(model, "biased", True) else 0.0
    data = _in_order(training, mean)
    sides = (users, items, items) if isinstance(model, SVDpp) else (users, items)
    if isinstance(model, NMF):
        starts = [random.uniform(model.init_low, model.init_high, (side, model.factors)) for side in sides]
        return _compiled(nmf)(
            *(*data, *starts, model.epochs, model.biased, model.regularization),
            *(model.bias_rate, model.bias_regularization),
        )
    starts = [random.normal(model.init_mean, model.init_std_dev, (side, model.factors)) for side in sides]
    if isinstance(model, SVDpp):
        return _compiled(svdpp)(*data, *starts, model.epochs, model.rate, model.regularization)
    return _compiled(svd)(*data, *starts, model.epochs, model.biased, model.rate, model.regularization)


def _in_order(
    training: Training, mean: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, np.ndarray, np.ndarray]:
    """What each definition of `rating_descent` begins with."""
    order = training.user_by_user
    biases = np.zeros(len(training.of_users)), np.zeros(len(training.of_items))
    return training.users[order], training.items[order], training.ratings[order], mean, *biases


@functools.cache
def _compiled(definition: Any) -> Any:
    """The same, compiled: a million ratings in Python take an hour."""
    from numba import njit

    return njit(definition)
