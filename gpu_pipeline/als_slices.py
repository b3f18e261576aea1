"""Long rows of ALS, shared among blocks: sums over slices of their entries, from which they are solved."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .als_parts import Part, Side, slices_of
from .als_tile import Tile, triangle_of
from .cuda_source import THREADS, load
from .device_memory import batches

_SOLVED, _VALUE = 4, 8
"""Bytes of a row's flag, of which there are no more than slices, and of a slice's part of the loss."""


class SharedRows(NamedTuple):
    """Some long rows of a part, and scratch for the sums over their slices, as kernels take them.

    order: int32[n], their numbers. firsts: int32[n + 1], the first slice of each. owners: int32[slices], the place of
    each one's row; both count from anywhere. solved: int32[n]. sums: float64[slices] values, float32[slices * width]
    products, float32[slices * triangle] triangles.
    """

    order: Any
    firsts: Any
    owners: Any
    solved: Any
    sums: tuple[Any, Any, Any]


class SliceSums:
    """Sums the slices of long rows, for vectors whose triangle fits into shared memory.

    shared_bytes: dynamic shared memory of a block that solves a row from them.
    """

    def __init__(self, cupy: Any, width: int) -> None:
        """Compile it."""
        self._cupy, self._width, self._triangle = cupy, width, triangle_of(width)
        self._tile = Tile.of(width, self._triangle)
        self._bytes_of_a_slice = 4 * (self._triangle + width) + _VALUE + _SOLVED
        self.shared_bytes = 4 * ((3 + self._tile.groups) * width + self._triangle)
        self._sum_slices = load(cupy, "als_slices.cu").get_function("sum_slices")

    def least_scratch_bytes(self, longest: int) -> int:
        """For any part whose rows have at most so many entries: the slices of a row lie there together."""
        return int(slices_of(np.array(longest))) * self._bytes_of_a_slice

    def scratch(self, part: Part, scratch_bytes: int) -> Iterator[SharedRows]:
        """The long rows of a part, as many at a time as there is scratch for, all in the same memory."""
        if part.slices is None:
            return
        starts, cupy = part.slices.starts, self._cupy
        split = batches(starts * self._bytes_of_a_slice, scratch_bytes)
        most = max(int(starts[last] - starts[first]) for first, last in split)
        sums = cupy.empty(most, np.float64), *(cupy.empty(most * n, np.float32) for n in (self._width, self._triangle))
        solved = cupy.empty(max(last - first for first, last in split), np.int32)
        for first, last in split:
            owners = part.slices.owners[starts[first] : starts[last]]
            yield SharedRows(part.order[first:last], part.slices.firsts[first : last + 1], owners, solved, sums)

    def fill(self, rows: SharedRows, part: Part, side: Side, found: Any, solutions: int = 0) -> None:
        """Change the sums to those at float32[rows, width] ``found``, of rows that have had so many solutions."""
        which = np.int32(solutions), rows.solved, rows.order, rows.firsts, rows.owners
        arguments = *which, *side.entries(part), *self._tile.arguments(), found, *rows.sums
        self._sum_slices((len(rows.owners),), (THREADS,), arguments, shared_mem=self._tile.shared_bytes)

    def arguments(self, part: Part, side: Side) -> tuple:
        """What kernels that solve rows from sums take between these and the rows' vectors."""
        return np.int32(self._width), *side.metric(part), np.int32(self._tile.groups)
