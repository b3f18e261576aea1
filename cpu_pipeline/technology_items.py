"""Items of Arrow columns to numbers, and the names that items stand for: what every native matrix begins with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from threading import Lock
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..pipeline.errors import InputError
from ..pipeline.stages.matrix_build import row_pointers
from ..pipeline.technologies import normalise

_WHOLE = np.frombuffer(b"", np.uint8)
"""The delimiter of cells that are one item each."""
_NO_ITEM = 0
"""The number of the empty item, which is no name; a null within a list is as that."""
_NO_NAME = -1


class NumberedRows(NamedTuple):
    """Consecutive rows as items' numbers.

    known: bool[rows]. tokens: int32, each row's items as they come, repeated ones too. row_starts: int64[rows + 1],
    where each row begins in it.
    """

    known: np.ndarray
    tokens: np.ndarray
    row_starts: np.ndarray


class TechnologyNames:
    """The names that items stand for; each distinct item is made text and normalised once, whichever thread asks."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        """Take the names that are numbered first."""
        from .kernels.delimited import no_items

        self._number = {name: number for number, name in enumerate(names)}
        self._items, self._name_of_item = no_items(), np.zeros(0, np.int32)
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._number)

    @property
    def items(self) -> int:
        """How many distinct items these are the names of."""
        return len(self._name_of_item)

    def all(self) -> list[str]:
        """The names, in the order of their numbers."""
        return list(self._number)

    def of(self, text: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """int32[items]: numbers of items' names, -1 where an item is no name; item k is text[ends[k] : ends[k + 1]]."""
        from .kernels.delimited import number_items

        with self._lock:
            known = np.ones(len(ends) - 1, bool)
            numbers, _, self._items = number_items(text, ends, known, _WHOLE, self._items)
            self._learn()
            return self._name_of_item[numbers]

    def _learn(self) -> None:
        before, count = len(self._name_of_item), int(self._items.size[0])
        if before == count:
            return
        ends = self._items.ends[before : count + 1]
        text, places = self._items.text[ends[0] : ends[-1]].tobytes(), (ends - ends[0]).tolist()
        number = self._number
        names = [normalise(text[start:end].decode()) for start, end in pairwise(places)]
        found = [number.setdefault(name, len(number)) if name else _NO_NAME for name in names]
        self._name_of_item = np.append(self._name_of_item, np.array(found, np.int32))


class TechnologyItems:
    """The distinct items that one thread has found.

    names: of the items.
    name_of_item: int32[items], numbers of the items' names; -1 where an item is no name.
    frequency: int64, in how many of the records counted so far each name is; names found later have no entry yet.
    """

    def __init__(self, names: TechnologyNames) -> None:
        from .kernels.delimited import no_items

        self.names = names
        self.name_of_item = np.zeros(0, np.int32)
        self.frequency = np.zeros(0, np.int64)
        self._items = no_items()
        self._numbers(pa.array([""]), _WHOLE)  # becomes _NO_ITEM

    def number(self, chunk: pa.Array, delimiter: np.ndarray) -> NumberedRows:
        """Number the items of one of `chunks_of`; ``delimiter`` is uint8, its bytes.

        Raises:
            InputError: the chunk is not valid UTF-8.

        """
        try:
            chunk.validate(full=True)
        except pa.ArrowInvalid as error:
            raise InputError(f"the technologies are not valid text ({error}); decode their source correctly") from error
        known = _valid(chunk)
        if _is_text(chunk.type):
            return NumberedRows(known, *self._numbers(chunk, delimiter))
        lengths = pc.fill_null(pc.list_value_length(chunk), 0).to_numpy(zero_copy_only=False)
        return NumberedRows(known, self._list_items(chunk.flatten()), row_pointers(lengths))

    def count(self, rows: NumberedRows, records: int) -> None:
        """Count the names of the first ``records`` rows, numbered by these items."""
        from .kernels.technology_rows import count_records

        self.frequency = _with_entries(self.frequency, len(self.names))
        records = max(0, min(records, len(rows.known)))
        count_records(rows.tokens, rows.row_starts, records, self.name_of_item, self.frequency)

    def _list_items(self, values: pa.Array) -> np.ndarray:
        if not isinstance(values, pa.DictionaryArray):
            return self._numbers(values, _WHOLE)[0]
        codes = values.indices
        if codes.null_count:  # a code beyond the dictionary, for what is null
            codes = pc.fill_null(codes.cast(pa.int64()), len(values.dictionary))
        numbers = np.append(self._numbers(values.dictionary, _WHOLE)[0], np.int32(_NO_ITEM))
        return numbers[codes.to_numpy()]

    def _numbers(self, cells: pa.Array, delimiter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from .kernels.delimited import number_items

        content = cells.buffers()[2]
        data = np.frombuffer(b"" if content is None else content, np.uint8)
        data.flags.writeable = False  # one type for the compiled loop, whoever owns the buffer
        offsets = offsets_of(cells).astype(np.int64)
        tokens, row_starts, self._items = number_items(data, offsets, _valid(cells), delimiter, self._items)
        before, count = len(self.name_of_item), int(self._items.size[0])
        if before < count:
            text = self._items.text.view()
            text.flags.writeable = False
            found = self.names.of(text, self._items.ends[before : count + 1])
            self.name_of_item = np.append(self.name_of_item, found)
        return tokens, row_starts


class ItemsOfThreads:
    """`TechnologyItems` for any number of threads: as many as have ever worked at once, each with what it has found."""

    def __init__(self, names: Sequence[str] = (), most_items: int | None = None) -> None:
        """Take the names that are numbered first, and beyond how many items all that was found is forgotten."""
        self._first_names, self._most_items = names, most_items
        self._forget()

    def _forget(self) -> None:
        self.names = TechnologyNames(self._first_names)
        self._idle: list[TechnologyItems] = []
        self._all: list[TechnologyItems] = []

    @contextmanager
    def one(self) -> Iterator[TechnologyItems]:
        """Items that no other thread has until the block ends."""
        idle, names = self._idle, self.names
        try:
            items = idle.pop()
        except IndexError:
            items = TechnologyItems(names)
            self._all.append(items)
        try:
            yield items
        finally:
            idle.append(items)
            if self._most_items is not None and names.items > self._most_items and names is self.names:
                self._forget()

    def frequency(self) -> np.ndarray:
        """int64[names]: in how many of the records counted so far each name is."""
        return np.sum([_with_entries(items.frequency, len(self.names)) for items in self._all], axis=0, dtype=np.int64)


def _with_entries(counts: np.ndarray, length: int) -> np.ndarray:
    """The counts, and zeros up to so many."""
    return np.pad(counts, (0, length - len(counts)))


def chunks_of(column: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    """The column's chunks that are not empty: strings or lists, both with offsets of 32 or 64 bits.

    Raises:
        InputError: the column is neither of strings nor of lists of strings.

    """
    check_type(column.type, "the technology column")
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return [_plain(chunk) for chunk in chunks if len(chunk)]


def check_type(kind: pa.DataType, column: str) -> None:
    """Refuse a column that holds neither strings nor lists of strings.

    Raises:
        InputError: it is so; ``column`` says which.

    """
    text = kind.value_type if _is_list(kind) else kind
    text = text.value_type if pa.types.is_dictionary(text) else text
    if not (_is_text(text) or pa.types.is_null(text)):
        raise InputError(f"{column} holds {kind}, not strings or lists of strings; cast it to one of them")


def _plain(chunk: pa.Array) -> pa.Array:
    kind = chunk.type
    if isinstance(chunk, pa.DictionaryArray):
        # The cells together may take more bytes than offsets of 32 bits can hold.
        return pa.DictionaryArray.from_arrays(
            chunk.indices, chunk.dictionary.cast(pa.large_string())
        ).dictionary_decode()
    if pa.types.is_null(kind):
        return chunk.cast(pa.string())
    return chunk.cast(pa.list_(pa.string())) if _is_list(kind) and pa.types.is_null(kind.value_type) else chunk


def offsets_of(chunk: pa.Array) -> np.ndarray:
    """int32 or int64[n + 1]: where each cell of strings or lists begins in what it holds."""
    wide = pa.types.is_large_string(chunk.type) or pa.types.is_large_list(chunk.type)
    stored = chunk.buffers()[1]
    if stored is None:  # an array without rows may have none
        return np.zeros(1, np.int64)
    return np.frombuffer(stored, np.int64 if wide else np.int32)[chunk.offset : chunk.offset + len(chunk) + 1]


def _valid(array: pa.Array) -> np.ndarray:
    return array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else np.ones(len(array), bool)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)
