"""Pipeline: a raw file to scores and explanations, all stages in a row, with the seed's breakdown by phase.

Phases: ``read`` (the file, checked and split into its parts), ``matrix``, ``features``, ``predict``, ``shap``.

The technologies and categories are found in the run, as in the seed report; the model was trained before. Its columns
are what the final matrix is put in the order of: a column that the model lacks is left out, one that the records lack
is empty. On the records that the model was trained with, both are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from ..contract import Stage
from ..datasets.dataset import Column, Dataset
from ..errors import InputError
from ..scoring import ScoringProblem
from .features import Features, FeaturesAnswer, FeaturesProblem
from .matrix_build import MatrixAnswer, MatrixBuild, MatrixProblem
from .predict import Predict
from .shap import Contributions, Shap, ShapReference

if TYPE_CHECKING:
    from ..workload import Workload

PHASES = ("read", "matrix", "features", "predict", "shap")


@dataclass(frozen=True)
class PipelineProblem:
    """A raw Parquet file, what its columns mean, and the model.

    file: path, or the bytes of a file of the first records.
    columns: the model's columns, in its order.
    """

    file: Path | pa.Buffer
    dataset: Dataset
    model: bytes
    columns: tuple[str, ...]
    records: int
    min_frequency: int
    batch_records: int

    @property
    def training_records(self) -> int:
        """The first so many records are known when technologies and categories are learned."""
        return min(self.records, self.dataset.training_records)

    def read(self) -> pa.Table:
        """The raw table, n rows.

        Raises:
            InputError: a column that the dataset names is not there.
        """
        source = self.file if isinstance(self.file, Path) else pa.BufferReader(self.file)
        table = pq.read_table(source)
        wanted = {self.dataset.technologies, *(column.name for column in self.dataset.columns)}
        if lacking := wanted - set(table.column_names):
            raise InputError(f"{self.dataset.path}: column {min(lacking)!r} is missing; make the dataset again")
        return table

    def matrix_problem(self, table: pa.Table) -> MatrixProblem:
        """What the matrix is built from."""
        return MatrixProblem(
            cells=table[self.dataset.technologies].to_pylist(),
            delimiter=self.dataset.delimiter,
            training_records=self.training_records,
            min_frequency=self.min_frequency,
            batch_records=self.batch_records,
        )

    def features_problem(self, table: pa.Table, technologies: MatrixAnswer) -> FeaturesProblem:
        """What the final matrix is made of."""
        columns: tuple[Column, ...] = self.dataset.columns
        return FeaturesProblem(
            table=table.select([column.name for column in columns]),
            columns=columns,
            technologies=technologies.matrix,
            names=technologies.names,
            known=technologies.known,
            training_records=self.training_records,
            batch_records=self.batch_records,
        )

    def scoring_problem(self, features: FeaturesAnswer) -> ScoringProblem:
        """What is scored and explained: the final matrix in the order of the model's columns."""
        matrix = in_order_of(self.columns, features.matrix, features.columns)
        return ScoringProblem(matrix, self.columns, self.model, self.batch_records)


@dataclass(frozen=True)
class PipelineAnswer:
    """float32[n] margins, and their explanations by the model's columns and bias (see `Shap`)."""

    scores: np.ndarray
    contributions: Contributions


@dataclass(frozen=True)
class PipelineReference:
    """The final matrix by the references of the stages before, and what scores and explanations are checked against."""

    scoring: ScoringProblem
    margins: np.ndarray
    shap: ShapReference


def in_order_of(wanted: Sequence[str], matrix: sp.csr_matrix, columns: Sequence[str]) -> sp.csr_matrix:
    """The CSR matrix with its columns as ``wanted``: those not wanted left out, those not there empty."""
    if tuple(wanted) == tuple(columns):
        return matrix
    place = {name: position for position, name in enumerate(wanted)}
    moves = [(before, place[name]) for before, name in enumerate(columns) if name in place]
    before, after = np.array(moves, np.int64).reshape(-1, 2).T
    order = sp.csr_matrix((np.ones(len(moves), matrix.dtype), (before, after)), shape=(len(columns), len(wanted)))
    ordered = sp.csr_matrix(matrix @ order)
    ordered.sort_indices()
    return ordered


class Pipeline(Stage[PipelineProblem, PipelineAnswer, PipelineReference]):
    """Raw file to scores and explanations."""

    name = "pipeline"
    order = 50
    summary = "raw file to scores and explanations"
    error_measure = f"the larger of two: {Predict.error_measure}; {Shap.error_measure}"
    tolerance = Shap.tolerance

    def problem(self, workload: "Workload") -> PipelineProblem:
        """The dataset's raw file and the workload's model."""
        return PipelineProblem(
            file=workload.dataset.path,
            dataset=workload.dataset,
            model=workload.model(),
            columns=tuple(workload.features().columns),
            records=workload.dataset.records,
            min_frequency=int(workload.parameters["min_frequency"]),
            batch_records=int(workload.parameters["batch_records"]),
        )

    def prefix(self, problem: PipelineProblem, records: int) -> PipelineProblem:
        """A file, in memory, of the first records."""
        sink = pa.BufferOutputStream()
        pq.write_table(problem.read().slice(0, records), sink)
        return replace(problem, file=sink.getvalue(), records=min(records, problem.records))

    def sizes(self, problem: PipelineProblem) -> dict[str, int]:
        """Records, and distinct names of technologies in them."""
        return MatrixBuild().sizes(problem.matrix_problem(problem.read()))

    def reference(self, problem: PipelineProblem) -> PipelineReference:
        """By the references of the stages, one after the other; raises what they raise."""
        table = problem.read()
        technologies = MatrixBuild().reference(problem.matrix_problem(table))
        features = Features().reference(problem.features_problem(table, technologies))
        scoring = problem.scoring_problem(features)
        return PipelineReference(scoring, Predict().reference(scoring), Shap().reference(scoring))

    def error(self, problem: PipelineProblem, answer: PipelineAnswer, reference: PipelineReference) -> float:
        """The larger of the errors of scores and explanations."""
        return max(
            Predict().error(reference.scoring, answer.scores, reference.margins),
            Shap().error(reference.scoring, answer.contributions, reference.shap),
        )
