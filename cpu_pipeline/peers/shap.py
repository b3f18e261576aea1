"""Explanations by other libraries: exact and path-dependent, as the stage asks for.

- ``shap-extension``: the algorithm of the package shap itself
- ``daal4py``: Intel oneDAL
- ``woodelf``: WOODELF, tables of decision patterns in NumPy
"""

import numpy as np
import scipy.sparse as sp

from ...pipeline.contract import Prepared, variant
from ...pipeline.needs import package
from ...pipeline.scoring import ScoringProblem, contributions, dense_rows, explained_in_batches
from .needs import peer
from .oneapi import daal_model


def _bias(problem: ScoringProblem) -> float:
    """The last column's value, by XGBoost: for libraries that leave it to the caller."""
    nothing = sp.csr_matrix((1, problem.matrix.shape[1]), dtype=np.float32)
    return float(contributions(problem.booster(), nothing)[0, -1])


def _with_bias(values: sp.csr_matrix, bias: float) -> sp.csr_matrix:
    """CSR float32 n x (p + 1)."""
    column = np.full((values.shape[0], 1), bias, np.float32)
    return sp.csr_matrix(sp.hstack([values, column], format="csr", dtype=np.float32))


@variant(package("shap"))
def shap_extension(problem: ScoringProblem) -> Prepared[sp.csr_matrix]:
    """The C++ of the package shap, not allowed to call XGBoost; batches of 1,000 dense rows, on one thread."""
    from shap.explainers import TreeExplainer

    explainer = TreeExplainer(problem.booster())
    explainer.model.model_type = "internal"  # as shap calls models that no library explains for it
    bias = _bias(problem)

    def values(batch: sp.csr_matrix) -> np.ndarray:
        rows = dense_rows(batch)
        return explainer.shap_values(rows, tree_limit=-1, check_additivity=False)  # -1: all trees, no best iteration

    return Prepared(lambda: _with_bias(explained_in_batches(problem, values), bias))


@variant(peer("daal4py"))
def daal4py(problem: ScoringProblem) -> Prepared[sp.csr_matrix]:
    """Intel oneDAL by daal4py's model builder, batches of 1,000 dense rows; a sparse answer."""
    model = daal_model(problem.booster())

    def values(batch: sp.csr_matrix) -> np.ndarray:
        return model.predict(dense_rows(batch), pred_contribs=True)

    return Prepared(lambda: explained_in_batches(problem, values))


@variant(peer("woodelf"))
def woodelf(problem: ScoringProblem) -> Prepared[sp.csr_matrix]:
    """WOODELF on a dense frame of the used columns, all records in one call, since its tables are made per call."""
    import pandas as pd
    from woodelf import WoodelfExplainer
    from woodelf.core.trees.parse_models import load_decision_tree_ensemble_model

    booster, columns = problem.booster(), problem.matrix.shape[1]
    booster.feature_names = None
    used = problem.forest().used_features
    explainer = WoodelfExplainer(load_decision_tree_ensemble_model(booster, list(range(columns))))
    bias = _bias(problem)

    def run() -> sp.csr_matrix:
        rows = pd.DataFrame(dense_rows(sp.csr_matrix(problem.matrix[:, used])), columns=used)
        values = explainer.shap_values(rows, as_df=True, exclude_zero_contribution_features=True, verbose=False)
        explained = sp.csr_matrix(values.to_numpy(np.float32))
        place = values.columns.to_numpy(np.int64)
        shape = (len(rows), columns)
        return _with_bias(sp.csr_matrix((explained.data, place[explained.indices], explained.indptr), shape), bias)

    return Prepared(run)
