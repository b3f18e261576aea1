"""SHAP: an explanation of every score.

An explanation of a record has one contribution per column and a bias; together they add up to the score, the margin.
They are the exact path-dependent Shapley values that XGBoost's ``pred_contribs`` and ``shap.TreeExplainer`` (without
background data) define; `shapley` has the formula. What is not stored is missing: see `scoring`.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..scoring import ScoringProblem, ScoringStage, scaled_error
from ..shapley import shapley_values

Contributions = sp.csr_matrix | np.ndarray


CHECKED_RECORDS = 64
"""Records, spread over all, whose every contribution is checked; the sums are checked on all."""


@dataclass(frozen=True)
class ShapReference:
    """What explanations are checked against.

    margins: float64[n], what each row of the answer must add up to.
    rows: int64[k], the rows whose every contribution is checked.
    contributions: float64[k, p + 1], theirs.
    """

    margins: np.ndarray
    rows: np.ndarray
    contributions: np.ndarray


class Shap(ScoringStage[Contributions, ShapReference]):
    """Explanations of XGBoost scores: float32 n x (p + 1), sparse (CSR) or dense, the bias in the last column."""

    name = "shap"
    order = 40
    summary = "one SHAP explanation per score"
    error_measure = (
        "largest difference to float64 Shapley values on checked records, and of all records' sums to float64 margins, "
        "relative to the largest margin where that is above 1"
    )
    # XGBoost's float32 is off by 2e-7 with 500 trees of depth 6, and by 7e-7 at depth 12. At depth 20 its versions
    # before 3.4, which divide weights out of a path again, are off by 1e-4: a mismatch, rightly.
    tolerance = 1e-5

    def reference(self, problem: ScoringProblem) -> ShapReference:
        """Margins of all records, Shapley values of some, evenly spread.

        Raises:
            UnsupportedModelError: `Forest` refuses the model.

        """
        records = problem.matrix.shape[0]
        checked = min(records, CHECKED_RECORDS)
        rows = np.linspace(0, max(0, records - 1), checked).astype(np.int64)
        forest = problem.forest()
        return ShapReference(forest.margins(problem.matrix), rows, shapley_values(forest, problem.matrix[rows]))

    def error(self, problem: ScoringProblem, answer: Contributions, reference: ShapReference) -> float:
        """By `scaled_error`, the larger of the two differences; infinity where shape or any value is wrong."""
        records, columns = problem.matrix.shape
        if answer.shape != (records, columns + 1):
            return float("inf")
        sums = np.asarray(answer.sum(axis=1, dtype=np.float64)).ravel()
        checked = sp.csr_matrix(answer[reference.rows]).toarray()
        return max(
            scaled_error(sums - reference.margins, reference.margins),
            scaled_error(checked - reference.contributions, reference.margins),
        )
