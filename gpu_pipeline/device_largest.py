"""The largest values of each row of a matrix on the device, by kernels/top_k.cu."""

from typing import Any

import numpy as np

from .cuda_source import THREADS, load
from .device_top_k import Lists, Selection


class DeviceLargest:
    """The k values of the largest size in each row, in order, the first of equal ones."""

    def __init__(self, cupy: Any, k: int) -> None:
        """Compile the kernel.

        Raises:
            UnsupportedModelError: k is too large.

        """
        self._cupy, self._selection = cupy, Selection.of(k)
        self._select_largest = load(cupy, "top_k.cu").get_function("select_largest")

    def of(self, values: Any) -> Lists:
        """int32[n, k] columns and float32[n, k] values of float32[n, columns], by rows, with k columns at least."""
        (rows, columns), k = values.shape, self._selection.k
        found = Lists(self._cupy.empty((rows, k), np.int32), self._cupy.empty((rows, k), np.float32))
        if found.items.size:
            arguments = values, np.int32(columns), *self._selection.arguments(), *found
            self._select_largest((rows,), (THREADS,), arguments, shared_mem=self._selection.shared_bytes)
        return found
