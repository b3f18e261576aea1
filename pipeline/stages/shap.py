"""SHAP: an explanation of every score.

An explanation of a record has one contribution per column and a bias; together they add up to the score, the margin.
They are the exact path-dependent Shapley values that XGBoost's ``pred_contribs`` and ``shap.TreeExplainer`` (without
background data) define; `shapley` has the formula. What is not stored is missing: see `scoring`.

A model of several outputs (classes, targets) has an explanation of each of its margins: they stand one behind the other
in a row, as in ``pred_contribs`` of n x outputs x (columns + 1) made flat.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from ..scoring import ScoringProblem, ScoringStage, scaled_error
from ..shapley import shapley_values


@dataclass(frozen=True)
class CompactContributions:
    """Explanations without the columns in which no record has a contribution.

    values: float32[n, k]. columns: int64[k], ascending, of the ``width`` columns that are explained.
    """

    values: np.ndarray
    columns: np.ndarray
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """That of all explanations; one side is -1 where values and columns do not fit."""
        fits = self.values.ndim == 2 and self.values.shape[1] == len(self.columns)
        ascending = fits and (np.diff(self.columns, prepend=-1, append=self.width) > 0).all()
        return len(self.values), self.width if ascending else -1

    def csr(self) -> sp.csr_matrix:
        """All columns."""
        rows, stored = self.values.shape
        places = np.broadcast_to(self.columns, self.values.shape).reshape(-1)
        starts = np.arange(rows + 1, dtype=np.int64) * stored
        return sp.csr_matrix((self.values.reshape(-1), places, starts), shape=self.shape)


Contributions = sp.csr_matrix | np.ndarray | CompactContributions

CHECKED_RECORDS = 64
"""Records, spread over all, whose every contribution is checked; the sums are checked on all."""


@dataclass(frozen=True)
class ShapReference:
    """What explanations are checked against.

    margins: float64[n, outputs], what each output's contributions must add up to.
    rows: int64[k], the rows whose every contribution is checked.
    contributions: float64[k, outputs * (p + 1)], theirs.
    """

    margins: np.ndarray
    rows: np.ndarray
    contributions: np.ndarray


class Shap(ScoringStage[Contributions, ShapReference]):
    """Explanations of XGBoost scores: float32 n x outputs * (p + 1), each output's bias last.

    They are dense, sparse (CSR), or dense over the columns that anything contributes to (`CompactContributions`).
    """

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
        explained = shapley_values(forest, problem.matrix[rows])
        return ShapReference(
            margins=forest.margins(problem.matrix).reshape(records, forest.outputs),
            rows=rows,
            contributions=explained.reshape(checked, forest.outputs * (len(problem.columns) + 1)),
        )

    def scores(self, answer: Contributions) -> np.ndarray:
        """What the contributions and the bias of a record add up to."""
        stored = answer.values if isinstance(answer, CompactContributions) else answer
        return np.asarray(stored.sum(axis=1, dtype=np.float64)).ravel()

    def error(self, problem: ScoringProblem, answer: Contributions, reference: ShapReference) -> float:
        """By `scaled_error`, the larger of the two differences; infinity where shape or any value is wrong."""
        records, outputs = reference.margins.shape
        width = problem.matrix.shape[1] + 1
        if answer.shape != (records, outputs * width):
            return float("inf")
        whole = answer.csr() if isinstance(answer, CompactContributions) else answer
        of_outputs = [whole[:, first : first + width] for first in range(0, outputs * width, width)]
        sums = np.column_stack([np.asarray(each.sum(axis=1, dtype=np.float64)).ravel() for each in of_outputs])
        checked = sp.csr_matrix(whole[reference.rows]).toarray()
        return max(
            scaled_error(sums - reference.margins, reference.margins),
            scaled_error(checked - reference.contributions, reference.margins),
        )
