"""The native technology matrix: Arrow columns and Parquet files to a CSR matrix, without an object per item.

A column is of strings, one delimited cell per record, or of lists of strings, whose items are names as they are,
whatever they hold; either may be dictionary-encoded. A null cell or list is *unknown*, a null within a list no item.
What names are is in `technobench.pipeline.technologies`.

- `build_from_arrow` and `build_from_parquet` find the vocabulary on the way.
- `TechnologyCounter` and then `TechnologyEncoder` do the same in two passes over chunks, for what exceeds memory.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..pipeline.errors import InputError
from ..pipeline.stages.matrix_build import MatrixAnswer
from ..pipeline.technologies import normalise
from .technology_items import ItemsOfThreads, TechnologyItems, chunks_of, offsets_of
from .technology_parquet import TechnologyFile
from .technology_parts import Part, PartsInOrder

_ROWS_FOR_A_THREAD = 1024
"""Fewer rows than this are not worth starting a thread for."""
_MOST_ITEMS = 1 << 20
"""Distinct items that an encoder remembers beside as many as its names; beyond, it forgets and begins anew."""


def arrow_column(cells: Sequence[str | None]) -> pa.ChunkedArray:
    """Python strings as an Arrow column.

    Raises:
        InputError: a cell cannot be written as UTF-8 (it holds half of a surrogate pair).

    """
    try:
        column = pa.array(cells, pa.string())
    except UnicodeEncodeError as error:
        raise InputError(f"a technology cell is not valid text ({error}); decode its source correctly") from error
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def build_from_arrow(
    column: pa.Array | pa.ChunkedArray, delimiter: str, training_records: int, min_frequency: int = 1
) -> MatrixAnswer:
    """The technology matrix of a column.

    Args:
        column: strings or lists of strings, with offsets of 32 or 64 bits, plain or as dictionaries; null where the
            technologies are unknown.
        delimiter: what separates items in a string, of any length; lists do not use it.
        training_records: the vocabulary is learned from the first so many records.
        min_frequency: training records that must hold a name for it to enter the vocabulary.

    Raises:
        InputError: the column is of another type or not valid UTF-8, or the delimiter is empty.

    """
    from .kernels.threads import in_order

    separator, items = _bytes_of(delimiter), ItemsOfThreads()
    slices = _slices(chunks_of(column))
    starts = accumulate(map(len, slices), initial=0)

    def numbered(chunk: pa.Array, start: int) -> Part:
        with items.one() as own:
            return _counted(own, chunk, separator, training_records - start)

    parts = in_order(lambda part: numbered(*part), list(zip(slices, starts, strict=False)))
    return _answer(PartsInOrder(parts), items, min_frequency)


def build_from_parquet(
    source: Path | pa.Buffer, column: str, delimiter: str, training_records: int, min_frequency: int = 1
) -> MatrixAnswer:
    """The technology matrix of a column of a Parquet file.

    A thread reads a row group at a time, in pieces, so that beyond the answer little is in memory: of each row group
    that is being read, the items' numbers.

    Args:
        source: path, or the bytes of a file.
        column: its name; strings or lists of strings, the latter read as the numbers that Parquet stores.
        delimiter: as `build_from_arrow`.
        training_records: as `build_from_arrow`.
        min_frequency: as `build_from_arrow`.

    Raises:
        InputError: as `build_from_arrow`, or the file is missing, damaged, no Parquet file, or lacks the column.

    """
    from .kernels.threads import in_order

    separator, items, file = _bytes_of(delimiter), ItemsOfThreads(), TechnologyFile(source, column)
    starts = accumulate(file.group_rows, initial=0)

    def numbered(group: int, start: int) -> list[Part]:
        parts: list[Part] = []
        with items.one() as own:
            for chunk in chain.from_iterable(map(chunks_of, file.chunks(group))):
                parts.append(_counted(own, chunk, separator, training_records - start))
                start += len(chunk)
        return parts

    groups = in_order(lambda group: numbered(*group), list(zip(range(len(file.group_rows)), starts, strict=False)))
    return _answer(PartsInOrder(chain.from_iterable(groups)), items, min_frequency)


class TechnologyCounter:
    """Counts, chunk after chunk, in how many records each name is found. Several threads may add at once."""

    def __init__(self, delimiter: str) -> None:
        """Take what separates items in a string.

        Raises:
            InputError: it is empty.

        """
        self._separator, self._items = _bytes_of(delimiter), ItemsOfThreads()

    def add(self, chunk: pa.Array | pa.ChunkedArray) -> None:
        """Count a chunk of a column (see `build_from_arrow`), each of its records once.

        Raises:
            InputError: as `build_from_arrow`; some of the chunk's records may have been counted.

        """
        from .kernels.threads import on_threads

        on_threads(self._add, _slices(chunks_of(chunk)))

    def names(self, min_frequency: int = 1) -> tuple[str, ...]:
        """The names found in at least so many records, at least one, in order of code points."""
        names = self._items.names.all()
        return tuple(names[number] for number in _frequent(self._items, min_frequency))

    def _add(self, chunk: pa.Array) -> None:
        with self._items.one() as own:
            _counted(own, chunk, self._separator, len(chunk))


class TechnologyEncoder:
    """Records to rows over a fixed vocabulary: any number of chunks, or one at a time; several threads may encode.

    Items met before cost one look-up in a compiled table, which is kept from chunk to chunk, and nothing in Python.
    """

    def __init__(self, names: Sequence[str], delimiter: str) -> None:
        """Take the names of the columns, in their order, and what separates items in a string.

        Raises:
            InputError: two names are the same, one is not as `normalise` writes it, or the delimiter is empty.

        """
        self.names = tuple(names)
        self._delimiter, self._separator = delimiter, _bytes_of(delimiter)
        self._items = ItemsOfThreads(self.names, len(self.names) + _MOST_ITEMS)
        self._columns = _ColumnOfItem(self.names)

    def encode(self, chunk: pa.Array | pa.ChunkedArray) -> MatrixAnswer:
        """The rows of a chunk of a column (see `build_from_arrow`) over the vocabulary.

        Raises:
            InputError: as `build_from_arrow`.

        """
        from .kernels.threads import in_order

        return PartsInOrder(in_order(self._numbered, _slices(chunks_of(chunk)))).answer(self.names, None)

    def columns_of(self, cell: str | None) -> np.ndarray:
        """int32 columns of one record's delimited cell, sorted and distinct; none where it is unknown."""
        found = {self._columns[item] for item in cell.split(self._delimiter)} if cell else set()
        found.discard(-1)
        return np.array(sorted(found), np.int32)

    def _numbered(self, chunk: pa.Array) -> Part:
        with self._items.one() as own:
            return Part(own.number(chunk, self._separator), own.name_of_item)


class _ColumnOfItem(dict[str, int]):
    """Columns by item, each normalised once; -1 where an item is no name of the vocabulary."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self._column = {name: column for column, name in enumerate(names)}
        if len(self._column) < len(names):
            raise InputError(f"the vocabulary holds {len(names) - len(self._column)} names twice; name each once")
        for name in names:
            if normalise(name) != name or not name:
                raise InputError(f"the vocabulary's name {name!r} is compared as {normalise(name)!r}; write it so")

    def __missing__(self, item: str) -> int:
        if len(self) >= len(self._column) + _MOST_ITEMS:
            self.clear()
        found = self[item] = self._column.get(normalise(item), -1)
        return found


def _bytes_of(delimiter: str) -> np.ndarray:
    if not delimiter:
        raise InputError("the delimiter is empty; name the text that separates technologies in a cell")
    return np.frombuffer(delimiter.encode(), np.uint8)


def _counted(items: TechnologyItems, chunk: pa.Array, separator: np.ndarray, records: int) -> Part:
    """The chunk's rows, numbered; the names of the first ``records`` of them are counted."""
    rows = items.number(chunk, separator)
    items.count(rows, records)
    return Part(rows, items.name_of_item)


def _frequent(items: ItemsOfThreads, min_frequency: int) -> list[int]:
    """Numbers of the names found in at least so many records, at least one, in order of the names' code points."""
    frequent = np.flatnonzero(items.frequency() >= max(1, min_frequency)).tolist()
    return sorted(frequent, key=items.names.all().__getitem__)


def _answer(parts: PartsInOrder, items: ItemsOfThreads, min_frequency: int) -> MatrixAnswer:
    """The matrix over the frequent names. The others come after them as columns, to be counted and left out."""
    frequent, names = _frequent(items, min_frequency), items.names.all()
    column_of_name = np.full(len(names), -1, np.int32)
    column_of_name[frequent] = np.arange(len(frequent))
    column_of_name[column_of_name < 0] = np.arange(len(frequent), len(names))
    return parts.answer(tuple(names[number] for number in frequent), column_of_name)


def _slices(chunks: list[pa.Array]) -> list[pa.Array]:
    """The chunks cut into slices of about as much content, one for each thread (at least one for each chunk)."""
    rows = sum(map(len, chunks))
    return list(chain.from_iterable(_cut(chunk, rows) for chunk in chunks))


def _cut(chunk: pa.Array, rows: int) -> Iterator[pa.Array]:
    """A chunk of a column of ``rows`` rows, cut for its share of the threads."""
    from .kernels.threads import thread_count

    share = max(1, min(thread_count(), rows // _ROWS_FOR_A_THREAD))
    offsets = offsets_of(chunk)
    parts = max(1, round(share * len(chunk) / rows))
    targets = np.linspace(float(offsets[0]), float(offsets[-1]), parts + 1)[1:-1]
    ends = [0, *np.searchsorted(offsets, targets).tolist(), len(chunk)]
    return (chunk[start:end] for start, end in pairwise(ends) if end > start)
