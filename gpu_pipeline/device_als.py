"""Half an iteration of ALS on the device: the CPU's coordinates by CuPy, the rows by kernels/als_rows.cu."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import UnsupportedModelError
from .cuda_source import THREADS, load

PARTS = 64
"""Of a Gram matrix: sums of float32 over so many parts of the vectors are added in float64."""
USUAL_SHARED_BYTES, MOST_SHARED_BYTES = 24 << 10, 40 << 10
"""Of a block: so that several share a multiprocessor, and what every device has, less the kernel's own variables."""
FEWEST_TILE_ENTRIES = 8
"""Below it a block takes all of the shared memory that it can have."""
BANKS_OF_AN_ENTRY = 8
"""Entries that a warp multiplies together are an odd multiple of this apart: they lie in different banks."""


class Tile(NamedTuple):
    """How a block of als_rows.cu uses its shared memory; for vectors of ``width`` floats."""

    width: int
    entries: int
    stride: int
    groups: int

    @classmethod
    def of(cls, width: int) -> "Tile":
        """The tile for vectors of so many factors.

        Raises:
            UnsupportedModelError: a block's shared memory does not hold what a row needs.

        """
        stride = (-(-width // BANKS_OF_AN_ENTRY) | 1) * BANKS_OF_AN_ENTRY
        groups = max(1, THREADS // width)
        rest = (3 + groups) * width
        entries = (USUAL_SHARED_BYTES // 4 - rest) // (stride + 1)
        if entries < FEWEST_TILE_ENTRIES:
            entries = (MOST_SHARED_BYTES // 4 - rest) // (stride + 1)
        if entries < 1:
            raise UnsupportedModelError(
                f"vectors of {width} factors do not fit into a block's shared memory; choose at most "
                f"{MOST_SHARED_BYTES // 4 // 5 - 2 * BANKS_OF_AN_ENTRY} factors, or use a variant on the CPU"
            )
        return cls(width, entries, stride, groups)

    @property
    def shared_bytes(self) -> int:
        """Bytes of dynamic shared memory of a block."""
        return 4 * ((3 + self.groups) * self.width + self.entries * (self.stride + 1))

    def arguments(self) -> tuple[np.int32, np.int32, np.int32]:
        """What the kernel takes."""
        return np.int32(self.entries), np.int32(self.stride), np.int32(self.groups)


class DeviceMatrix(NamedTuple):
    """Strengths as CSR on the device: pointers int64[rows + 1], indices int32, data float32."""

    pointers: Any
    indices: Any
    data: Any

    @classmethod
    def of(cls, cupy: Any, matrix: sp.csr_matrix) -> "DeviceMatrix":
        """Copy a canonical CSR matrix of float32 to the device."""
        arrays = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data
        return cls(*map(cupy.asarray, arrays))

    def transposed(self, cupy: Any, columns: int) -> "DeviceMatrix":
        """The same by columns; entries of a column stay in the order of rows."""
        order = cupy.argsort(self.indices)  # CuPy's is stable
        rows = cupy.searchsorted(self.pointers, cupy.arange(self.indices.size), side="right") - 1
        pointers = cupy.searchsorted(self.indices[order], cupy.arange(columns + 1, dtype=np.int32), side="left")
        return DeviceMatrix(pointers.astype(np.int64), rows.astype(np.int32)[order], self.data[order])


def gram(cupy: Any, vectors: Any) -> Any:
    """float64[factors, factors] of float32[n, factors]."""
    size = len(vectors) // PARTS
    rest = vectors[PARTS * size :]
    total = (rest.T @ rest).astype(np.float64)
    if size:
        parts = vectors[: PARTS * size].reshape(PARTS, size, -1)
        total = total + cupy.matmul(parts.transpose(0, 2, 1), parts).sum(axis=0, dtype=np.float64)
    return total


class RowKernel:
    """The kernel of als_rows.cu, compiled, for vectors of so many factors."""

    def __init__(self, cupy: Any, factors: int) -> None:
        """Compile it.

        Raises:
            UnsupportedModelError: as `Tile.of`.

        """
        self._tile = Tile.of(factors)
        self._improve_rows = load(cupy, "als_rows.cu").get_function("improve_rows")

    def __call__(self, steps: int, matrix: tuple, vectors: Any, coordinates: tuple, found: Any, costs: Any) -> None:
        """Launch it; ``matrix`` and ``coordinates`` are its arguments before and after the vectors' width."""
        arguments = np.int32(steps), *matrix, vectors, np.int32(self._tile.width), *coordinates
        arguments = (*arguments, *self._tile.arguments(), found, costs)
        self._improve_rows((len(found),), (THREADS,), arguments, shared_mem=self._tile.shared_bytes)


class DeviceRowSolver:
    """The rows of one side, to be solved again and again for other vectors of the other side."""

    def __init__(self, cupy: Any, kernel: RowKernel, matrix: DeviceMatrix, alpha: float, penalties: np.ndarray) -> None:
        """Take the strengths, rows x others, alpha of c = 1 + alpha r, and float64[rows] lambda of each row."""
        self._cupy, self._kernel = cupy, kernel
        self._penalty = float(penalties.min()) if len(penalties) else 1.0
        self._excess = cupy.asarray((penalties - self._penalty).astype(np.float32))
        # The longest rows first: blocks begin in order, and none of them is to be long and the last.
        lengths = matrix.pointers[1:] - matrix.pointers[:-1]
        self._matrix = cupy.argsort(-lengths).astype(np.int32), *matrix, np.float32(alpha)

    def run(self, steps: int, others: Any, others_gram: Any, own: Any) -> tuple[Any, Any]:
        """New vectors by conjugate gradients from ``own``, float32[rows, factors].

        Args:
            steps: at most so many a row.
            others: float32[others, factors].
            others_gram: float64[factors, factors], `gram` of them.
            own: float32[rows, factors].

        Returns:
            The new vectors, and float64[], the loss but for the sum of all stored c and what the other side's lengths
            cost.

        """
        cupy = self._cupy
        values, basis = cupy.linalg.eigh(others_gram)
        scale = cupy.sqrt(cupy.maximum(values, 0) + self._penalty)
        to, back = (basis * scale).astype(np.float32), (basis / scale).astype(np.float32)
        inverse = (1 / (scale * scale)).astype(np.float32)
        found, costs = cupy.matmul(own, to), cupy.empty(len(own), np.float64)
        if len(own):
            self._kernel(steps, self._matrix, cupy.matmul(others, back), (self._excess, inverse), found, costs)
        return cupy.matmul(found, back.T), costs.sum()
