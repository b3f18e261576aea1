"""Features: the technology matrix and the firmographic columns to the final matrix.

Columns, in this order, learned from the training records alone:

1. one per technology, as in the technology matrix; then ``technologies (unknown)``, 1 where the cell is null, if
   any training cell is null;
2. for each raw column in the order of the file
   - categorical: one ``column=value`` per distinct value, by code point of the value; then ``column (missing)``, 1
     where the value is null, if any training value is null. A category unseen in training gets no 1 in any of them;
   - numeric: one ``column`` with the value; then ``column (missing)`` as above.

What is not stored is zero, and is *missing* to XGBoost. No explicit zero is stored, so a numeric zero is missing too,
and is told from a null by ``column (missing)``. Values are float32; an infinity is refused when data is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from ..contract import Stage
from ..datasets.dataset import Column

if TYPE_CHECKING:
    from ..workload import Workload

UNKNOWN_TECHNOLOGIES = "technologies (unknown)"


def missing_column(name: str) -> str:
    """Name of the column that marks nulls of raw column ``name``."""
    return f"{name} (missing)"


def category_column(name: str, value: str) -> str:
    """Name of the column that marks ``value`` of raw column ``name``."""
    return f"{name}={value}"


@dataclass(frozen=True)
class FeaturesProblem:
    """Raw columns and technology matrix of the same n records.

    table: the raw columns, n rows, strings and float64, nulls allowed; names and kinds in ``columns``.
    technologies: CSR n x m, int8; its m ``names``; ``known``: bool[n], False where the technologies are unknown.
    training_records: categories and missing marks are learned from the first so many records.
    """

    table: pa.Table
    columns: tuple[Column, ...]
    technologies: sp.csr_matrix
    names: tuple[str, ...]
    known: np.ndarray
    training_records: int
    batch_records: int = 1000


@dataclass(frozen=True)
class FeaturesAnswer:
    """The final matrix: CSR n x p, float32, canonical, without explicit zeros; and its p column names."""

    matrix: sp.csr_matrix
    columns: tuple[str, ...]


class Features(Stage[FeaturesProblem, FeaturesAnswer, FeaturesAnswer]):
    """Technology matrix and firmographics to the final matrix."""

    name = "features"
    order = 20
    summary = "technology matrix and raw columns to the final float32 matrix"
    error_measure = "entries and column names that differ"
    tolerance = 0.0

    def problem(self, workload: "Workload") -> FeaturesProblem:
        """The dataset's raw columns and its technology matrix."""
        technologies = workload.technologies()
        return FeaturesProblem(
            table=workload.raw_columns(),
            columns=workload.records.columns,
            technologies=technologies.matrix,
            names=technologies.names,
            known=technologies.known,
            training_records=workload.records.training_records,
            batch_records=int(workload.parameters["batch_records"]),
        )

    def prefix(self, problem: FeaturesProblem, records: int) -> FeaturesProblem:
        """The first records."""
        return replace(
            problem,
            table=problem.table.slice(0, records),
            technologies=problem.technologies[:records],
            known=problem.known[:records],
            training_records=min(records, problem.training_records),
        )

    def sizes(self, problem: FeaturesProblem) -> dict[str, int]:
        """Records, and raw columns."""
        return {"records": problem.table.num_rows, "columns": len(problem.columns)}

    def reference(self, problem: FeaturesProblem) -> FeaturesAnswer:
        """Column by column, each as a dense vector of the values that the definition above gives."""
        training = problem.training_records
        names: list[str] = list(problem.names)
        vectors: list[np.ndarray] = []
        if not problem.known[:training].all():
            names.append(UNKNOWN_TECHNOLOGIES)
            vectors.append(~problem.known)
        for column in problem.columns:
            values: Sequence = problem.table[column.name].to_pylist()
            null = np.array([value is None for value in values], bool)
            if column.kind == "categorical":
                for category in sorted({value for value in values[:training] if value is not None}):
                    names.append(category_column(column.name, category))
                    vectors.append(pc.equal(problem.table[column.name], category).fill_null(False).to_numpy())
            else:
                names.append(column.name)
                vectors.append(np.array([0.0 if value is None else value for value in values]))
            if null[:training].any():
                names.append(missing_column(column.name))
                vectors.append(null)
        dense = [sp.csc_matrix(vector.astype(np.float32)[:, None]) for vector in vectors]
        matrix = sp.hstack([problem.technologies.astype(np.float32), *dense], format="csr", dtype=np.float32)
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return FeaturesAnswer(matrix, tuple(names))

    def error(self, problem: FeaturesProblem, answer: FeaturesAnswer, reference: FeaturesAnswer) -> float:
        """Entries and names that differ; a stored zero differs from an entry that is not stored."""
        if answer.matrix.shape != reference.matrix.shape or len(answer.columns) != len(reference.columns):
            return float("inf")
        pairs = zip(answer.columns, reference.columns, strict=True)
        different = sum(ours != theirs for ours, theirs in pairs)
        different += (answer.matrix != reference.matrix).nnz
        return float(different + int((answer.matrix.data == 0).sum()))
