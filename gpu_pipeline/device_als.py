"""Half an iteration of ALS on the device: the CPU's coordinates by CuPy, the rows by a kernel of our own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from .als_kernels import RowKernel
from .als_parts import Part, Side
from .device_rows import DeviceRows

PARTS = 64
"""Of a Gram matrix: sums of float32 over so many parts of the vectors are added in float64."""
SQUARES = 16
"""Of float64, factors x factors, at once: Gram matrix, eigenvectors, changes of coordinates, and what makes them."""


def transposed(cupy: Any, rows: DeviceRows, columns: int) -> DeviceRows:
    """The same by columns; entries of a column stay in the order of rows."""
    order = cupy.argsort(rows.indices)  # CuPy's is stable
    pointers = cupy.searchsorted(rows.indices[order], cupy.arange(columns + 1, dtype=np.int32), side="left")
    places = cupy.searchsorted(rows.indptr, cupy.arange(rows.indices.size), side="right") - 1
    return DeviceRows(pointers.astype(np.int64), places.astype(np.int32)[order], rows.data[order])


def gram(cupy: Any, vectors: Any) -> Any:
    """float64[factors, factors] of float32[n, factors]."""
    size = len(vectors) // PARTS
    rest = vectors[PARTS * size :]
    total = (rest.T @ rest).astype(np.float64)
    if size:
        parts = vectors[: PARTS * size].reshape(PARTS, size, -1)
        total = total + cupy.matmul(parts.transpose(0, 2, 1), parts).sum(axis=0, dtype=np.float64)
    return total


@dataclass(frozen=True)
class PartsFromHost:
    """The rows of a side that do not fit on the device together: each time they are wanted, copied part by part.

    matrix: CSR, float32. split: first and end of each part.
    """

    cupy: Any
    matrix: sp.csr_matrix
    split: list[tuple[int, int]]

    def __iter__(self) -> Iterator[Part]:
        for first, last in self.split:
            # No name holds a part: it is freed before the next one is copied.
            yield Part.of(self.cupy, DeviceRows.copied(self.cupy, self.matrix, first, last), first)


class DeviceRowSolver:
    """The rows of one side, to be solved again and again for other vectors of the other side."""

    def __init__(
        self,
        cupy: Any,
        kernel: RowKernel,
        parts: Iterable[Part],
        alpha: float,
        penalties: np.ndarray,
        scratch_bytes: int = 0,
    ) -> None:
        """Take the strengths, rows x others, alpha of c = 1 + alpha r, and float64[rows] lambda of each row.

        ``scratch_bytes``: as the kernel has it.
        """
        self._cupy, self._kernel, self._parts, self._alpha = cupy, kernel, parts, alpha
        self._penalty = float(penalties.min()) if len(penalties) else 1.0
        self._excess = cupy.asarray((penalties - self._penalty).astype(np.float32))
        self._scratch_bytes = scratch_bytes

    def run(self, others: Any, others_gram: Any, own: Any) -> tuple[Any, Any]:
        """New vectors from ``own``, float32[rows, factors].

        Args:
            others: float32[others, factors].
            others_gram: float64[factors, factors], `gram` of them.
            own: float32[rows, factors].

        Returns:
            The new vectors, and float64[], the loss but for the sum of all stored c and what the other side's lengths
            cost.

        """
        cupy = self._cupy
        to, back, inverse = self._coordinates(others_gram)
        side = Side(self._alpha, cupy.matmul(others, back), inverse, self._excess)
        found, costs = cupy.matmul(own, to), cupy.empty(len(own), np.float64)
        for part in self._parts:
            rows = slice(part.first, part.first + len(part.rows))
            if len(part.rows):
                self._kernel(part, side, found[rows], costs[rows], self._scratch_bytes)
            del part
        return cupy.matmul(found, back.T), costs.sum()

    def _coordinates(self, others_gram: Any) -> tuple[Any, Any, Any]:
        """float32[factors, width] twice and float32[width]: as `Coordinates` of the CPU's row solver."""
        cupy = self._cupy
        values, basis = cupy.linalg.eigh(others_gram)
        scale = cupy.sqrt(cupy.maximum(values, 0) + self._penalty)
        filled = [(0, 0), (0, self._kernel.width - len(others_gram))]
        to, back = (cupy.pad(each, filled) for each in (basis * scale, basis / scale))
        inverse = cupy.pad(1 / (scale * scale), filled[1])
        return to.astype(np.float32), back.astype(np.float32), inverse.astype(np.float32)
