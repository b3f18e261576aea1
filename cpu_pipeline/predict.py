"""Scores on the CPU.

- naive: a DMatrix and a call for each record
- batched-sparse: XGBoost reads batches of 1,000 CSR rows where they lie
- xgboost: the same, the whole matrix in one call
- native: 8-bit codes of the model's thresholds, tile by tile; `Forest` is the same for use by itself
"""

import numpy as np

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import package
from ..pipeline.scoring import ScoringProblem, inplace_margins, margins, ran_on
from .forest_engine import Forest

__all__ = ["Forest"]


@variant()
def naive(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """One record at a time: `Booster.predict` on a DMatrix of one row.

    It stands for the loop around the first call of XGBoost's documentation, as in a handler of single requests.
    """
    booster = problem.booster()
    nothing = problem.nothing_of(lambda record: margins(booster, record))

    def run() -> np.ndarray:
        records = range(problem.matrix.shape[0])
        return np.concatenate([nothing, *(margins(booster, problem.matrix[record]) for record in records)])

    return Prepared(run, ran_on=lambda: ran_on(booster))


@variant()
def batched_sparse(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """Batches of 1,000 CSR rows through `Booster.inplace_predict`, without a DMatrix."""
    booster = problem.booster()
    nothing = problem.nothing_of(lambda batch: inplace_margins(booster, batch))

    def run() -> np.ndarray:
        return np.concatenate([nothing, *(inplace_margins(booster, batch) for _, batch in problem.batches())])

    return Prepared(run, ran_on=lambda: ran_on(booster))


@variant()
def xgboost(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """The whole CSR matrix in one call of `Booster.inplace_predict`."""
    booster = problem.booster()
    return Prepared(lambda: inplace_margins(booster, problem.matrix), ran_on=lambda: ran_on(booster))


@variant(package("numba"))
def native(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """Bytes instead of float comparisons, whole trees by vector instructions, tiles of rows that fit the cache."""
    forest = Forest(problem.forest())
    return Prepared(lambda: forest.predict(problem.matrix))
