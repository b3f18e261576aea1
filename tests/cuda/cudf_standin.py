"""A stand-in for the few names of `cudf` that we use: Arrow computes, and arrays are those of CuPy's stand-in."""

from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .standin import Array


class _Marks:
    """A series of bool."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __invert__(self) -> "_Marks":
        return _Marks(~self._values)

    def to_numpy(self) -> np.ndarray:
        return self._values.copy()


class _Numbers:
    """A series of integers."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def to_cupy(self) -> Array:
        return Array(self._values.copy())


class _Index:
    def __init__(self, values: pa.Array) -> None:
        self._values = values

    def to_arrow(self) -> pa.Array:
        return self._values


class _Lists:
    """A series of lists of strings; `list` is its own accessor."""

    def __init__(self, lists: pa.Array) -> None:
        self.list, self._lists = self, lists

    def len(self) -> _Numbers:
        return _Numbers(pc.list_value_length(self._lists).to_numpy(zero_copy_only=False))

    @property
    def leaves(self) -> "Series":
        return Series(self._lists.flatten())


class Series:
    """A series of strings; `str` is its own accessor."""

    def __init__(self, values: Any, dtype: str = "str") -> None:
        assert dtype == "str"
        self.str, self._values = self, pa.array(values, pa.string())

    def isna(self) -> _Marks:
        return _Marks(self._values.is_null().to_numpy(zero_copy_only=False))

    def fillna(self, value: str) -> "Series":
        return Series(self._values.fill_null(value))

    def split(self, delimiter: str, *, regex: bool) -> _Lists:
        assert not regex
        return _Lists(pc.split_pattern(self._values, delimiter))

    def factorize(self) -> tuple[Array, _Index]:
        coded = self._values.dictionary_encode()
        return Array(coded.indices.to_numpy(zero_copy_only=False)), _Index(coded.dictionary)


class Frames(ModuleType):
    """In the place of the module."""

    Series = Series
