"""The kernels that solve rows of ALS, compiled for vectors of so many factors: by conjugate gradients, by Cholesky."""

from typing import Any, NamedTuple, Protocol

import numpy as np

from ..pipeline.errors import UnsupportedModelError
from .cuda_source import THREADS, load
from .device_rows import DeviceRows

USUAL_SHARED_BYTES, MOST_SHARED_BYTES = 24 << 10, 40 << 10
"""Of a block: so that several share a multiprocessor, and what every device has, less the kernel's own variables."""
FEWEST_TILE_ENTRIES = 8
"""Below it a block takes all of the shared memory that it can have."""
BANKS_OF_AN_ENTRY = 8
"""Entries that a warp multiplies together are an odd multiple of this apart: they lie in different banks."""
SQUARE = 4
"""Rows and columns of a triangle that a thread of als_cholesky.cu takes at a time."""
MOST_SHARED_FACTORS = 128
"""Their triangle fits into shared memory, beside a tile of eight entries."""
UNTIL_SOLVED = 1000
"""Steps of a row, at most: rows are solved long before, and stop (kernels/als_rows.cu)."""
_REFINEMENTS = 4
"""Solutions of a row, at most: one or two do, and it stops (kernels/als_cholesky.cu)."""


class Tile(NamedTuple):
    """How a block of the kernels uses its shared memory.

    width: numbers of a vector. entries: vectors held at a time. stride: numbers from one to the next. groups: parts in
    which sums over them are taken. triangle: numbers of the triangle beside them.
    """

    width: int
    entries: int
    stride: int
    groups: int
    triangle: int

    @classmethod
    def of(cls, width: int, triangle: int = 0) -> "Tile":
        """The tile for vectors of so many numbers, beside a triangle of so many.

        Raises:
            UnsupportedModelError: a block's shared memory does not hold what a row needs.

        """
        stride = (-(-width // BANKS_OF_AN_ENTRY) | 1) * BANKS_OF_AN_ENTRY
        groups = max(1, THREADS // width)
        rest = (3 + groups) * width + triangle
        entries = (USUAL_SHARED_BYTES // 4 - rest) // (stride + 1)
        if entries < FEWEST_TILE_ENTRIES:
            entries = (MOST_SHARED_BYTES // 4 - rest) // (stride + 1)
        if entries < 1:
            raise UnsupportedModelError(
                f"vectors of {width} factors do not fit into a block's shared memory; choose at most "
                f"{MOST_SHARED_BYTES // 4 // 5 - 2 * BANKS_OF_AN_ENTRY} factors, or use a variant on the CPU"
            )
        return cls(width, entries, stride, groups, triangle)

    @property
    def shared_bytes(self) -> int:
        """Bytes of dynamic shared memory of a block."""
        return 4 * ((3 + self.groups) * self.width + self.entries * (self.stride + 1) + self.triangle)

    def arguments(self) -> tuple[np.int32, np.int32, np.int32]:
        """What the kernels take."""
        return np.int32(self.entries), np.int32(self.stride), np.int32(self.groups)


class Part(NamedTuple):
    """Some rows of a side on the device: the first's number, int32[rows] the order to take them in, the strengths."""

    first: int
    order: Any
    rows: DeviceRows

    @classmethod
    def of(cls, cupy: Any, rows: DeviceRows, first: int = 0) -> "Part":
        """The longest rows first: blocks begin in order, and none of them is to be long and the last."""
        lengths = rows.indptr[1:] - rows.indptr[:-1]
        return cls(first, cupy.argsort(-lengths).astype(np.int32), rows)


class Side(NamedTuple):
    """What all parts of a side are solved with, on the device.

    alpha: of c = 1 + alpha r. vectors: float32[others, width], the other side's, in the coordinates. inverse:
    float32[width], the squared scale of the coordinates. excess: float32[rows], what each row's lambda is above theirs.
    """

    alpha: float
    vectors: Any
    inverse: Any
    excess: Any

    def arguments(self, tile: Tile, part: Part) -> tuple:
        """What the kernels take between the pointers of a part and its vectors."""
        excess = self.excess[part.first : part.first + len(part.rows)]
        strengths = part.rows.indptr, part.rows.indices, part.rows.data, np.float32(self.alpha)
        return *strengths, self.vectors, np.int32(tile.width), excess, self.inverse, *tile.arguments()


class RowKernel(Protocol):
    """Solves the rows of a part, which must not be none.

    width: numbers of a vector as the kernel takes them; those beyond the factors are 0.
    scratch_bytes: of device memory that a call takes at least.
    """

    width: int
    scratch_bytes: int

    def __call__(self, part: Part, side: Side, found: Any, costs: Any, scratch_bytes: int) -> None:
        """Change float32[rows, width] vectors ``found``, and write float64[rows] ``costs``, what they cost.

        ``scratch_bytes`` of device memory may be taken for it.
        """
        ...


class ConjugateGradients:
    """`RowKernel` of als_rows.cu: at most so many steps from the vectors that are there."""

    scratch_bytes = 0

    def __init__(self, cupy: Any, factors: int, steps: int) -> None:
        """Compile it.

        Raises:
            UnsupportedModelError: as `Tile.of`.

        """
        self.width, self._tile, self._steps = factors, Tile.of(factors), np.int32(steps)
        self._improve_rows = load(cupy, "als_rows.cu").get_function("improve_rows")

    def __call__(self, part: Part, side: Side, found: Any, costs: Any, scratch_bytes: int) -> None:
        """As `RowKernel` has it."""
        arguments = self._steps, part.order, *side.arguments(self._tile, part), found, costs
        self._improve_rows((len(found),), (THREADS,), arguments, shared_mem=self._tile.shared_bytes)


class Cholesky:
    """`RowKernel` of als_cholesky.cu: the normal equations, in shared memory where they fit there."""

    def __init__(self, cupy: Any, factors: int) -> None:
        """Compile it.

        Raises:
            UnsupportedModelError: as `Tile.of`.

        """
        self._cupy, self.width = cupy, -(-factors // SQUARE) * SQUARE
        triangle = self.width * (self.width + 1) // 2
        wide = self.width > MOST_SHARED_FACTORS
        self._tile = Tile.of(self.width, 0 if wide else triangle)
        self._triangle, self.scratch_bytes = triangle, 4 * triangle if wide else 0
        self._solve_rows = load(cupy, "als_cholesky.cu").get_function("solve_wide_rows" if wide else "solve_rows")

    def __call__(self, part: Part, side: Side, found: Any, costs: Any, scratch_bytes: int) -> None:
        """As `RowKernel` has it; as many blocks at a time as there is scratch for."""
        scratch, at_a_time = [], len(found)
        if self.scratch_bytes:
            at_a_time = min(at_a_time, scratch_bytes // self.scratch_bytes)
            scratch = [self._cupy.empty(at_a_time * self._triangle, np.float32)]
        for start in range(0, len(found), at_a_time):
            order = part.order[start : start + at_a_time]
            arguments = np.int32(_REFINEMENTS), order, *side.arguments(self._tile, part), found, costs, *scratch
            self._solve_rows((len(order),), (THREADS,), arguments, shared_mem=self._tile.shared_bytes)
