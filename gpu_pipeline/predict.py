"""Scores on the GPU.

- xgboost-cuda: the whole matrix through XGBoost's CUDA predictor
- native-cuda: 8-bit codes in shared memory, a walk down bytes instead of float comparisons (`DeviceForest`)
"""

from typing import Any

import numpy as np

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import cuda_device, package, xgboost_with_cuda
from ..pipeline.scoring import ScoringProblem, margins, ran_on
from .device_forest import DeviceForest
from .device_rows import DeviceRows


@variant(xgboost_with_cuda(), cuda_device(), device="cuda")
def xgboost_cuda(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """The whole CSR matrix from the host through a DMatrix to XGBoost's CUDA predictor; scores on the host."""
    booster = problem.booster(device="cuda")
    return Prepared(lambda: margins(booster, problem.matrix), ran_on=lambda: ran_on(booster))


@variant(package("cupy", "cupy-cuda12x"), cuda_device(), device="cuda")
def native_cuda(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """A tile of rows coded into shared memory, a thread for each row and share of the trees; scores on the device."""
    import cupy

    forest = problem.forest()
    device_forest = DeviceForest(cupy, forest)
    rows = DeviceRows.of(cupy, problem.matrix, forest.features)
    last: list[Any] = []

    def run() -> Any:
        last[:] = [device_forest.margins(rows)]
        return last[0]

    def fetch(answer: Any) -> np.ndarray:
        scores = answer.get()
        return scores[:, 0] if forest.outputs == 1 else scores

    def where() -> str:
        return "cuda" if last and isinstance(last[0], cupy.ndarray) else "cpu"

    return Prepared(run, cupy.cuda.Device().synchronize, fetch, ran_on=where)
