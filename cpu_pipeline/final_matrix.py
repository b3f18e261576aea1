"""The native final matrix: learned and filled in one pass over Arrow columns, straight into one CSR matrix."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

from ..pipeline.stages.features import (
    UNKNOWN_TECHNOLOGIES,
    FeaturesAnswer,
    FeaturesProblem,
    category_column,
    missing_column,
)
from ..pipeline.stages.matrix_build import row_pointers

_ROWS_FOR_A_THREAD = 1024
"""Fewer rows than this are not worth starting a thread for."""
_NO_COLUMN = -1
_Sources = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _RawColumn:
    """A raw column, ready to be read by a compiled loop.

    values: int32 codes of ``categories``, or float64 numbers; what is null holds anything.
    null: bool[rows], or None where nothing is null.
    categories: distinct values in the order of their codes; None for numbers.
    """

    values: np.ndarray
    null: np.ndarray | None
    categories: list[str] | None

    @classmethod
    def of(cls, column: pa.ChunkedArray, kind: str) -> "_RawColumn":
        if kind == "categorical":
            coded = pc.dictionary_encode(column).combine_chunks()
            return cls(_stored(coded.indices), _null(coded.indices), coded.dictionary.to_pylist())
        numbers = column.cast(pa.float64()).combine_chunks()
        return cls(_stored(numbers), _null(numbers), None)


def _stored(array: pa.Array) -> np.ndarray:
    """The numbers as they lie, with anything where they are null."""
    width = array.type.to_pandas_dtype()
    stored = array.buffers()[1]
    whole = np.zeros(0, width) if stored is None else np.frombuffer(stored, width)
    return whole[array.offset : array.offset + len(array)]


def _null(array: pa.Array) -> np.ndarray | None:
    return array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None


@dataclass
class _Plan:
    """What `count_entries` takes for each source of final columns, in the order of the final columns.

    names: final columns so far. alive: keeps what the addresses point to.
    """

    names: list[str]
    kinds: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    nulls: list[int] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    column_of_code: list[np.ndarray] = field(default_factory=lambda: [np.zeros(0, np.int32)])
    alive: list[np.ndarray] = field(default_factory=list)

    def add(self, kind: int, values: np.ndarray, null: np.ndarray | None, mark_name: str | None, target: int) -> None:
        """A source; ``mark_name`` is the final column that marks its nulls, if there is one."""
        self.kinds.append(kind)
        self.values.append(values.ctypes.data)
        self.nulls.append(0 if null is None else null.ctypes.data)
        self.marks.append(_NO_COLUMN if mark_name is None else len(self.names))
        self.targets.append(target)
        self.alive += [values] if null is None else [values, null]
        if mark_name is not None:
            self.names.append(mark_name)

    def codes(self, name: str, raw: _RawColumn, training: int) -> int:
        """Final columns of the categories found in training; returns where they are in ``column_of_code``."""
        assert raw.categories is not None
        trained = np.zeros(len(raw.categories), bool)
        codes = raw.values[:training]
        trained[codes if raw.null is None else codes[~raw.null[:training]]] = True
        ordered = sorted(np.flatnonzero(trained).tolist(), key=raw.categories.__getitem__)
        columns = np.full(len(raw.categories), _NO_COLUMN, np.int32)
        columns[ordered] = len(self.names) + np.arange(len(ordered))
        self.names += [category_column(name, raw.categories[code]) for code in ordered]
        start = sum(map(len, self.column_of_code))
        self.column_of_code.append(columns)
        return start

    def sources(self) -> _Sources:
        """The arguments ``kinds`` to ``column_of_code``."""
        kinds, values, nulls, marks, targets = np.array(
            [self.kinds, self.values, self.nulls, self.marks, self.targets], np.int64
        )
        return kinds, values, nulls, marks, targets, np.concatenate(self.column_of_code)


def _plan(problem: FeaturesProblem) -> _Plan:
    """Final columns and where each comes from, learned from the training records."""
    from .kernels.feature_rows import CATEGORICAL, MARK, NUMERIC
    from .kernels.threads import on_threads

    training = problem.training_records
    plan = _Plan(list(problem.names))
    unknown = ~np.asarray(problem.known)
    if unknown[:training].any():
        plan.add(MARK, unknown, unknown, UNKNOWN_TECHNOLOGIES, _NO_COLUMN)
    columns = on_threads(lambda column: _RawColumn.of(problem.table[column.name], column.kind), problem.columns)
    for column, raw in zip(problem.columns, columns, strict=True):
        marked = raw.null is not None and raw.null[:training].any()
        mark_name = missing_column(column.name) if marked else None
        if raw.categories is not None:
            target = plan.codes(column.name, raw, training)
            plan.add(CATEGORICAL, raw.values, raw.null, mark_name, target)
        else:
            plan.names.append(column.name)
            plan.add(NUMERIC, raw.values, raw.null, mark_name, len(plan.names) - 1)
    return plan


def build(problem: FeaturesProblem) -> FeaturesAnswer:
    """The final matrix, as `technobench.pipeline.stages.features` defines it."""
    from .kernels.feature_rows import count_entries, fill_entries
    from .kernels.threads import on_threads, row_slices, thread_count

    plan = _plan(problem)
    sources = plan.sources()
    technologies = problem.technologies
    rows = technologies.shape[0]
    parts = row_slices(rows, max(1, min(thread_count(), rows // _ROWS_FOR_A_THREAD)))
    counts = np.diff(technologies.indptr).astype(np.int64)
    on_threads(lambda part: count_entries(part.start, part.stop, *sources, counts), parts)
    starts = row_pointers(counts)
    width = np.int32 if max(starts[-1], len(plan.names)) <= np.iinfo(np.int32).max else np.int64
    indices, data = np.empty(starts[-1], width), np.empty(starts[-1], np.float32)
    technology_arrays = technologies.indptr, technologies.indices, technologies.data

    def fill(part: slice) -> None:
        fill_entries(part.start, part.stop, *sources, *technology_arrays, starts, indices, data)

    on_threads(fill, parts)
    matrix = sp.csr_matrix((data, indices, starts), shape=(rows, len(plan.names)))
    return FeaturesAnswer(matrix, tuple(plan.names))
