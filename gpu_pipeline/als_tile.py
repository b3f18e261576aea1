"""How a block of the kernels of ALS uses its shared memory."""

from typing import NamedTuple

import numpy as np

from ..pipeline.errors import UnsupportedModelError
from .cuda_source import THREADS

USUAL_SHARED_BYTES, MOST_SHARED_BYTES = 24 << 10, 40 << 10
"""Of a block: so that several share a multiprocessor, and what every device has, less the kernel's own variables."""
FEWEST_TILE_ENTRIES = 8
"""Below it a block takes all of the shared memory that it can have."""
BANKS_OF_AN_ENTRY = 8
"""Entries that a warp multiplies together are an odd multiple of this apart: they lie in different banks."""
SQUARE = 4
"""Rows and columns of a triangle that a thread takes at a time (kernels/als_triangle.cuh): widths are its multiples."""
MOST_SHARED_FACTORS = 128
"""Their triangle fits into shared memory, beside a tile of eight entries."""


def width_of(factors: int) -> int:
    """Numbers of a vector as the kernels take it."""
    return -(-factors // SQUARE) * SQUARE


def triangle_of(width: int) -> int:
    """Numbers of the lower triangle of a row's equations."""
    return width * (width + 1) // 2


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
