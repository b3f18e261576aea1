"""A stand-in for the few names of `cudf` that we use: Arrow computes, and arrays are those of CuPy's stand-in.

What its strings hold counts as memory of the device; what cuDF takes besides is not seen.
"""

from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .standin import Array


def _of_the_device(values: pa.Array) -> Array:
    return Array(np.empty(values.nbytes, np.uint8))


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
        self._lists = lists
        self._held = _of_the_device(lists)

    @property
    def list(self) -> "_Lists":
        return self

    def len(self) -> _Numbers:
        return _Numbers(pc.list_value_length(self._lists).to_numpy(zero_copy_only=False))

    @property
    def leaves(self) -> "Series":
        return Series(self._lists.flatten())


class Series:
    """A series of strings; `str` is its own accessor."""

    def __init__(self, values: pa.Array) -> None:
        assert values.type == pa.string() and len(values) + values.nbytes < 2**31
        self._values = values
        self._held = _of_the_device(values)

    @classmethod
    def from_arrow(cls, values: pa.Array) -> "Series":
        return cls(values)

    def fillna(self, value: str) -> "Series":
        return Series(self._values.fill_null(value))

    def split(self, delimiter: str, *, regex: bool) -> _Lists:
        assert not regex
        return _Lists(pc.split_pattern(self._values, delimiter))

    def factorize(self) -> tuple[Array, _Index]:
        coded = self._values.dictionary_encode()
        return Array(coded.indices.to_numpy(zero_copy_only=False)), _Index(coded.dictionary)

    @property
    def str(self) -> "Series":
        return self


class Frames(ModuleType):
    """In the place of the module."""

    Series = Series
