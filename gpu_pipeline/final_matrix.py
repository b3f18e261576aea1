"""The final matrix by array algebra, without a loop over records: by CuPy on the device, by NumPy on the host.

A record has at most one entry from each raw column: its number, its category, or the mark of a null. So the entries
from all raw columns are a dense table of records x raw columns, and those that are there find their places between
those of the technologies by counting.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..pipeline.final_columns import NO_COLUMN, FinalColumns, Source
from ..pipeline.raw_columns import RawColumn
from .device_rows import DeviceRows

_ALL_BUT_THE_SIGN = 0x7FFFFFFF


class Technologies(NamedTuple):
    """A CSR of ones where the array module has it: indptr int[n + 1], indices int[nnz]; the names of its columns."""

    indptr: Any
    indices: Any
    names: tuple[str, ...]

    def moved(self, arrays: Any, columns: np.ndarray) -> tuple[Any, Any]:
        """Indptr and indices with each name's column as in ``columns``, int32[names] on the host; left out where -1."""
        moved = arrays.asarray(columns)[self.indices]
        kept = moved >= 0
        return _before(arrays, kept)[self.indptr], moved[kept]


def final_rows(
    arrays: Any, final: FinalColumns, raw: Sequence[RawColumn], technologies: Technologies, known: np.ndarray
) -> DeviceRows:
    """The rows of n records, without explicit zeros, sorted where the columns are as learned.

    Args:
        arrays: the module `cupy`, or `numpy`.
        final: the columns.
        raw: the records' raw columns on the host, in the order of ``final.columns``.
        technologies: those of the records; what has no final column is left out.
        known: bool[n] on the host, False where the technologies are unknown.

    """
    parts = [_mark(arrays, known, final.unknown)]
    parts += [_entries(arrays, source, values) for source, values in zip(final.sources, raw, strict=True)]
    columns = arrays.stack([column for column, _ in parts], axis=1)
    values = arrays.stack([value for _, value in parts], axis=1)
    # Not a comparison of floats: CuPy compiles them to take the smallest numbers for 0.
    filled = (columns >= 0) & ((values.view(arrays.int32) & _ALL_BUT_THE_SIGN) != 0)
    others_before = _before(arrays, filled.sum(axis=1))
    others_row, _ = arrays.nonzero(filled)

    indptr, technology_columns = technologies.moved(arrays, final.columns_of(technologies.names))
    numbers = arrays.arange(technology_columns.size)
    places = numbers + others_before[arrays.searchsorted(indptr[1:], numbers, side="right")]
    others_places = arrays.arange(others_row.size) + indptr[others_row + 1]
    indices = arrays.empty(places.size + others_places.size, arrays.int32)
    data = arrays.ones(indices.size, arrays.float32)
    indices[places] = technology_columns
    indices[others_places], data[others_places] = columns[filled], values[filled]
    return DeviceRows(indptr + others_before, indices, data)


def _before(arrays: Any, counts: Any) -> Any:
    """int64[n + 1]: the sums of the first 0, 1, ..., n counts."""
    return arrays.concatenate([arrays.zeros(1, arrays.int64), arrays.cumsum(counts, dtype=arrays.int64)])


def _mark(arrays: Any, known: np.ndarray, column: int) -> tuple[Any, Any]:
    """Where the technologies are unknown, a 1 in their column."""
    columns = arrays.where(arrays.asarray(known), NO_COLUMN, column).astype(arrays.int32)
    return columns, arrays.ones(len(known), arrays.float32)


def _entries(arrays: Any, source: Source, raw: RawColumn) -> tuple[Any, Any]:
    """int32[n], float32[n]: the column that each record fills, -1 for none, and the value."""
    null = None if raw.null is None else arrays.asarray(raw.null)
    if raw.categories is not None:
        column_of_code = [source.categories.get(value, NO_COLUMN) for value in raw.categories]
        codes = arrays.asarray(raw.values)
        if null is not None:  # one code more
            codes = arrays.where(null, len(column_of_code), codes)
        columns = arrays.asarray(np.array([*column_of_code, source.missing], np.int32))[codes]
        return columns, arrays.ones(len(raw.values), arrays.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # what is null holds anything
        values = arrays.asarray(raw.values.astype(np.float32))
    columns = arrays.full(len(raw.values), source.number, arrays.int32)
    if null is not None:
        columns = arrays.where(null, source.missing, columns).astype(arrays.int32)
        values = arrays.where(null, 1, values).astype(arrays.float32)
    return columns, values
