"""Surprise's algorithms with the hyper-parameters of ours."""

from typing import Any

import numpy as np

from ...pipeline.interactions import Ratings
from ...pipeline.rating_models import (
    KNN,
    NMF,
    SVD,
    BaselineALS,
    BaselineSGD,
    NormalPredictor,
    RatingModel,
    SlopeOne,
    SVDpp,
)


def trainset_of(data: Ratings) -> Any:
    """A ``surprise.Trainset`` of the ratings, in their order."""
    from surprise import Reader
    from surprise.dataset import Dataset

    rows = zip(data.users.tolist(), data.items.tolist(), data.values.tolist(), strict=True)
    return Dataset(Reader(rating_scale=data.scale)).construct_trainset([(*row, None) for row in rows])


def testset_of(data: Ratings) -> list[tuple[int, int, float]]:
    """What ``AlgoBase.test`` takes."""
    return list(zip(data.users.tolist(), data.items.tolist(), data.values.tolist(), strict=True))


def tested(algorithm: Any, testset: list[tuple[int, int, float]], model: RatingModel) -> np.ndarray:
    """float64[m] estimates; NumPy's global generator is seeded where the model draws from it, and put back."""
    before = np.random.get_state()  # noqa: NPY002 - what Surprise draws from
    try:
        if isinstance(model, NormalPredictor):
            np.random.seed(model.seed)  # noqa: NPY002
        return np.array([prediction.est for prediction in algorithm.test(testset)])
    finally:
        np.random.set_state(before)  # noqa: NPY002


def algorithm_of(model: RatingModel) -> Any:
    """Surprise's algorithm, not fitted yet."""
    import surprise

    if isinstance(model, SVD | SVDpp):
        own = {"biased": model.biased} if isinstance(model, SVD) else {"cache_ratings": model.cache_ratings}
        return (surprise.SVD if isinstance(model, SVD) else surprise.SVDpp)(
            n_factors=model.factors,
            n_epochs=model.epochs,
            init_mean=model.init_mean,
            init_std_dev=model.init_std_dev,
            lr_all=model.rate,
            reg_all=model.regularization,
            random_state=model.seed,
            **own,
        )
    if isinstance(model, NMF):
        return surprise.NMF(
            n_factors=model.factors,
            n_epochs=model.epochs,
            biased=model.biased,
            reg_pu=model.regularization,
            reg_qi=model.regularization,
            reg_bu=model.bias_regularization,
            reg_bi=model.bias_regularization,
            lr_bu=model.bias_rate,
            lr_bi=model.bias_rate,
            init_low=model.init_low,
            init_high=model.init_high,
            random_state=model.seed,
        )
    if isinstance(model, SlopeOne):
        return surprise.SlopeOne()
    if isinstance(model, BaselineALS | BaselineSGD):
        return surprise.BaselineOnly(bsl_options=_baseline_options(model), verbose=False)
    if isinstance(model, KNN):
        return _neighbours_of(model)
    return surprise.NormalPredictor()


def _neighbours_of(model: KNN) -> Any:
    import surprise

    kinds = {
        "basic": surprise.KNNBasic,
        "means": surprise.KNNWithMeans,
        "z-score": surprise.KNNWithZScore,
        "baseline": surprise.KNNBaseline,
    }
    similarity = {
        "name": model.similarity.replace("-", "_"),
        "user_based": model.user_based,
        "min_support": model.min_support,
        "shrinkage": model.shrinkage,
    }
    return kinds[model.centring](
        k=model.k,
        min_k=model.min_k,
        sim_options=similarity,
        bsl_options=_baseline_options(model.baseline),
        verbose=False,
    )


def _baseline_options(model: BaselineALS | BaselineSGD) -> dict[str, Any]:
    if isinstance(model, BaselineSGD):
        return {
            "method": "sgd",
            "n_epochs": model.epochs,
            "learning_rate": model.rate,
            "reg": model.regularization,
        }
    return {
        "method": "als",
        "n_epochs": model.epochs,
        "reg_u": model.user_regularization,
        "reg_i": model.item_regularization,
    }
