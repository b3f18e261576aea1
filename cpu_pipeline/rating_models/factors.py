"""SVD, SVD++ and NMF: trained one rating after the other, in the order and from the start of Surprise."""

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


def fit_svd(model: SVD, trainset: Trainset) -> Factors:
    """`SVD` of the ratings."""
    from ..kernels.rating_factors import svd_epochs

    random = np.random.RandomState(model.seed)
    by_user = trainset.by_user
    users, items = len(trainset.user_ids), len(trainset.item_ids)
    p, q = (random.normal(model.init_mean, model.init_std_dev, (count, model.factors)) for count in (users, items))
    learned = Factors(trainset.mean if model.biased else 0.0, np.zeros(users), np.zeros(items), p, q, not model.biased)
    svd_epochs(
        *(by_user.starts, by_user.others, by_user.ratings, learned.mean, learned.user_bias, learned.item_bias, p, q),
        *(model.epochs, model.biased, model.rate, model.regularization),
    )
    return learned


def fit_svdpp(model: SVDpp, trainset: Trainset) -> Factors:
    """`SVDpp` of the ratings; the users' implicit factors are added to their own."""
    from ..kernels.rating_factors import add_implicit, svdpp_epochs

    random = np.random.RandomState(model.seed)
    by_user = trainset.by_user
    users, items = len(trainset.user_ids), len(trainset.item_ids)
    p, q, y = (
        random.normal(model.init_mean, model.init_std_dev, (count, model.factors)) for count in (users, items, items)
    )
    learned = Factors(trainset.mean, np.zeros(users), np.zeros(items), p, q, False)
    svdpp_epochs(
        *(by_user.starts, by_user.others, by_user.ratings, learned.mean, learned.user_bias, learned.item_bias, p, q, y),
        *(model.epochs, model.rate, model.regularization),
    )
    add_implicit(by_user.starts, by_user.others, p, y)
    return learned


def fit_nmf(model: NMF, trainset: Trainset) -> Factors:
    """`NMF` of the ratings."""
    from ..kernels.rating_factors import nmf_epochs

    random = np.random.RandomState(model.seed)
    by_user = trainset.by_user
    users, items = len(trainset.user_ids), len(trainset.item_ids)
    p, q = (random.uniform(model.init_low, model.init_high, (count, model.factors)) for count in (users, items))
    learned = Factors(trainset.mean if model.biased else 0.0, np.zeros(users), np.zeros(items), p, q, not model.biased)
    nmf_epochs(
        *(by_user.starts, by_user.others, by_user.ratings, np.bincount(trainset.items, minlength=items)),
        *(learned.mean, learned.user_bias, learned.item_bias, p, q),
        *(model.epochs, model.biased, model.regularization, model.bias_rate, model.bias_regularization),
    )
    return learned
