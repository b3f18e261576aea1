"""Raw columns of some records as engines read them: codes of categories, numbers, and what is null."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class RawColumn:
    """A raw column of some records, ready to be read by a compiled loop.

    values: int32 codes of ``categories``, or float64 numbers; what is null holds anything.
    null: bool[rows], or None where nothing is null.
    categories: values in the order of their codes; None for numbers.
    """

    values: np.ndarray
    null: np.ndarray | None
    categories: list[str] | None

    @classmethod
    def of(cls, values: pa.Array | pa.ChunkedArray, kind: str) -> "RawColumn":
        """Strings, or a dictionary of them, where ``kind`` is ``categorical``; else numbers."""
        if kind == "categorical":
            coded = _whole(pc.dictionary_encode(values))
            return cls(_stored(coded.indices), _null(coded.indices), coded.dictionary.to_pylist())
        numbers = _whole(values.cast(pa.float64()))
        return cls(_stored(numbers), _null(numbers), None)

    def first(self, rows: int) -> "RawColumn":
        """The first rows of them."""
        return replace(self, values=self.values[:rows], null=None if self.null is None else self.null[:rows])

    def found(self) -> set[str]:
        """The categories that any record has."""
        assert self.categories is not None
        codes = self.values if self.null is None else self.values[~self.null]
        met = np.zeros(len(self.categories), bool)
        met[codes] = True
        return {self.categories[code] for code in np.flatnonzero(met).tolist()}


def _whole(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def _stored(array: pa.Array) -> np.ndarray:
    """The numbers as they lie, with anything where they are null."""
    width = array.type.to_pandas_dtype()
    stored = array.buffers()[1]
    whole = np.zeros(0, width) if stored is None else np.frombuffer(stored, width)
    return whole[array.offset : array.offset + len(array)]


def _null(array: pa.Array) -> np.ndarray | None:
    return array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
