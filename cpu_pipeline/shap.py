"""Explanations on the CPU.

- naive: `shap.TreeExplainer` on one dense row at a time
- shap-tree-explainer: the same on batches of 1,000 dense rows
- batched-sparse: XGBoost's own `pred_contribs` on batches of 1,000 CSR rows
- native: one table look-up per group of leaves and feature, whatever the leaves (`TreeShap`, a class of its own use)
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import package
from ..pipeline.scoring import ScoringProblem, contributions_in_batches, dense_rows, explained_in_batches, ran_on
from ..pipeline.stages.shap import CompactContributions
from .shap_interactions import CompactInteractions, ShapInteractions
from .tree_shap import CompactValues, TopContributions, TreeShap

if TYPE_CHECKING:
    import xgboost

__all__ = ["CompactInteractions", "CompactValues", "ShapInteractions", "TopContributions", "TreeShap"]


def _explainer(booster: "xgboost.Booster") -> Any:
    from shap.explainers import TreeExplainer

    return TreeExplainer(booster)


def _with_bias(explainer: Any, rows: np.ndarray) -> np.ndarray:
    """float32[n, outputs * (p + 1)]: shap's values and, last of each output, the bias, which shap keeps apart."""
    values = explainer.shap_values(rows, tree_limit=-1, check_additivity=False)  # -1: all trees, no best iteration
    by_output = values.reshape(*rows.shape, -1).swapaxes(1, 2)  # shap has the outputs last
    bias = np.broadcast_to(np.float32(explainer.expected_value), by_output.shape[:2])
    return np.concatenate([by_output, bias[:, :, None]], axis=2).reshape(len(rows), -1)


def one_at_a_time(booster: "xgboost.Booster") -> Callable[[sp.csr_matrix], np.ndarray]:
    """A function from CSR rows, n x p, to dense contributions (see `_with_bias`) that makes each row's by itself."""
    explainer = _explainer(booster)
    width = _with_bias(explainer, np.full((1, booster.num_features()), np.nan, np.float32)).shape[1]

    def explain(matrix: sp.csr_matrix) -> np.ndarray:
        explanations = np.empty((matrix.shape[0], width), np.float32)
        for record in range(len(explanations)):
            explanations[record] = _with_bias(explainer, dense_rows(matrix[record]))[0]
        return explanations

    return explain


@variant(package("shap"))
def naive(problem: ScoringProblem) -> Prepared[np.ndarray]:
    """One dense row at a time through `shap.TreeExplainer`; a dense answer.

    It stands for the loop that explains a score whenever one is asked for. On an XGBoost model `TreeExplainer` returns
    XGBoost's own numbers, through a DMatrix of one row.
    """
    booster = problem.booster()
    explain = one_at_a_time(booster)
    return Prepared(lambda: explain(problem.matrix), ran_on=lambda: ran_on(booster))


@variant(package("shap"))
def shap_tree_explainer(problem: ScoringProblem) -> Prepared[sp.csr_matrix]:
    """Batches of 1,000 dense rows through `shap.TreeExplainer`, which calls XGBoost; a sparse answer."""
    booster = problem.booster()
    explainer = _explainer(booster)

    def run() -> sp.csr_matrix:
        return explained_in_batches(problem, lambda batch: _with_bias(explainer, dense_rows(batch)))

    return Prepared(run, ran_on=lambda: ran_on(booster))


@variant()
def batched_sparse(problem: ScoringProblem) -> Prepared[sp.csr_matrix]:
    """Batches of 1,000 CSR rows through XGBoost's `pred_contribs`; a sparse answer."""
    booster = problem.booster()
    return Prepared(lambda: contributions_in_batches(booster, problem), ran_on=lambda: ran_on(booster))


@variant(package("numba"))
def native(problem: ScoringProblem) -> Prepared[CompactContributions]:
    """Pattern-table TreeSHAP, compiled; an answer of the used features and the bias."""
    explainer = TreeShap.from_forest(problem.forest())
    width = problem.matrix.shape[1] + 1
    outputs = explainer.forest.outputs
    columns = (np.arange(outputs)[:, None] * width + np.append(explainer.features, width - 1)).reshape(-1)

    def run() -> CompactContributions:
        values = explainer.shap_values(problem.matrix, output="compact").values
        return CompactContributions(values.reshape(len(values), len(columns)), columns, outputs * width)

    return Prepared(run)
