"""Estimates of ratings on a CUDA device.

- cupy: Slope One, k-NN and NMF by the array algebra of the CPU's `batched-sparse`, with cuSPARSE's products

SVD, SVD++ and all that steps from rating to rating are left to the CPU: answers are held to Surprise's order of the
ratings by 1e-10, and steps side by side, even of ratings that share no user and no item, are in another order.
"""

from typing import Any

import numpy as np

from ..pipeline.contract import Prepared, variant
from ..pipeline.errors import UnsupportedModelError
from ..pipeline.needs import cuda_device, cuda_package
from ..pipeline.rating_models import KNN, BaselineSGD, RatingModel
from ..pipeline.rating_products import Arrays, refuse_what_is_not_of_products
from ..pipeline.stages.ratings import RatingsProblem
from .device_memory import left_to_cupy
from .device_ratings import Fold, estimates
from .evidence import Evidence
from .ratings_memory import planned


def refuse_what_order_decides(model: RatingModel) -> None:
    """Raise for a model whose estimates the device's order of sums would change.

    Raises:
        UnsupportedModelError: it is not of products, takes its biases from one rating after the other, or its
            similarities are equal but for rounding.

    """
    refuse_what_is_not_of_products(model)
    if not isinstance(model, KNN):
        return
    if model.similarity == "pearson-baseline":
        raise UnsupportedModelError(
            "by pearson-baseline any two who share two ratings are as near as each other but for rounding, so that the "
            "order of sums, which the GPU does not keep, picks the neighbours; choose another similarity, or native"
        )
    if model.uses_baseline and isinstance(model.baseline, BaselineSGD):
        raise UnsupportedModelError(
            "biases=sgd are learned from one rating after the other; choose biases=als, or a variant on the CPU"
        )


@variant(cuda_package("cupy"), cuda_device(), device="cuda")
def cupy(problem: RatingsProblem) -> Prepared[np.ndarray]:
    """Slope One, k-NN and NMF without biases by sparse products on the device, fold by fold, in float64.

    Raises:
        UnsupportedModelError: as `refuse_what_order_decides`.
        DeviceError: a fold does not fit into the device's memory.

    """
    refuse_what_order_decides(problem.model)
    import cupy
    from cupyx.scipy import sparse

    data, splits = problem.data, list(problem.splits())
    folds = [Fold.of(data.of(split.train), data.of(split.test)) for split in splits]
    plan = planned(problem.model, folds, left_to_cupy(cupy) - 8 * len(data))
    arrays = Arrays(cupy, sparse, plan.rows, plan.pairs)

    def fold(number: int) -> tuple[Fold, Any]:
        return folds[number].on(cupy), cupy.asarray(splits[number].test)

    resident = [fold(number) for number in range(len(folds))] if plan.resident else []
    evidence = Evidence(cupy)

    def answer(found: Any, fold: Fold, places: Any) -> None:
        found[places] = estimates(arrays, problem.model, fold)

    def run() -> Any:
        evidence.reset()
        found = cupy.full(len(data), cupy.nan)
        for number in range(len(folds)):
            # No name holds a fold: it is freed before the next one is copied.
            answer(found, *(resident[number] if plan.resident else fold(number)))
        evidence.see(found)
        return found

    return Prepared(run, cupy.cuda.Device().synchronize, lambda answer: answer.get(), ran_on=evidence.ran_on)
