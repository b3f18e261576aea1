"""Explanations on the GPU.

- xgboost-cuda: XGBoost's `pred_contribs`, which is GPUTreeShap there, batch by batch
"""

import scipy.sparse as sp

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import cuda_device, xgboost_with_cuda
from ..pipeline.scoring import ScoringProblem, contributions_in_batches, ran_on


@variant(xgboost_with_cuda(), cuda_device(), device="cuda")
def xgboost_cuda(problem: ScoringProblem) -> Prepared[sp.csr_matrix]:
    """Batches of 1,000 CSR rows through XGBoost's CUDA `pred_contribs`; a sparse answer on the host."""
    booster = problem.booster(device="cuda")
    return Prepared(lambda: contributions_in_batches(booster, problem), ran_on=lambda: ran_on(booster))
