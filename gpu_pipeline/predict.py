"""Scores on the GPU.

- xgboost-cuda: the whole matrix through XGBoost's CUDA predictor
- native-cuda: 8-bit codes in shared memory, a walk down bytes instead of float comparisons (`DeviceForest`)
"""

import numpy as np

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import cuda_device, cuda_package, xgboost_with_cuda
from ..pipeline.scoring import ScoringProblem, margins, ran_on
from .batched_run import batched_run
from .device_forest import DeviceForest
from .device_memory import left_to_others
from .device_rows import DeviceRows
from .xgboost_memory import scored_at_a_time


@variant(xgboost_with_cuda(), cuda_device(), device="cuda")
def xgboost_cuda(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """The CSR matrix from the host, whole if it fits, by a DMatrix to XGBoost's CUDA predictor; scores on the host."""
    booster, matrix = problem.booster(device="cuda"), problem.matrix
    split = scored_at_a_time(problem, left_to_others())

    def run() -> np.ndarray:
        if len(split) == 1:
            return margins(booster, matrix)
        return np.concatenate([margins(booster, matrix[first:last]) for first, last in split])

    return Prepared(run, ran_on=lambda: ran_on(booster))


@variant(cuda_package("cupy"), cuda_device(), device="cuda")
def native_cuda(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """A tile of rows coded into shared memory, a thread for each row and share of the trees; scores on the device."""
    import cupy

    forest = problem.forest()
    device_forest = DeviceForest(cupy, forest)
    DeviceRows.check(problem.matrix, forest.features)

    def fetched(scores: np.ndarray) -> np.ndarray:
        return scores[:, 0] if forest.outputs == 1 else scores

    return batched_run(cupy, problem.matrix, forest.outputs, device_forest.margins, fetched)
