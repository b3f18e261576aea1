"""Predict: the final matrix to one XGBoost score per record.

The score is the margin (log-odds); what is not stored is missing: see `scoring`, which says what that means for a
caller with dense rows.
"""

import numpy as np

from ..scoring import ScoringProblem, ScoringStage, scaled_error


class Predict(ScoringStage[np.ndarray, np.ndarray]):
    """XGBoost scores: float32 margins; an entry that is not stored is zero, and missing to the model.

    Of n records they are [n], or [n, outputs] where the model has more than one output (class, target).
    """

    name = "predict"
    order = 30
    summary = "final matrix to one XGBoost score (margin) per record"
    error_measure = "largest difference to float64 margins, relative to the largest margin where that is above 1"
    # A float32 sum of 500 leaves is off by 1e-6 of the largest margin; one leaf taken wrongly, by 1e-4 and more.
    tolerance = 1e-5

    def reference(self, problem: ScoringProblem) -> np.ndarray:
        """float64[n], or [n, outputs], margins by walking the trees (`Forest.margins`).

        Raises:
            UnsupportedModelError: `Forest` refuses the model.

        """
        return problem.forest().margins(problem.matrix)

    def scores(self, answer: np.ndarray) -> np.ndarray:
        """The answer."""
        return answer

    def error(self, problem: ScoringProblem, answer: np.ndarray, reference: np.ndarray) -> float:
        """By `scaled_error`; infinity where there is not one finite score per record and output."""
        if np.shape(answer) != reference.shape:
            return float("inf")
        return scaled_error(answer - reference, reference)
