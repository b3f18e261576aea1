"""Rating models to use: hyper-parameters that can be fitted, and what comes of it."""

import functools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...pipeline import rating_models as parameters
from ...pipeline.errors import InputError
from .biases import fit_biases, fit_normal
from .factors import fit_nmf, fit_svd, fit_svdpp
from .neighbours import fit_neighbours
from .slopes import fit_slopes
from .trainset import Trainset


class Learned(Protocol):
    """What a model learned."""

    def estimate(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """float64[n] for numbers of users and items, -1 where unknown; NaN where nothing can be told."""
        ...


@functools.singledispatch
def learn(model: parameters.RatingModel, trainset: Trainset) -> Learned:
    """Train a model of these hyper-parameters."""
    raise TypeError(f"{model!r} is no rating model")


learn.register(parameters.SVD)(fit_svd)
learn.register(parameters.SVDpp)(fit_svdpp)
learn.register(parameters.NMF)(fit_nmf)
learn.register(parameters.SlopeOne)(fit_slopes)
learn.register(parameters.BaselineALS)(fit_biases)
learn.register(parameters.BaselineSGD)(fit_biases)
learn.register(parameters.KNN)(fit_neighbours)
learn.register(parameters.NormalPredictor)(fit_normal)


@dataclass(frozen=True)
class FittedModel:
    """A model that has learned from ratings."""

    trainset: Trainset
    learned: Learned

    def predict(self, users: Any, items: Any) -> np.ndarray:
        """float64[n] estimates within the scale, for n users and n items, which need not be known.

        An id is known if it equals one of the training ratings (``1`` and ``"1"`` differ).

        Raises:
            InputError: there are not as many users as items.

        """
        if len(users) != len(items):
            raise InputError(f"{len(users)} users and {len(items)} items; give as many of each")
        known = self.trainset
        found = self.learned.estimate(known.user_numbers(users), known.item_numbers(items))
        found[np.isnan(found)] = self.trainset.mean
        return found.clip(*self.trainset.scale)


def fit(model: Any, users: Any, items: Any, ratings: Any, scale: tuple[float, float] | None = None) -> FittedModel:
    """What a model of these hyper-parameters learns from n ratings; see `SVD.fit`."""
    trainset = Trainset.of(users, items, ratings, scale)
    return FittedModel(trainset, learn(model, trainset))


class _Fits:
    def fit(self, users: Any, items: Any, ratings: Any, scale: tuple[float, float] | None = None) -> FittedModel:
        """Learn from n ratings.

        Args:
            users: n ids, numbers or strings.
            items: n ids.
            ratings: n finite numbers. Repeated pairs all count.
            scale: lowest and highest rating that an estimate may be; None to take those of the ratings.

        Raises:
            InputError: there is no rating, the lengths differ, a rating is not finite, an id is missing.

        """
        return fit(self, users, items, ratings, scale)


class SVD(parameters.SVD, _Fits):
    """`parameters.SVD`, to be fitted."""


class SVDpp(parameters.SVDpp, _Fits):
    """`parameters.SVDpp`, to be fitted."""


class NMF(parameters.NMF, _Fits):
    """`parameters.NMF`, to be fitted."""


class SlopeOne(parameters.SlopeOne, _Fits):
    """`parameters.SlopeOne`, to be fitted."""


class BaselineALS(parameters.BaselineALS, _Fits):
    """`parameters.BaselineALS`, to be fitted."""


class BaselineSGD(parameters.BaselineSGD, _Fits):
    """`parameters.BaselineSGD`, to be fitted."""


class KNN(parameters.KNN, _Fits):
    """`parameters.KNN`, to be fitted."""


class NormalPredictor(parameters.NormalPredictor, _Fits):
    """`parameters.NormalPredictor`, to be fitted."""
