"""SVD, SVD++ and NMF: trained one rating after the other, in the order and from the start of Surprise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...pipeline.rating_models import NMF, SVD, SVDpp
from .trainset import Trainset


@dataclass(frozen=True)
class Factors:
    """What was learned: an estimate is ``mean + b_u + b_i + q_i.p_u``, without what is unknown.

    user_bias, item_bias: float64[users], [items]; user_factors, item_factors: float64[users, f], [items, f].
    needs_both: whether nothing can be told without the user or the item.
    """

    mean: float
    user_bias: np.ndarray
    item_bias: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    needs_both: bool

    @property
    def trained(self) -> tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What is trained in place, and the mean before it, as the compiled loops take them."""
        return self.mean, self.user_bias, self.item_bias, self.user_factors, self.item_factors

    def estimate(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """float64[n] for numbers of users and items, -1 where unknown; NaN where nothing can be told."""
        from ..kernels.rating_factors import estimates

        known = (users >= 0) & (items >= 0)
        found = self.mean + np.where(users >= 0, self.user_bias[users], 0.0)
        found += np.where(items >= 0, self.item_bias[items], 0.0)
        found[known] += estimates(users[known], items[known], self.user_factors, self.item_factors)
        if self.needs_both:
            found[~known] = np.nan
        return found


def _normal(model: SVD | SVDpp) -> Callable[[int], np.ndarray]:
    """Draws of float64[count, f], as Surprise's."""
    random = np.random.RandomState(model.seed)
    return lambda count: random.normal(model.init_mean, model.init_std_dev, (count, model.factors))


def _untrained(trainset: Trainset, biased: bool, draw: Callable[[int], np.ndarray]) -> Factors:
    """Biases of 0, and factors drawn for users first."""
    users, items = len(trainset.user_ids), len(trainset.item_ids)
    mean = trainset.mean if biased else 0.0
    return Factors(mean, np.zeros(users), np.zeros(items), draw(users), draw(items), not biased)


def fit_svd(model: SVD, trainset: Trainset) -> Factors:
    """`SVD` of the ratings."""
    from ..kernels.rating_factors import svd_epochs

    learned = _untrained(trainset, model.biased, _normal(model))
    svd_epochs(*trainset.by_user.arrays, *learned.trained, model.epochs, model.biased, model.rate, model.regularization)
    return learned


def fit_svdpp(model: SVDpp, trainset: Trainset) -> Factors:
    """`SVDpp` of the ratings; the users' implicit factors are added to their own."""
    from ..kernels.rating_factors import add_implicit, svdpp_epochs

    draw = _normal(model)
    learned = _untrained(trainset, True, draw)
    implied = draw(len(trainset.item_ids))
    svdpp_epochs(*trainset.by_user.arrays, *learned.trained, implied, model.epochs, model.rate, model.regularization)
    add_implicit(trainset.by_user.starts, trainset.by_user.others, learned.user_factors, implied)
    return learned


def untrained_nmf(model: NMF, trainset: Trainset) -> Factors:
    """What `NMF` starts from."""
    random = np.random.RandomState(model.seed)
    return _untrained(
        trainset, model.biased, lambda count: random.uniform(model.init_low, model.init_high, (count, model.factors))
    )


def fit_nmf(model: NMF, trainset: Trainset) -> Factors:
    """`NMF` of the ratings."""
    from ..kernels.rating_factors import nmf_epochs

    learned = untrained_nmf(model, trainset)
    nmf_epochs(
        *(*trainset.by_user.arrays, np.bincount(trainset.items, minlength=len(trainset.item_ids)), *learned.trained),
        *(model.epochs, model.biased, model.regularization, model.bias_rate, model.bias_regularization),
    )
    return learned
