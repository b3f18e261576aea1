"""Baselines: a bias for each user and item; and the model that draws at random."""

from dataclasses import dataclass

import numpy as np

from ...pipeline.rating_models import BaselineALS, BaselineSGD, NormalPredictor
from .trainset import Trainset


@dataclass(frozen=True)
class Biases:
    """What was learned: float64[users] and float64[items]; an estimate is ``mean + b_u + b_i``."""

    mean: float
    of_users: np.ndarray
    of_items: np.ndarray

    def estimate(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """float64[n] for numbers of users and items, -1 where unknown: their bias is 0."""
        found = self.mean + np.where(users >= 0, self.of_users[users], 0.0)
        return found + np.where(items >= 0, self.of_items[items], 0.0)


def fit_biases(model: BaselineALS | BaselineSGD, trainset: Trainset) -> Biases:
    """Biases of the ratings, by either method."""
    from ..kernels.rating_biases import als_half, sgd_epochs

    learned = Biases(trainset.mean, np.zeros(len(trainset.user_ids)), np.zeros(len(trainset.item_ids)))
    mean, of_users, of_items = learned.mean, learned.of_users, learned.of_items
    by_user = trainset.by_user
    if isinstance(model, BaselineSGD):
        sgd_epochs(
            *(*by_user.arrays, mean, of_users, of_items),
            *(model.epochs, model.rate, model.regularization),
        )
        return learned
    by_item = trainset.by_item
    for _ in range(model.epochs):
        als_half(*by_item.arrays, mean, of_users, model.item_regularization, of_items)
        als_half(*by_user.arrays, mean, of_items, model.user_regularization, of_users)
    return learned


@dataclass(frozen=True)
class Normal:
    """Mean and standard deviation of the ratings, and the seed of the draws."""

    mean: float
    deviation: float
    seed: int

    def estimate(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """float64[n] draws, the same for as many users and items."""
        return np.random.RandomState(self.seed).normal(self.mean, self.deviation, len(users))


def fit_normal(model: NormalPredictor, trainset: Trainset) -> Normal:
    """The normal distribution most likely to have given the ratings."""
    return Normal(trainset.mean, float(trainset.by_user.ratings.std()), model.seed)
