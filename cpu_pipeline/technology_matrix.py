"""The native technology matrix: Arrow columns of delimited cells to a CSR matrix, without an object per item."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from ..pipeline.errors import InputError
from ..pipeline.stages.matrix_build import MatrixAnswer, csr_of_ones, row_pointers
from ..pipeline.technologies import NameOfItem

_ROWS_FOR_A_THREAD = 1024
"""Fewer rows than this are not worth starting a thread for."""


@dataclass
class _Part:
    """Consecutive rows whose items are numbered by themselves.

    items: the distinct items, in the order of their numbers.
    tokens: int32, each row's items as they come. row_starts: int64[rows + 1], where each row begins in it.
    """

    known: np.ndarray
    items: Sequence[str]
    tokens: np.ndarray
    row_starts: np.ndarray


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
    """The technology matrix of a column of delimited cells; what names are is in `technobench.pipeline.technologies`.

    Args:
        column: string, large_string, or a dictionary of these; null where the technologies are unknown.
        delimiter: what separates items, of any length.
        training_records: the vocabulary is learned from the first so many cells.
        min_frequency: training records that must hold a name for it to enter the vocabulary.

    Raises:
        InputError: the column is not of strings, or the delimiter is empty.

    """
    from .kernels.threads import on_threads

    if not delimiter:
        raise InputError("the delimiter is empty; name the text that separates technologies in a cell")
    separator = np.frombuffer(delimiter.encode(), np.uint8)
    parts = on_threads(lambda cells: _numbered(cells, separator), _slices(_chunks_of_strings(column)))
    name_of_item = NameOfItem()
    number_of_name: dict[str, int] = {"": -1}
    names_of_items = [_name_numbers(part.items, name_of_item, number_of_name) for part in parts]
    del number_of_name[""]
    frequency = _frequency(parts, names_of_items, len(number_of_name), training_records)
    names, column_of_name = _vocabulary(list(number_of_name), frequency, max(1, min_frequency))
    sort = _row_sorter(len(names), column_of_name)
    done = on_threads(sort, list(zip(parts, names_of_items, strict=True)))
    lengths = np.concatenate([np.zeros(0, np.int64), *(lengths for _, lengths, _ in done)])
    return MatrixAnswer(
        matrix=csr_of_ones(_joined([indices for indices, _, _ in done]), row_pointers(lengths), len(names)),
        names=names,
        known=np.concatenate([np.zeros(0, bool), *(part.known for part in parts)]),
        unseen=sum(unseen for _, _, unseen in done),
    )


def _joined(indices: list[np.ndarray]) -> np.ndarray:
    return indices[0] if len(indices) == 1 else np.concatenate([np.zeros(0, np.int32), *indices])


def _chunks_of_strings(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    """The chunks that are not empty, as string or large_string arrays."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    plain = [chunk.dictionary_decode() if isinstance(chunk, pa.DictionaryArray) else chunk for chunk in chunks]
    for chunk in plain:
        if not (pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type)):
            raise InputError(f"the technology column holds {chunk.type}, not strings; cast it to string")
    return [chunk for chunk in plain if len(chunk)]


def _offsets(cells: pa.Array) -> np.ndarray:
    """int32 or int64[n + 1]: where each cell begins in the array's bytes."""
    width = np.int32 if pa.types.is_string(cells.type) else np.int64
    return np.frombuffer(cells.buffers()[1], width)[cells.offset : cells.offset + len(cells) + 1]


def _slices(chunks: list[pa.Array]) -> list[pa.Array]:
    """The chunks cut into slices of about as many bytes, one for each thread (at least one for each chunk)."""
    from .kernels.threads import thread_count

    rows = sum(map(len, chunks))
    share = max(1, min(thread_count(), rows // _ROWS_FOR_A_THREAD))
    slices = []
    for chunk in chunks:
        parts = max(1, round(share * len(chunk) / rows))
        offsets = _offsets(chunk)
        targets = np.linspace(float(offsets[0]), float(offsets[-1]), parts + 1)[1:-1]
        ends = [0, *np.searchsorted(offsets, targets).tolist(), len(chunk)]
        slices += [chunk[start:end] for start, end in pairwise(ends) if end > start]
    return slices


def _numbered(cells: pa.Array, delimiter: np.ndarray) -> _Part:
    from .kernels.delimited import number_items

    known = np.ones(len(cells), bool) if not cells.null_count else cells.is_valid().to_numpy(zero_copy_only=False)
    stored = cells.buffers()[2]
    content = np.frombuffer(b"" if stored is None else stored, np.uint8)
    content.flags.writeable = False  # one type for the compiled loop, whoever owns the buffer
    tokens, row_starts, starts, lengths = number_items(content, _offsets(cells), known, delimiter)
    whole = content.data
    items = [
        str(whole[start : start + length], "utf-8")
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]
    return _Part(known, items, tokens, row_starts)


def _name_numbers(items: Sequence[str], name_of_item: NameOfItem, number_of_name: dict[str, int]) -> np.ndarray:
    """int32[items]: numbers of the items' names, counted from 0 as they are found; -1 where there is no name."""
    numbers = (number_of_name.setdefault(name_of_item[item], len(number_of_name) - 1) for item in items)
    return np.fromiter(numbers, np.int32, len(items))


def _frequency(parts: list[_Part], names_of_items: list[np.ndarray], names: int, training_records: int) -> np.ndarray:
    """int64[names]: training records that hold each name."""
    from .kernels.delimited import count_records

    frequency = np.zeros(names, np.int64)
    for part, name_of_item in zip(parts, names_of_items, strict=True):
        rows = max(0, min(len(part.known), training_records))
        count_records(part.tokens, part.row_starts, rows, name_of_item, frequency)
        training_records -= rows
    return frequency


def _vocabulary(found: list[str], frequency: np.ndarray, min_frequency: int) -> tuple[tuple[str, ...], np.ndarray]:
    """Names in order of code points, and int32[found + 1], each found name's column; unseen names come after them.

    The last entry is -1, for items without a name.
    """
    kept = sorted(np.flatnonzero(frequency >= min_frequency).tolist(), key=found.__getitem__)
    column_of_name = np.full(len(found) + 1, -1, np.int32)
    column_of_name[kept] = np.arange(len(kept))
    unseen = np.flatnonzero(frequency < min_frequency)
    column_of_name[unseen] = len(kept) + np.arange(len(unseen))
    return tuple(found[name] for name in kept), column_of_name


def _row_sorter(
    columns: int, column_of_name: np.ndarray
) -> Callable[[tuple[_Part, np.ndarray]], tuple[np.ndarray, np.ndarray, int]]:
    """A function from a part to its column indices, its row lengths and its count of unseen names."""
    from .kernels.delimited import sort_rows

    def sort(numbered: tuple[_Part, np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
        part, name_of_item = numbered
        lengths = np.empty(len(part.known), np.int64)
        kept, unseen = sort_rows(part.tokens, part.row_starts, column_of_name[name_of_item], columns, lengths)
        return part.tokens[:kept], lengths, unseen

    return sort
