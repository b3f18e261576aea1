"""The final matrix by array algebra, without a loop over records: by CuPy on the device, by NumPy on the host.

A record has at most one entry from each raw column: its number, its category, or the mark of a null. So the entries
from all raw columns are a dense table of records x raw columns, and those that are there find their places between
those of the technologies by counting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..pipeline.final_columns import NO_COLUMN, FinalColumns, Source
from ..pipeline.raw_columns import RawColumn
from .device_memory import BLOCK
from .device_rows import DeviceRows

_ALL_BUT_THE_SIGN = 0x7FFFFFFF
_BYTES_OF_A_TECHNOLOGY, _BYTES_OF_A_VALUE = 56, 80
"""32 and 49 are our arrays that live at a time, 8 are those of rows that are still there from before; the rest is for
what CuPy takes within a call. That the technologies are unknown is a value, too, and what each record takes besides
counts as one more."""
_ARRAYS = 24
"""That live at a time, but for those of the raw columns."""


@dataclass(frozen=True)
class Technologies:
    """A CSR of ones, on the device or the host: indptr int64[n + 1], indices int32[nnz]; the names of its columns."""

    indptr: Any
    indices: Any
    names: tuple[str, ...]

    def __len__(self) -> int:
        return self.indptr.size - 1

    def part(self, first: int, last: int) -> "Technologies":
        """Those of some records, where they lie."""
        pointers = self.indptr[first : last + 1]
        start, end = int(pointers[0]), int(pointers[-1])
        return Technologies(pointers - start, self.indices[start:end], self.names)

    @property
    def on_host(self) -> bool:
        """Whether they lie there."""
        return isinstance(self.indices, np.ndarray)

    def to_host(self, cupy: Any) -> "Technologies":
        """From the device."""
        return Technologies(cupy.asnumpy(self.indptr), cupy.asnumpy(self.indices), self.names)

    def to_device(self, cupy: Any) -> "Technologies":
        """From the host, or as they are on the device."""
        return Technologies(cupy.asarray(self.indptr), cupy.asarray(self.indices), self.names)

    def moved(self, arrays: Any, columns: np.ndarray) -> tuple[Any, Any]:
        """Indptr and indices with each name's column as in ``columns``, int32[names] on the host; left out where -1."""
        moved = arrays.asarray(columns)[self.indices]
        kept = moved >= 0
        return _before(arrays, kept)[self.indptr], moved[kept]


def bytes_of_rows(records: Any, technologies: Any, raw_columns: int) -> Any:
    """What records with so many technologies take at most while their rows are made, int or int64 array as these are.

    The rows are in it, and a copy of the technologies.
    """
    return technologies * _BYTES_OF_A_TECHNOLOGY + records * ((2 + raw_columns) * _BYTES_OF_A_VALUE)


def fixed_bytes(raw_columns: int, names: int, records: int) -> int:
    """What it takes besides, for any number of them: look-ups of so many technologies and of a column's categories.

    records: of the whole matrix, which has no more categories of a column.
    """
    return 4 * (names + records + 1) + BLOCK * (_ARRAYS + 2 * raw_columns)


class FinalMatrix:
    """The final matrix of n records, made some rows at a time."""

    def __init__(
        self, arrays: Any, final: FinalColumns, raw: Sequence[RawColumn], names: Sequence[str], known: np.ndarray
    ) -> None:
        """Look up on the host what is the same for all rows.

        Args:
            arrays: the module `cupy`, or `numpy`.
            final: the columns.
            raw: the records' raw columns on the host, in the order of ``final.columns``.
            names: the technologies; what has no final column is left out.
            known: bool[n] on the host, False where the technologies are unknown.

        """
        self._arrays, self._known, self._unknown = arrays, known, final.unknown
        self._technology_columns = final.columns_of(names)
        self._filled = [_Filled.by(source, column) for source, column in zip(final.sources, raw, strict=True)]

    def rows(self, technologies: Technologies, first: int, last: int) -> DeviceRows:
        """Of records with these technologies, without explicit zeros, sorted where the columns are as learned."""
        arrays = self._arrays
        columns, values = self._others(first, last)
        # Not a comparison of floats: CuPy compiles them to take the smallest numbers for 0.
        filled = (columns >= 0) & ((values.view(arrays.int32) & _ALL_BUT_THE_SIGN) != 0)
        others_before = _before(arrays, filled.sum(axis=1))
        others_row, _ = arrays.nonzero(filled)

        indptr, technology_columns = technologies.moved(arrays, self._technology_columns)
        numbers = arrays.arange(technology_columns.size)
        places = numbers + others_before[arrays.searchsorted(indptr[1:], numbers, side="right")]
        others_places = arrays.arange(others_row.size) + indptr[others_row + 1]
        indices = arrays.empty(places.size + others_places.size, arrays.int32)
        data = arrays.ones(indices.size, arrays.float32)
        indices[places] = technology_columns
        indices[others_places], data[others_places] = columns[filled], values[filled]
        return DeviceRows(indptr + others_before, indices, data)

    def _others(self, first: int, last: int) -> tuple[Any, Any]:
        """int32 and float32 of [rows, 1 + raw columns]: the column that each of these fills, -1 for none; the value."""
        parts = [_mark(self._arrays, self._known[first:last], self._unknown)]
        parts += [filled.entries(self._arrays, first, last) for filled in self._filled]
        columns, values = (self._arrays.stack(each, axis=1) for each in zip(*parts, strict=True))
        return columns, values


def _before(arrays: Any, counts: Any) -> Any:
    """int64[n + 1]: the sums of the first 0, 1, ..., n counts."""
    return arrays.concatenate([arrays.zeros(1, arrays.int64), arrays.cumsum(counts, dtype=arrays.int64)])


def _mark(arrays: Any, known: np.ndarray, column: int) -> tuple[Any, Any]:
    """Where the technologies are unknown, a 1 in their column."""
    columns = arrays.where(arrays.asarray(known), NO_COLUMN, column).astype(arrays.int32)
    return columns, arrays.ones(len(known), arrays.float32)


class _Filled(NamedTuple):
    """A raw column and what it fills. column_of_code: int32[categories + 1], -1 for none, the last of a null."""

    source: Source
    raw: RawColumn
    column_of_code: np.ndarray | None

    @classmethod
    def by(cls, source: Source, raw: RawColumn) -> "_Filled":
        if raw.categories is None:
            return cls(source, raw, None)
        columns = [source.categories.get(value, NO_COLUMN) for value in raw.categories]
        return cls(source, raw, np.array([*columns, source.missing], np.int32))

    def entries(self, arrays: Any, first: int, last: int) -> tuple[Any, Any]:
        """int32[rows], float32[rows]: the column that each record fills, -1 for none, and the value."""
        stored, source = self.raw.values[first:last], self.source
        null = None if self.raw.null is None else arrays.asarray(self.raw.null[first:last])
        if self.column_of_code is not None:
            codes = arrays.asarray(stored)
            if null is not None:
                codes = arrays.where(null, len(self.column_of_code) - 1, codes)
            return arrays.asarray(self.column_of_code)[codes], arrays.ones(len(stored), arrays.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # what is null holds anything
            values = arrays.asarray(stored.astype(np.float32))
        columns = arrays.full(len(stored), source.number, arrays.int32)
        if null is not None:
            columns = arrays.where(null, source.missing, columns).astype(arrays.int32)
            values = arrays.where(null, 1, values).astype(arrays.float32)
        return columns, values
