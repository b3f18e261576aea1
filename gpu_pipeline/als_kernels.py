"""The kernels that solve rows of ALS, compiled for vectors of so many factors: by conjugate gradients, by Cholesky.

A row of many entries is shared among blocks, each of which has a slice of it (als_slices.py), where the triangle of its
equations fits into shared memory: the steps are the same ones, on the triangle. Above that a block has each row.
"""

from typing import Any, Protocol

import numpy as np

from .als_parts import Part, Side
from .als_slices import SliceSums
from .als_tile import MOST_SHARED_FACTORS, Tile, triangle_of, width_of
from .cuda_source import THREADS, load

UNTIL_SOLVED = 1000
"""Steps of a row, at most: rows are solved long before, and stop (kernels/als_rows.cu)."""
_REFINEMENTS = 4
"""Solutions of a row, at most: one or two do, and it stops (kernels/als_cholesky.cu)."""


class RowKernel(Protocol):
    """Solves the rows of a part, which must not be none.

    width: numbers of a vector as the kernel takes them; those beyond the factors are 0.
    """

    width: int

    def least_scratch_bytes(self, longest: int) -> int:
        """Of device memory that a call takes at least, where no row has more entries."""
        ...

    def __call__(self, part: Part, side: Side, found: Any, costs: Any, scratch_bytes: int) -> None:
        """Change float32[rows, width] vectors ``found``, and write float64[rows] ``costs``, what they cost.

        ``scratch_bytes`` of device memory may be taken for it.

        Raises:
            DeviceError: a row needs more scratch.

        """
        ...


class ConjugateGradients:
    """`RowKernel` of als_rows.cu: at most so many steps from the vectors that are there."""

    def __init__(self, cupy: Any, factors: int, steps: int) -> None:
        """Compile it.

        Raises:
            UnsupportedModelError: as `Tile.of`.

        """
        self.width, self._steps = width_of(factors), np.int32(steps)
        self._tile = Tile.of(self.width)
        self._slices = SliceSums(cupy, self.width) if self.width <= MOST_SHARED_FACTORS else None
        module = load(cupy, "als_rows.cu")
        self._improve_rows = module.get_function("improve_rows")
        self._improve_shared_rows = module.get_function("improve_shared_rows")

    def least_scratch_bytes(self, longest: int) -> int:
        """As `RowKernel` has it."""
        return self._slices.least_scratch_bytes(longest) if self._slices else 0

    def __call__(self, part: Part, side: Side, found: Any, costs: Any, scratch_bytes: int) -> None:
        """As `RowKernel` has it."""
        order = part.order
        if self._slices and part.slices:
            self._improve_long_rows(self._slices, part, side, found, costs, scratch_bytes)
            order = order[part.slices.rows :]
        if len(order):
            arguments = self._steps, order, *side.arguments(self._tile, part), found, costs
            self._improve_rows((len(order),), (THREADS,), arguments, shared_mem=self._tile.shared_bytes)

    def _improve_long_rows(
        self, slices: SliceSums, part: Part, side: Side, found: Any, costs: Any, scratch_bytes: int
    ) -> None:
        for rows in slices.scratch(part, scratch_bytes):
            slices.fill(rows, part, side, found)
            sums = rows.order, rows.firsts, *rows.sums
            arguments = self._steps, *sums, *slices.arguments(part, side), found, costs
            self._improve_shared_rows((len(rows.order),), (THREADS,), arguments, shared_mem=slices.shared_bytes)


class Cholesky:
    """`RowKernel` of als_cholesky.cu: the normal equations, in shared memory where they fit there."""

    def __init__(self, cupy: Any, factors: int) -> None:
        """Compile it.

        Raises:
            UnsupportedModelError: as `Tile.of`.

        """
        self._cupy, self.width = cupy, width_of(factors)
        self._triangle, self._wide = triangle_of(self.width), self.width > MOST_SHARED_FACTORS
        self._tile = Tile.of(self.width, 0 if self._wide else self._triangle)
        self._slices = None if self._wide else SliceSums(cupy, self.width)
        module = load(cupy, "als_cholesky.cu")
        self._solve_rows = module.get_function("solve_wide_rows" if self._wide else "solve_rows")
        self._solve_shared_rows = module.get_function("solve_shared_rows")

    def least_scratch_bytes(self, longest: int) -> int:
        """As `RowKernel` has it."""
        return self._slices.least_scratch_bytes(longest) if self._slices else 4 * self._triangle

    def __call__(self, part: Part, side: Side, found: Any, costs: Any, scratch_bytes: int) -> None:
        """As `RowKernel` has it; of wide rows as many blocks at a time as there is scratch for."""
        order = part.order
        if self._slices and part.slices:
            self._solve_long_rows(self._slices, part, side, found, costs, scratch_bytes)
            order = order[part.slices.rows :]
        scratch, at_a_time = [], max(1, len(order))
        if self._wide:
            at_a_time = min(at_a_time, scratch_bytes // (4 * self._triangle))
            scratch = [self._cupy.empty(at_a_time * self._triangle, np.float32)]
        for start in range(0, len(order), at_a_time):
            some = order[start : start + at_a_time]
            arguments = np.int32(_REFINEMENTS), some, *side.arguments(self._tile, part), found, costs, *scratch
            self._solve_rows((len(some),), (THREADS,), arguments, shared_mem=self._tile.shared_bytes)

    def _solve_long_rows(
        self, slices: SliceSums, part: Part, side: Side, found: Any, costs: Any, scratch_bytes: int
    ) -> None:
        """What is left of the residual comes from the entries each time; rows that are solved wait for the others."""
        for rows in slices.scratch(part, scratch_bytes):
            sums = rows.solved, rows.order, rows.firsts, *rows.sums
            for solutions in range(_REFINEMENTS + 1):
                slices.fill(rows, part, side, found, solutions)
                taken = np.int32(solutions), np.int32(_REFINEMENTS)
                arguments = *taken, *sums, *slices.arguments(part, side), found, costs
                self._solve_shared_rows((len(rows.order),), (THREADS,), arguments, shared_mem=slices.shared_bytes)
