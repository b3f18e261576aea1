"""Estimates of ratings on the CPU.

- naive: Surprise, fold by fold
- batched-sparse: Slope One, k-NN and NMF by products of SciPy's sparse matrices, some rows at a time
- native: compiled, folds on threads; the classes are for use by themselves
"""

import numpy as np

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import package
from ..pipeline.rating_products import refuse_what_is_not_of_products
from ..pipeline.splits import Split
from ..pipeline.stages.ratings import RatingsProblem
from ..pipeline.stopwatch import Stopwatch
from .peers.needs import peer
from .rating_models.model import (
    KNN,
    NMF,
    SVD,
    BaselineALS,
    BaselineSGD,
    FittedModel,
    NormalPredictor,
    SlopeOne,
    SVDpp,
    fit,
)

__all__ = ["KNN", "NMF", "SVD", "BaselineALS", "BaselineSGD", "FittedModel", "NormalPredictor", "SVDpp", "SlopeOne"]


@variant(peer("surprise"))
def naive(problem: RatingsProblem) -> Prepared[np.ndarray]:
    """Surprise, one fold after the other; its training sets are made beforehand."""
    from .rating_models.surprise_models import algorithm_of, tested, testset_of, trainset_of

    folds = [
        (trainset_of(problem.data.of(split.train)), testset_of(problem.data.of(split.test)), split.test)
        for split in problem.splits()
    ]
    watch = Stopwatch()

    def run() -> np.ndarray:
        watch.seconds.clear()
        estimates = np.full(len(problem.data), np.nan)
        for trainset, testset, test in folds:
            algorithm = algorithm_of(problem.model)
            with watch.phase("fit"):
                algorithm.fit(trainset)
            with watch.phase("predict"):
                estimates[test] = tested(algorithm, testset, problem.model)
        return estimates

    return Prepared(run, phases=lambda: watch.seconds)


@variant()
def batched_sparse(problem: RatingsProblem) -> Prepared[np.ndarray]:
    """Slope One, k-NN and NMF without biases by products of sparse matrices, some rows at a time.

    Raises:
        UnsupportedModelError: the model is trained one rating after the other.

    """
    from .rating_models.products import estimates_by_products

    refuse_what_is_not_of_products(problem.model)
    return Prepared(lambda: estimates_by_products(problem))


@variant(package("numba"))
def native(problem: RatingsProblem) -> Prepared[np.ndarray]:
    """Compiled loops in Surprise's order; SVD++ in linear time, no matrix of similarities, folds on threads."""
    from .kernels.threads import on_threads

    splits = problem.splits()
    watch = Stopwatch()

    def fitted(split: Split) -> FittedModel:
        data = problem.data.of(split.train)
        return fit(problem.model, data.users, data.items, data.values, data.scale)

    def estimated(fold: tuple[FittedModel, Split]) -> np.ndarray:
        model, split = fold
        asked = problem.data.of(split.test)
        return model.predict(asked.users, asked.items)

    def run() -> np.ndarray:
        watch.seconds.clear()
        with watch.phase("fit"):
            models = on_threads(fitted, splits)
        with watch.phase("predict"):
            parts = on_threads(estimated, list(zip(models, splits, strict=True)))
        estimates = np.full(len(problem.data), np.nan)
        estimates[np.concatenate([split.test for split in splits])] = np.concatenate(parts)
        return estimates

    return Prepared(run, phases=lambda: watch.seconds)
