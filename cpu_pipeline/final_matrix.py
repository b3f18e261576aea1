"""The native final matrix: rows filled straight into one CSR matrix, chunk by chunk if need be."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from ..pipeline.final_columns import NO_COLUMN, FinalColumns, Source
from ..pipeline.raw_columns import RawColumn
from ..pipeline.stages.matrix_build import row_pointers

_ROWS_FOR_A_THREAD = 1024
"""Fewer rows than this are not worth starting a thread for."""
_Sources = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def final_rows(
    final: FinalColumns, raw: Sequence[RawColumn], technologies: sp.csr_matrix, known: np.ndarray
) -> sp.csr_matrix:
    """The rows of some records: CSR float32[n, p] without explicit zeros, sorted where the columns are as learned.

    Args:
        final: the p columns.
        raw: their raw columns, in the order of ``final.columns``.
        technologies: CSR of ones, n x ``final.technologies``.
        known: bool[n], False where the technologies are unknown.

    """
    from .kernels.feature_rows import count_entries, fill_entries
    from .kernels.threads import on_threads, row_slices, thread_count

    filled = _Filled()
    unknown = ~np.asarray(known)
    filled.add_mark(unknown, final.unknown)
    for source, values in zip(final.sources, raw, strict=True):
        filled.add(source, values)
    sources = filled.sources()
    rows = technologies.shape[0]
    parts = row_slices(rows, max(1, min(thread_count(), rows // _ROWS_FOR_A_THREAD)))
    counts = np.diff(technologies.indptr).astype(np.int64)
    on_threads(lambda part: count_entries(part.start, part.stop, *sources, counts), parts)
    starts = row_pointers(counts)
    width = np.int32 if max(starts[-1], len(final.names)) <= np.iinfo(np.int32).max else np.int64
    indices, data = np.empty(starts[-1], width), np.empty(starts[-1], np.float32)
    placed = technologies.indptr, technologies.indices, final.technology_columns

    def fill(part: slice) -> None:
        fill_entries(part.start, part.stop, *sources, *placed, starts, indices, data)

    on_threads(fill, parts)
    return sp.csr_matrix((data, indices, starts), shape=(rows, len(final.names)))


@dataclass
class _Filled:
    """What `count_entries` takes for each source of final columns; ``alive`` keeps what the addresses point to."""

    kinds: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    nulls: list[int] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    column_of_code: list[int] = field(default_factory=list)
    alive: list[np.ndarray] = field(default_factory=list)

    def add_mark(self, null: np.ndarray, mark: int) -> None:
        """A mark of nulls alone; nothing where ``mark`` is -1."""
        from .kernels.feature_rows import MARK

        if mark != NO_COLUMN:
            self._add(MARK, null, null, mark, NO_COLUMN)

    def add(self, source: Source, raw: RawColumn) -> None:
        """A raw column."""
        from .kernels.feature_rows import CATEGORICAL, NUMERIC

        if raw.categories is not None:
            self._add(CATEGORICAL, raw.values, raw.null, source.missing, len(self.column_of_code))
            self.column_of_code += [source.categories.get(value, NO_COLUMN) for value in raw.categories]
        else:
            self._add(NUMERIC, raw.values, raw.null, source.missing, source.number)

    def _add(self, kind: int, values: np.ndarray, null: np.ndarray | None, mark: int, target: int) -> None:
        self.kinds.append(kind)
        self.values.append(values.ctypes.data)
        self.nulls.append(0 if null is None else null.ctypes.data)
        self.marks.append(mark)
        self.targets.append(target)
        self.alive += [values] if null is None else [values, null]

    def sources(self) -> _Sources:
        """The arguments ``kinds`` to ``column_of_code``."""
        kinds, values, nulls, marks, targets = np.array(
            [self.kinds, self.values, self.nulls, self.marks, self.targets], np.int64
        ).reshape(5, -1)
        return kinds, values, nulls, marks, targets, np.array(self.column_of_code, np.int32)
