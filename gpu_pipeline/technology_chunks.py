"""The technology matrix from chunks of cells, each small enough for a column of cuDF and for the device's memory.

A chunk's distinct pairs (record, name) are found on the device, with names and numbers of its own. The vocabulary is
learned from the names of all chunks; then each chunk's pairs become its rows. A single chunk stays on the device;
the pairs and the rows of several wait on the host for each other.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..pipeline.errors import DeviceError
from ..pipeline.final_columns import NO_COLUMN
from ..pipeline.technologies import normalise
from .device_memory import BLOCK, batches, left_to_cupy
from .evidence import Evidence
from .final_matrix import Technologies

MOST_OF_A_COLUMN = 2**31 - 1
"""Rows of a column of cuDF, leaves of a column of lists, and bytes of strings with offsets of 32 bits.

In newer releases more bytes take 64-bit offsets; there are still no more rows or leaves.
"""
_BYTES_OF_A_BYTE, _BYTES_OF_AN_ITEM, _BYTES_OF_A_CELL = 8, 256, 128
"""On paper, since cuDF does not tell: twice what has to live at a time.

Bytes of strings are those of the cells, of a copy without nulls, of the items and of the distinct ones. An item has in
cuDF its place, its offset, its place in a table of hashes and its code, 64 bytes, and in CuPy as much or less.
"""
_ARRAYS = 32
"""At once, at most: each may take a block more than its bytes."""


def strings_of(cells: Sequence[str | None]) -> pa.ChunkedArray:
    """Cells as a column of Arrow."""
    found = pa.array(cells, pa.string())
    return found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])


def chunks_of(cells: pa.ChunkedArray, delimiter: str, left: int) -> list[tuple[int, int]]:
    """First and end of each chunk of cells that fits into a column of cuDF, and with its matrix into ``left`` bytes.

    Raises:
        DeviceError: a cell fits neither by itself.

    """
    size = _counted(pc.binary_length(cells))
    items = 1 + _counted(pc.count_substring(cells, delimiter))
    # No cell has more items than bytes and one.
    if size.max(initial=0) >= MOST_OF_A_COLUMN:
        raise DeviceError(
            f"record {int(size.argmax())} has {size.max():,} bytes of technologies, of which a column of cuDF holds "
            f"{MOST_OF_A_COLUMN - 1:,}: use a variant on the CPU"
        )
    needed = size * _BYTES_OF_A_BYTE + items * _BYTES_OF_AN_ITEM + _BYTES_OF_A_CELL
    before, of_column = (np.append(0, np.cumsum(each)) for each in (needed, size + 1))
    return [
        (first + start, first + end)
        for first, last in batches(before, left - _ARRAYS * BLOCK)
        for start, end in batches(of_column[first : last + 1], MOST_OF_A_COLUMN)
    ]


def _counted(counts: pa.ChunkedArray) -> np.ndarray:
    """int64, 0 of a null."""
    return counts.fill_null(0).to_numpy().astype(np.int64)


def left_to_cudf_and_cupy(cupy: Any) -> int:
    """Bytes to plan with for both. What CuPy's pool holds free is given back, since cuDF cannot take it."""
    cupy.get_default_memory_pool().free_all_blocks()
    return left_to_cupy(cupy)


class _Chunk(NamedTuple):
    """Some records.

    pairs: int64, ascending, record * len(names) + name, on the device or waiting on the host.
    names: their own, by code point. frequency: int64[names], how many training records have each.
    """

    records: int
    pairs: Any
    names: list[str]
    frequency: np.ndarray


class Built(NamedTuple):
    """The matrix, on the device or, of several chunks, on the host; and how many pairs have an unseen name."""

    technologies: Technologies
    unseen: int


@dataclass(frozen=True)
class TechnologyMatrix:
    """How technologies are learned from cells, as `MatrixProblem` has it.

    cupy: the module, or `CountingCupy`. evidence: is shown where each chunk lies.
    """

    cupy: Any
    evidence: Evidence
    delimiter: str
    training_records: int
    min_frequency: int

    def build(self, split: Sequence[tuple[int, int]], strings: Callable[[int, int], Any]) -> Built:
        """The matrix of all records.

        Args:
            split: as `chunks_of` makes it.
            strings: a chunk's cells as a series of cuDF, by its first record and its end.

        """
        kept = _as_it_is if len(split) == 1 else self._on_host
        chunks = []
        for first, last in split:
            chunk = self._chunk(last - first, strings(first, last), self.training_records - first)
            chunks.append(chunk._replace(pairs=kept(chunk.pairs)))
            del chunk  # before the next one comes
        vocabulary = self._vocabulary(chunks)
        column = {name: position for position, name in enumerate(vocabulary)}
        rows = []
        for chunk in chunks:
            indptr, indices = self._rows(chunk, column)
            rows.append((kept(indptr), kept(indices)))
        indptr, indices = rows[0] if len(rows) == 1 else _joined(rows)
        pairs = sum(chunk.pairs.size for chunk in chunks)
        return Built(Technologies(indptr, indices, vocabulary), int(pairs - indices.size))

    def _on_host(self, array: Any) -> np.ndarray:
        """A copy there; what CuPy's pool then holds free is given back to cuDF."""
        copy = self.cupy.asnumpy(array)
        self.cupy.get_default_memory_pool().free_all_blocks()
        return copy

    def _chunk(self, records: int, strings: Any, training: int) -> _Chunk:
        """The pairs of a chunk, whose first records, as many as ``training``, are training records."""
        cupy = self.cupy
        lists = strings.fillna("").str.split(self.delimiter, regex=False)
        # cupy.repeat takes no array of repeats, so each item looks its record up among the ends of the lists.
        ends = cupy.cumsum(lists.list.len().to_cupy().astype(cupy.int64))
        self.evidence.see(ends)
        codes, distinct = lists.list.leaves.factorize()
        del lists
        column_of_code, names = _columns_of_items(distinct.to_arrow().to_pylist())
        if not names:
            return _Chunk(records, cupy.zeros(0, cupy.int64), names, np.zeros(0, np.int64))
        columns = cupy.asarray(column_of_code)[cupy.asarray(codes)]
        of_item = cupy.searchsorted(ends, cupy.arange(columns.size), side="right")
        found = columns >= 0
        pairs = cupy.unique(of_item[found] * len(names) + columns[found])
        learned = pairs[pairs < training * len(names)] % len(names)
        if not learned.size:  # before CuPy 14, none of them cannot be counted
            return _Chunk(records, pairs, names, np.zeros(len(names), np.int64))
        return _Chunk(records, pairs, names, cupy.asnumpy(cupy.bincount(learned, minlength=len(names))))

    def _vocabulary(self, chunks: Sequence[_Chunk]) -> tuple[str, ...]:
        """The names of enough training records, by code point."""
        frequency: Counter[str] = Counter()
        for chunk in chunks:
            frequency.update(dict(zip(chunk.names, chunk.frequency.tolist(), strict=True)))
        return tuple(sorted(name for name, count in frequency.items() if count >= max(1, self.min_frequency)))

    def _rows(self, chunk: _Chunk, column: dict[str, int]) -> tuple[Any, Any]:
        """Indptr int64[records + 1] and indices int32 of a chunk, on the device.

        Plain arrays and not a cupyx CSR, whose data cannot be int8.
        """
        cupy, width = self.cupy, max(1, len(chunk.names))
        pairs = cupy.asarray(chunk.pairs)
        # Names of the chunk and columns are in the same order, so that the columns of a row are in order, too.
        columns = np.array([column.get(name, NO_COLUMN) for name in chunk.names] or [NO_COLUMN], np.int32)
        moved = cupy.asarray(columns)[pairs % width]
        stays = moved >= 0
        records = pairs[stays] // width
        return cupy.searchsorted(records, cupy.arange(chunk.records + 1), side="left"), moved[stays]


def _as_it_is(array: Any) -> Any:
    return array


def _columns_of_items(items: list[str]) -> tuple[np.ndarray, list[str]]:
    """int64 column of each item, -1 for an empty one, and the names by code point; names, not items, are columns."""
    name_of_item = [normalise(item) for item in items]
    names = sorted(set(name_of_item) - {""})
    column = {name: position for position, name in enumerate(names)}
    return np.array([column.get(name, NO_COLUMN) for name in name_of_item], np.int64), names


def _joined(rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Indptr and indices of the rows of all chunks, on the host."""
    starts = np.append(0, np.cumsum([indices.size for _, indices in rows]))
    pointers = [indptr[1:] + start for (indptr, _), start in zip(rows, starts[:-1], strict=True)]
    return np.concatenate([np.zeros(1, np.int64), *pointers]), np.concatenate([indices for _, indices in rows])
