"""Scores on the GPU.

- xgboost-cuda: the whole matrix through XGBoost's CUDA predictor
"""

import numpy as np

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import cuda_device, xgboost_with_cuda
from ..pipeline.scoring import ScoringProblem, margins, ran_on


@variant(xgboost_with_cuda(), cuda_device(), device="cuda")
def xgboost_cuda(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """The whole CSR matrix from the host through a DMatrix to XGBoost's CUDA predictor; scores on the host."""
    booster = problem.booster(device="cuda")
    return Prepared(lambda: margins(booster, problem.matrix), ran_on=lambda: ran_on(booster))
