"""Rows of a CSR matrix and the codes of a forest as they lie on the device, for kernels that start from both."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import InputError, UnsupportedModelError
from ..pipeline.threshold_codes import ThresholdCodes
from .device_memory import copied

MOST_TILE_ROWS = 32
SHARED_BYTES = 40 << 10
"""For the codes of a block's rows: what every device has, less the kernels' own variables."""
WORD = 4
BYTES_OF_A_ROW, BYTES_OF_AN_ENTRY = 8, 8
"""Of `DeviceRows`."""


@dataclass(frozen=True)
class DeviceRows:
    """A CSR matrix on the device: indptr int64[n + 1], indices int32, data float32."""

    indptr: Any
    indices: Any
    data: Any

    @classmethod
    def of(cls, cupy: Any, matrix: sp.csr_matrix, features: int) -> "DeviceRows":
        """Copy a matrix to the device.

        Raises:
            InputError: as `check`.

        """
        cls.check(matrix, features)
        return cls.copied(cupy, matrix, 0, matrix.shape[0])

    @staticmethod
    def check(matrix: sp.csr_matrix, features: int) -> None:
        """See that the kernels can read a matrix.

        Raises:
            InputError: it has not as many columns as the model has features, or stores a column of a row twice.

        """
        if matrix.shape[1] != features:
            raise InputError(f"the model has {features} features, the matrix {matrix.shape[1]} columns")
        if not matrix.has_canonical_format:
            raise InputError("the matrix stores a column of a row twice or out of order: call sum_duplicates() on it")

    @classmethod
    def copied(cls, cupy: Any, matrix: sp.csr_matrix, first: int, last: int) -> "DeviceRows":
        """The rows from ``first`` to ``last`` of a matrix that is checked."""
        pointers = matrix.indptr[first : last + 1].astype(np.int64)
        stored = slice(pointers[0], pointers[-1])
        return cls(
            indptr=cupy.asarray(pointers - pointers[0]),
            indices=cupy.asarray(matrix.indices[stored].astype(np.int32, copy=False)),
            data=cupy.asarray(matrix.data[stored].astype(np.float32, copy=False)),
        )

    def __len__(self) -> int:
        return self.indptr.size - 1

    def part(self, first: int, last: int) -> "DeviceRows":
        """The rows from ``first`` to ``last``, where they lie."""
        return DeviceRows(self.indptr[first : last + 1], self.indices, self.data)


class DeviceCodes:
    """`ThresholdCodes` on the device, and how many rows of a matrix a block encodes at a time.

    columns: coded columns. tile_rows: a power of two. shared_bytes: what their codes take.
    """

    def __init__(self, cupy: Any, codes: ThresholdCodes) -> None:
        """Copy them.

        Raises:
            DeviceError: they do not fit into the device's memory.
            UnsupportedModelError: the codes of a single row do not fit into a block's shared memory.

        """
        self.columns = len(codes.feature)
        # An odd number of words, so that the same column of 32 rows lies in 32 different banks.
        self._words = (self.columns + WORD - 1) // WORD | 1
        self.tile_rows = MOST_TILE_ROWS
        while self.tile_rows > 1 and self.shared_bytes > SHARED_BYTES:
            self.tile_rows //= 2
        if self.shared_bytes > SHARED_BYTES:
            raise UnsupportedModelError(
                f"the model compares values with {self.columns} columns of thresholds, of which the GPU engine "
                f"holds {SHARED_BYTES}; train it on fewer features, or use a variant on the CPU"
            )
        missing = np.zeros(self._words * WORD, np.uint8)
        missing[: len(codes.missing)] = codes.missing
        kept_bits = np.full(self.columns, 255, np.uint8)
        kept_bits[codes.sets] = 1
        offsets, thresholds = codes.offsets.astype(np.int32), _ordered(codes.thresholds)
        arrays = codes.columns_of, missing.view(np.uint32), offsets, thresholds, kept_bits
        self._arrays = copied(cupy, arrays)

    @property
    def shared_bytes(self) -> int:
        """Bytes of dynamic shared memory for a block's codes."""
        return self.tile_rows * self._words * WORD

    def blocks(self, rows: int) -> int:
        """Blocks for so many rows."""
        return -(-rows // self.tile_rows)

    def arguments(self, rows: DeviceRows) -> tuple:
        """What kernels take first: a matrix and the codes."""
        matrix = rows.indptr, rows.indices, rows.data, np.int64(len(rows)), np.int32(self.tile_rows)
        return (*matrix, *self._arrays, np.int32(self._words))


def _ordered(values: np.ndarray) -> np.ndarray:
    """int32 in the order of float32 numbers, as ``ordered`` in kernels/threshold_codes.cuh makes them."""
    bits = values.view(np.int32)
    return np.where(bits >= 0, bits, np.int32(-(2**31)) - bits)
