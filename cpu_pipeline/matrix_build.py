"""Matrix build on the CPU.

The ladder:

- ``naive``: for each technology, all records are parsed again.
- ``batched-sparse``: batches of records, technologies discovered on the way, sets and dictionaries, int8 CSR.
- ``pandas-get-dummies``: ``Series.str.get_dummies``, one dense column per technology.
- ``count-vectorizer``: ``CountVectorizer`` with the stage's analyzer.
- ``multi-label-binarizer``: ``MultiLabelBinarizer`` over sets of names.
- ``native``: items hashed where they lie in an Arrow column, by a compiled loop.
- ``native-parquet``: the same from a Parquet file of lists, whose dictionary alone is hashed.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import package
from ..pipeline.stages.matrix_build import LISTS, MatrixAnswer, MatrixProblem, csr_of_ones, row_pointers
from ..pipeline.technologies import NameOfItem, items, normalise
from .technology_matrix import arrow_column, build_from_arrow, build_from_parquet


def _known(cells: Sequence[str | None]) -> np.ndarray:
    return np.fromiter((cell is not None for cell in cells), bool, len(cells))


def in_vocabulary(matrix: sp.csr_matrix, names: Sequence[str], problem: MatrixProblem) -> MatrixAnswer:
    """Answer from a matrix over all names found: frequent ones kept, columns by code point, the rest counted."""
    frequency = matrix[: problem.training_records].getnnz(axis=0)
    kept = [j for j in sorted(range(len(names)), key=names.__getitem__) if frequency[j] >= problem.min_frequency]
    chosen = matrix[:, kept]
    chosen.sort_indices()
    return MatrixAnswer(
        matrix=chosen.astype(np.int8),
        names=tuple(names[j] for j in kept),
        known=_known(problem.cells),
        unseen=int(matrix.nnz - chosen.nnz),
    )


@variant(grows_with=("records", "technologies"))
def naive(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """For each technology, one pass over all records that parses every record's list again.

    The everyday code is ``for name in names: frame[name] = frame.cells.apply(lambda cell: name in parse(cell))``:
    one dense column per technology, each made by a Python function per record.
    """

    def run() -> MatrixAnswer:
        names = sorted({name for cell in problem.cells for name in items(cell, problem.delimiter)})
        columns = [
            np.array([name in items(cell, problem.delimiter) for cell in problem.cells], np.int8) for name in names
        ]
        dense = np.column_stack(columns) if columns else np.zeros((len(problem.cells), 0), np.int8)
        return in_vocabulary(sp.csr_matrix(dense), names, problem)

    return Prepared(run)


class _ColumnOfItem(dict[str, int]):
    """Columns by item, in order of discovery; -1 for an empty item. Each distinct item is normalised once."""

    def __init__(self) -> None:
        super().__init__()
        self.column: dict[str, int] = {}

    def __missing__(self, item: str) -> int:
        name = normalise(item)
        found = self[item] = self.column.setdefault(name, len(self.column)) if name else -1
        return found


@variant()
def batched_sparse(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """Batches of 1,000 records, technologies discovered on the way, sets and dictionaries, int8 CSR."""

    def run() -> MatrixAnswer:
        column_of_item = _ColumnOfItem()
        indices: list[np.ndarray] = []
        lengths: list[int] = []
        for start in range(0, len(problem.cells), problem.batch_records):
            batch: list[int] = []
            for cell in problem.cells[start : start + problem.batch_records]:
                row = {column_of_item[item] for item in cell.split(problem.delimiter)} if cell else set()
                row.discard(-1)
                batch.extend(row)
                lengths.append(len(row))
            indices.append(np.array(batch, np.int32))
        discovered = np.concatenate(indices) if indices else np.zeros(0, np.int32)
        matrix = csr_of_ones(discovered, row_pointers(lengths), len(column_of_item.column))
        return in_vocabulary(matrix, list(column_of_item.column), problem)

    return Prepared(run)


@variant(package("pandas"), grows_with=("records", "technologies"))
def pandas_get_dummies(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """``Series.str.get_dummies`` over cells of normalised items: every technology a dense column of int8."""
    import pandas as pd

    def run() -> MatrixAnswer:
        # Numbers stand for the names: a separator of pandas' is a regular expression, and no character is safe.
        number: dict[str, str] = {}
        cells = [
            "|".join(number.setdefault(name, str(len(number))) for name in items(cell, problem.delimiter))
            for cell in problem.cells
        ]
        # Not dtype=str: in pandas 3.1 an empty string of that dtype gets a 1 in the first column.
        dummies = pd.Series(cells, dtype=object).str.get_dummies(sep="|", dtype=np.int8)
        names = list(number)
        found = [names[int(column)] for column in dummies.columns]
        return in_vocabulary(sp.csr_matrix(dummies.to_numpy()), found, problem)

    return Prepared(run)


def _distinct_names(problem: MatrixProblem) -> list[set[str]]:
    """Per record, its names; what scikit-learn's transformers take."""
    name_of_item = NameOfItem()
    names_of = [{name_of_item[item] for item in (cell or "").split(problem.delimiter)} for cell in problem.cells]
    for names in names_of:
        names.discard("")
    return names_of


def _as_it_is(names: set[str]) -> set[str]:
    return names


@variant(package("sklearn", "scikit-learn"))
def count_vectorizer(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """``CountVectorizer(binary=True)`` with the stage's names as analyzer: its own tokenizer would lose ``C++``."""
    from sklearn.feature_extraction.text import CountVectorizer

    def run() -> MatrixAnswer:
        names_of = _distinct_names(problem)
        if not any(names_of):  # an empty vocabulary is an error to CountVectorizer
            return in_vocabulary(sp.csr_matrix((len(names_of), 0), dtype=np.int8), [], problem)
        vectorizer = CountVectorizer(analyzer=_as_it_is, binary=True, dtype=np.int8)
        matrix = vectorizer.fit_transform(names_of)
        return in_vocabulary(matrix, list(vectorizer.get_feature_names_out()), problem)

    return Prepared(run)


@variant(package("sklearn", "scikit-learn"))
def multi_label_binarizer(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """``MultiLabelBinarizer(sparse_output=True)`` over sets of names, split in Python."""
    from sklearn.preprocessing import MultiLabelBinarizer

    def run() -> MatrixAnswer:
        binarizer = MultiLabelBinarizer(sparse_output=True)
        matrix = binarizer.fit_transform(_distinct_names(problem))
        return in_vocabulary(sp.csr_matrix(matrix), list(binarizer.classes_), problem)

    return Prepared(run)


@variant(package("numba"))
def native(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """Items hashed where they lie in an Arrow column; compiled assembly, sorted and distinct per row."""

    def build(cells: Sequence[str | None]) -> MatrixAnswer:
        return build_from_arrow(arrow_column(cells), problem.delimiter, problem.training_records, problem.min_frequency)

    build(["a", None])  # compiles
    return Prepared(lambda: build(problem.cells))


@variant(package("numba"))
def native_parquet(problem: MatrixProblem) -> Prepared[MatrixAnswer]:
    """From the bytes of a Parquet file of dictionary-encoded lists, decoded in the run."""

    def build(file: pa.Buffer) -> MatrixAnswer:
        return build_from_parquet(file, LISTS, problem.delimiter, problem.training_records, problem.min_frequency)

    build(replace(problem, cells=["a", None]).lists_file())  # compiles
    file = problem.lists_file()
    return Prepared(lambda: build(file))
