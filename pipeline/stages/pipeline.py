"""Pipeline: a raw file to scores, explanations and recommendations, with the seed's breakdown by phase.

An explanation of a record holds the features that move its score most, ``top`` of them, or all that the model uses
where these are fewer: nobody keeps thousands of numbers per record.

The technologies and categories are found in the run, as in the seed report; the model was trained before. Its columns
are what the final matrix is put in the order of: a column that the model lacks is left out, one that the records lack
is empty. On the records that the model was trained with, both are the same.

What a record is recommended are the technologies that it has not and that fit best to those that it has. The
recommender, too, was trained before: its items have vectors, and in the run each record is folded in by those of the
technologies found that have its items' names (`technobench.pipeline.item_vectors`).
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse as sp

from ..column_order import in_order_of
from ..contract import Stage
from ..datasets.dataset import RecordDataset
from ..errors import InputError
from ..forest import Forest
from ..item_vectors import PARAMETERS, ItemVectors, als_parameters
from ..recommendation_check import NO_ITEM, RecommendationReference
from ..record_file import RecordFile
from ..scoring import ScoringProblem, margins, scaled_error
from ..technologies import normalise
from .features import Features, FeaturesAnswer, FeaturesProblem
from .matrix_build import MatrixAnswer, MatrixBuild, MatrixProblem
from .predict import Predict
from .shap import Shap, ShapReference

if TYPE_CHECKING:
    import xgboost

    from ..workload import Workload

PHASES = ("read", "matrix", "features", "predict", "shap", "recommend")
"""``read``: the file, checked and split into its parts. A variant that does not go stage by stage has its own."""
_ROWS_AT_A_TIME = 1 << 16


@dataclass(frozen=True)
class PipelineProblem:
    """A raw Parquet file, what its columns mean, the model, and the recommender.

    file: path, or the bytes of a file of the first records.
    model: an XGBoost model as UBJ. columns: the model's columns, in its order.
    recommender: the m technologies that are recommended, with their vectors.
    top: features in an explanation, where the model uses as many.
    recommendations: technologies recommended to a record, where it lacks as many.
    """

    file: Path | pa.Buffer
    dataset: RecordDataset
    model: bytes
    columns: tuple[str, ...]
    records: int
    min_frequency: int
    batch_records: int
    recommender: ItemVectors
    top: int = 10
    recommendations: int = 10

    @property
    def training_records(self) -> int:
        """The first so many records are known when technologies and categories are learned."""
        return min(self.records, self.dataset.training_records)

    @property
    def record_file(self) -> RecordFile:
        """The raw file, to read whole or in chunks."""
        return RecordFile(self.file, self.dataset.technologies, self.dataset.columns)

    @cached_property
    def explained(self) -> int:
        """Features in every explanation: ``top``, or all that the model uses."""
        return min(self.top, len(self._booster.get_score(importance_type="weight")))

    @cached_property
    def each_output(self) -> tuple[int, ...]:
        """The axis of the outputs (classes, targets), which a model of one output has not."""
        return self._scoring.nothing_of(lambda record: margins(self._booster, record)).shape[1:]

    @cached_property
    def _booster(self) -> "xgboost.Booster":
        return self._scoring.booster()

    def forest(self) -> Forest:
        """The model's trees.

        Raises:
            UnsupportedModelError: as `Forest.from_model`.

        """
        return self._scoring.forest()

    @property
    def _scoring(self) -> ScoringProblem:
        nothing = sp.csr_matrix((0, len(self.columns)), dtype=np.float32)
        return ScoringProblem(nothing, self.columns, self.model, self.batch_records)

    def read(self) -> pa.Table:
        """The raw table, n rows.

        Raises:
            InputError: as `RecordFile.chunks`.

        """
        return self.record_file.read()

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
        columns = self.dataset.columns
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
        return replace(self._scoring, matrix=matrix)

    def owned(self, technologies: MatrixAnswer) -> sp.csr_matrix:
        """CSR of ones, n x m: which of the recommender's technologies each record has."""
        return in_order_of(self.recommender.names, technologies.matrix, technologies.names)

    def reference_inputs(self) -> tuple[ScoringProblem, sp.csr_matrix]:
        """What is scored and explained, and `owned`, by the references of the stages before."""
        table = self.read()
        technologies = MatrixBuild().reference(self.matrix_problem(table))
        features = Features().reference(self.features_problem(table, technologies))
        return self.scoring_problem(features), self.owned(technologies)


@dataclass(frozen=True)
class PipelineAnswer:
    """Scores, the contributions that move each of them most, and recommendations.

    scores: float32[n] margins.
    features: int32[n, k], positions among the model's columns; k is `PipelineProblem.explained`.
    values: float32[n, k], their contributions, largest size first.

    For a model of more than one output they are [n, outputs] and [n, outputs, k].

    recommended: int32[n, recommendations], the technologies that a record has not, best first, as positions among the
        recommender's; `NO_ITEM` (-1) after the last one.
    recommended_scores: float32[n, recommendations], the products of the vectors; -inf where a list has ended.
    """

    scores: np.ndarray
    features: np.ndarray
    values: np.ndarray
    recommended: np.ndarray
    recommended_scores: np.ndarray

    @classmethod
    def empty(cls, problem: PipelineProblem) -> "PipelineAnswer":
        """Room for all records."""
        each = problem.records, *problem.each_output
        shape, lists = (*each, problem.explained), (problem.records, problem.recommendations)
        return cls(
            scores=np.empty(each, np.float32),
            features=np.empty(shape, np.int32),
            values=np.empty(shape, np.float32),
            recommended=np.full(lists, NO_ITEM, np.int32),
            recommended_scores=np.full(lists, -np.inf, np.float32),
        )

    def put_largest(self, rows: slice, contributions: np.ndarray) -> None:
        """Keep, of dense contributions [rows, outputs * (p + 1)] with the bias last, those largest in size."""
        k, each = self.values.shape[-1], self.scores[rows].shape
        if k == 0:
            return
        contributions = contributions.reshape(*each, -1)
        sizes = np.abs(contributions[..., :-1])
        chosen = np.argpartition(-sizes, k - 1, axis=-1)[..., :k]
        order = np.argsort(-np.take_along_axis(sizes, chosen, axis=-1), axis=-1, kind="stable")
        self.features[rows] = np.take_along_axis(chosen, order, axis=-1)
        self.values[rows] = np.take_along_axis(contributions, self.features[rows], axis=-1)


@dataclass(frozen=True)
class PipelineReference:
    """What scores and explanations are checked against, and what recommendations are."""

    explanations: ShapReference
    recommendations: RecommendationReference


class Pipeline(Stage[PipelineProblem, PipelineAnswer, PipelineReference]):
    """Raw file to scores, the largest contributions to each, and recommendations."""

    name = "pipeline"
    order = 50
    summary = "raw file to scores, their largest contributions, and recommendations"
    error_measure = (
        f"the largest of three: {Predict.error_measure}; on checked records, largest difference of a contribution, and "
        "of the k largest sizes, to float64 Shapley values, relative to the same; on checked records, largest "
        "difference of a recommended item's score to the exact best of its place, relative to the vectors' lengths"
    )
    tolerance = Shap.tolerance
    parameters: ClassVar = {"top": 10, "recommendations": 10, **PARAMETERS}

    def problem(self, workload: "Workload") -> PipelineProblem:
        """The dataset's raw file, and the workload's model and item vectors.

        Raises:
            InputError: no recommendations are asked for, or a hyper-parameter of the recommender is out of its range.

        """
        parameters = {**self.parameters, **workload.parameters}
        if int(parameters["recommendations"]) < 1:
            raise InputError(f"recommendations={parameters['recommendations']}: must be at least 1")
        return PipelineProblem(
            file=workload.records.path,
            dataset=workload.records,
            model=workload.model(),
            columns=workload.final_columns(),
            records=workload.records.records,
            min_frequency=int(parameters["min_frequency"]),
            batch_records=int(parameters["batch_records"]),
            recommender=ItemVectors.of(workload, als_parameters(parameters)),
            top=int(parameters["top"]),
            recommendations=int(parameters["recommendations"]),
        )

    def prefix(self, problem: PipelineProblem, records: int) -> PipelineProblem:
        """A file, in memory, of the first records."""
        sink = pa.BufferOutputStream()
        pq.write_table(problem.record_file.read(records), sink)
        return replace(problem, file=sink.getvalue(), records=min(records, problem.records))

    def sizes(self, problem: PipelineProblem) -> dict[str, int]:
        """Records, and distinct names of technologies in them."""
        items: set[str] = set()
        dataset = problem.dataset
        for chunk in RecordFile(problem.file, dataset.technologies, ()).chunks(_ROWS_AT_A_TIME):
            items.update(item for cell in chunk.column(0).to_pylist() if cell for item in cell.split(dataset.delimiter))
        return {"records": problem.records, "technologies": len({normalise(item) for item in items} - {""})}

    def reference(self, problem: PipelineProblem) -> PipelineReference:
        """By the references of the stages, one after the other; raises what they raise."""
        scoring, owned = problem.reference_inputs()
        return PipelineReference(
            explanations=Shap().reference(scoring),
            recommendations=RecommendationReference.of(problem.recommender, owned, problem.recommendations),
        )

    def error(self, problem: PipelineProblem, answer: PipelineAnswer, reference: PipelineReference) -> float:
        """The largest of the differences; infinity where anything else is wrong."""
        return max(
            self._error_of_explanations(problem, answer, reference.explanations),
            reference.recommendations.error(answer.recommended, answer.recommended_scores),
        )

    def _error_of_explanations(
        self, problem: PipelineProblem, answer: PipelineAnswer, reference: ShapReference
    ) -> float:
        """Of the scores and the explanations, by `scaled_error`."""
        right, columns = PipelineAnswer.empty(problem), len(problem.columns)
        pairs = ((answer.scores, right.scores), (answer.features, right.features), (answer.values, right.values))
        if any(ours.shape != theirs.shape for ours, theirs in pairs):
            return float("inf")
        records, outputs = reference.margins.shape
        shape = records, outputs, problem.explained
        features, values = answer.features.reshape(shape), answer.values.reshape(shape)
        if not _well_formed(features, values, columns):
            return float("inf")
        exact = reference.contributions.reshape(-1, outputs, columns + 1)[..., :-1]
        checked = values[reference.rows]
        largest = np.sort(np.abs(exact), axis=-1)[..., ::-1][..., : problem.explained]
        differences = (
            answer.scores.reshape(records, outputs) - reference.margins,
            checked - np.take_along_axis(exact, features[reference.rows].astype(np.int64), axis=-1),
            np.abs(checked) - largest,
        )
        return max(scaled_error(difference, reference.margins) for difference in differences)


def _well_formed(features: np.ndarray, values: np.ndarray, columns: int) -> bool:
    """Whether of each score the features are different columns, and the values finite and in order of size."""
    if not np.isfinite(values).all() or not np.issubdtype(features.dtype, np.integer):
        return False
    ordered = np.sort(features, axis=-1)
    in_range = bool(((features >= 0) & (features < columns)).all())
    distinct = bool((np.diff(ordered, axis=-1) > 0).all())
    return in_range and distinct and bool((np.diff(np.abs(values), axis=-1) <= 0).all())
