"""What the stages `predict` and `shap` share: their problem, and XGBoost's calls on either device.

The score is the *margin*, log-odds for a classifier; a probability is a monotone function of it. A model of several
outputs (classes, targets) has as many margins, and an explanation of each.

An entry that is not stored is zero, and *missing* to XGBoost: it goes the way of a split's default, not the way of 0.
A model trained on CSR gives other scores on the same rows made dense, so a dense caller must declare zero missing
(``missing=0``, or NaN in its place). No explicit zero is stored.

All trees count, also where the model names a best iteration of early stopping: slice the booster before it is saved.
"""

import json
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Generic

import numpy as np
import scipy.sparse as sp

from .contract import AnswerT, ReferenceT, Stage
from .forest import Forest
from .model import HeldOut
from .search import Range

if TYPE_CHECKING:
    import xgboost

    from .workload import Workload


@dataclass(frozen=True)
class ScoringProblem:
    """Records to score with a model.

    matrix: CSR n x p, float32, canonical, without explicit zeros; its p ``columns``.
    model: an XGBoost model as UBJ, trained on these columns.
    batch_records: records per batch, for variants that work in batches.
    held_out: the records that judge the model; None where they are not known.
    """

    matrix: sp.csr_matrix
    columns: tuple[str, ...]
    model: bytes
    batch_records: int = 1000
    held_out: HeldOut | None = None

    @classmethod
    def of(cls, workload: "Workload") -> "ScoringProblem":
        """The workload's final matrix and its model."""
        return cls._scored_by(workload, workload.model(), workload.held_out())

    @classmethod
    def of_fold(cls, workload: "Workload", number: int, folds: int) -> "ScoringProblem":
        """The workload's final matrix and a model trained on the other folds of what its own learns from."""
        return cls._scored_by(workload, *workload.model_of_fold(number, folds))

    @classmethod
    def _scored_by(cls, workload: "Workload", model: bytes, held_out: HeldOut | None) -> "ScoringProblem":
        features = workload.features()
        return cls(
            matrix=features.matrix,
            columns=tuple(features.columns),
            model=model,
            batch_records=int(workload.parameters["batch_records"]),
            held_out=held_out,
        )

    def prefix(self, records: int) -> "ScoringProblem":
        """The same model on the first ``records`` records, which do not judge it."""
        return replace(self, matrix=self.matrix[:records], held_out=None)

    def sizes(self) -> dict[str, int]:
        """Records, columns and non-zeros."""
        records, columns = self.matrix.shape
        return {"records": records, "columns": columns, "nonzeros": self.matrix.nnz}

    def batches(self) -> Iterator[tuple[slice, sp.csr_matrix]]:
        """The matrix in batches of ``batch_records`` rows, each with its place among the rows."""
        for start in range(0, self.matrix.shape[0], self.batch_records):
            rows = slice(start, start + self.batch_records)
            yield rows, self.matrix[rows]

    def nothing_of(self, answer: Callable[[sp.csr_matrix], np.ndarray]) -> np.ndarray:
        """The answer of no record, which answers of single records or batches can be joined to."""
        return answer(sp.csr_matrix((1, self.matrix.shape[1]), dtype=np.float32))[:0]

    def booster(self, device: str = "cpu") -> "xgboost.Booster":
        """The model, to run on ``device`` (``cpu`` or ``cuda``)."""
        import xgboost

        booster = xgboost.Booster(model_file=bytearray(self.model))
        booster.set_param({"device": device})
        return booster

    def forest(self) -> Forest:
        """The model's trees.

        Raises:
            UnsupportedModelError: as `Forest.from_model`.

        """
        return Forest.from_model(bytes(self.booster().save_raw("json")))


class ScoringStage(Stage[ScoringProblem, AnswerT, ReferenceT], Generic[AnswerT, ReferenceT]):
    """A stage that starts from the final matrix and the model."""

    search: ClassVar[Mapping[str, Range]] = {
        "trees": Range(50, 1000, log=True),
        "depth": Range(2, 8),
        "learning_rate": Range(0.01, 0.3, log=True),
    }

    def problem(self, workload: "Workload") -> ScoringProblem:
        """The workload's final matrix and its model."""
        return ScoringProblem.of(workload)

    def fold(self, workload: "Workload", number: int, folds: int) -> ScoringProblem:
        """All records, with a model trained on the other folds of what the workload's model learns from."""
        return ScoringProblem.of_fold(workload, number, folds)

    def prefix(self, problem: ScoringProblem, records: int) -> ScoringProblem:
        """The first records."""
        return problem.prefix(records)

    def sizes(self, problem: ScoringProblem) -> dict[str, int]:
        """Records, columns and non-zeros."""
        return problem.sizes()

    def quality(self, problem: ScoringProblem, answer: AnswerT) -> Mapping[str, float]:
        """The default model's AUC on the records held out from it.

        Scores that are as near as the tolerance are equal: the order in which leaves are added up is not to break ties.
        """
        if problem.held_out is None:
            return {}
        return {"auc": problem.held_out.auc(np.round(self.scores(answer).astype(np.float64) / self.tolerance))}

    @abstractmethod
    def scores(self, answer: AnswerT) -> np.ndarray:
        """float[n]: the margins in an answer for a model of one output."""


def dense_rows(matrix: sp.csr_matrix, dtype: type[np.floating] = np.float32) -> np.ndarray:
    """``dtype``[n, p] with NaN, which libraries for dense rows take as missing, where nothing is stored."""
    dense = np.full(matrix.shape, np.nan, dtype)
    dense[np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr)), matrix.indices] = matrix.data
    return dense


def margins(booster: "xgboost.Booster", matrix: sp.csr_matrix) -> np.ndarray:
    """float32[n], or [n, outputs], margins of an n x p CSR matrix by way of a DMatrix, on the booster's device.

    It is the way to CUDA too, since XGBoost takes no sparse matrix that lies on the device.
    """
    import xgboost

    # Names are matched when a model is loaded; a DMatrix of CSR has none.
    scores = booster.predict(xgboost.DMatrix(matrix), output_margin=True, validate_features=False)
    return _one_or_more(scores)


def inplace_margins(booster: "xgboost.Booster", matrix: sp.csr_matrix) -> np.ndarray:
    """float32[n], or [n, outputs], margins of an n x p CSR matrix read where it lies, on the CPU."""
    return _one_or_more(booster.inplace_predict(matrix, predict_type="margin"))


def _one_or_more(scores: np.ndarray) -> np.ndarray:
    """[n] where there is one output; some versions of XGBoost give [n, 1]."""
    return scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores


def contributions(booster: "xgboost.Booster", matrix: sp.csr_matrix) -> np.ndarray:
    """Path-dependent SHAP values of an n x p CSR matrix, on the booster's device.

    float32[n, outputs * (p + 1)]: one output behind the other, the bias of each last.
    """
    import xgboost

    values = booster.predict(xgboost.DMatrix(matrix), pred_contribs=True, validate_features=False)
    return values.reshape(len(values), math.prod(values.shape[1:]))


def explained_in_batches(problem: ScoringProblem, explain: Callable[[sp.csr_matrix], np.ndarray]) -> sp.csr_matrix:
    """CSR float32 n x outputs * (p + 1), by batches: no more than one batch is ever dense."""
    parts = [sp.csr_matrix(explain(batch)) for _, batch in problem.batches()]
    return sp.csr_matrix(sp.vstack(parts, format="csr"))


def contributions_in_batches(booster: "xgboost.Booster", problem: ScoringProblem) -> sp.csr_matrix:
    """`contributions` batch by batch, as `explained_in_batches` joins them."""
    return explained_in_batches(problem, lambda batch: contributions(booster, batch))


def ran_on(booster: "xgboost.Booster") -> str:
    """The device, ``cpu`` or ``cuda``, of the booster's last run.

    Asked for CUDA where there is no device, or in a build without CUDA, XGBoost computes on the CPU, only warns, and
    changes the device in its configuration, which is read here.
    """
    device: str = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
    return device.partition(":")[0]


def scaled_error(differences: np.ndarray, margins: np.ndarray) -> float:
    """Largest absolute difference, in units of the largest absolute margin where that is above 1.

    Infinity where a difference is not finite, never NaN.
    """
    largest = float(np.abs(differences).max(initial=0)) / max(1.0, float(np.abs(margins).max(initial=0)))
    return largest if np.isfinite(largest) else float("inf")
