"""What ALS takes of the device's memory, and how the rows are split to fit.

The vectors of both sides must fit. The matrix and its transpose lie there where they fit, too; else both stay on the
host and rows come in parts, each half iteration anew. Products of vectors are the same for any number of parts, and
each row is solved by itself: so is every bit of the answer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..pipeline.stages.als import AlsProblem
from .als_kernels import RowKernel
from .als_parts import most_slices, slices_of
from .device_als import PARTS, SQUARES
from .device_memory import BLOCK, batches, bytes_before, left_to_cupy, too_large
from .device_rows import BYTES_OF_A_ROW, BYTES_OF_AN_ENTRY

_FLOAT, _DOUBLE = 4, 8
_SIDES = 3
"""Of vectors that live at once: where a run starts, what it has, and what it makes; of one side more in coordinates."""
_OF_A_ROW = 5 * _DOUBLE
"""Lambda of a row in three forms, its cost, and what becomes of that."""
_ORDERING_A_ROW = 4 * _DOUBLE
"""Lengths, keys and places that are sorted, and their order."""
_OF_A_SLICE = 4
"""Its owner."""
_TRANSPOSING_AN_ENTRY = 6 * _DOUBLE
"""Columns and places that are sorted, rows that are searched for."""
_ARRAYS = 64
"""At once, at most: each may take a block more than its bytes."""
MOST_SCRATCH_BYTES = 256 << 20
"""More blocks than a device runs at once."""
_SCRATCH_SHARE = 4
"""One part in so many of what the vectors leave, where it holds what a call needs at least."""


@dataclass(frozen=True)
class AlsMemory:
    """How a problem's rows come to the device.

    whole: the matrix and its transpose lie there. users, items: first and end of each part, where they do not.
    scratch_bytes: for the kernel.
    """

    whole: bool
    users: list[tuple[int, int]]
    items: list[tuple[int, int]]
    scratch_bytes: int

    @classmethod
    def of(cls, cupy: Any, problem: AlsProblem, kernel: RowKernel) -> "AlsMemory":
        """Plan with what the device has left.

        Raises:
            DeviceError: the vectors do not fit, or a row does not beside them.

        """
        strengths, left = problem.strengths, left_to_cupy(cupy)
        users, items = strengths.shape
        vectors = _vectors(users, items, kernel.width)
        of_users, of_items = np.diff(strengths.indptr), np.bincount(strengths.indices, minlength=items)
        least = kernel.least_scratch_bytes(int(max(each.max(initial=0) for each in (of_users, of_items))))
        if vectors + least > left:
            what = f"what ALS has of {problem.factors} factors for {users:,} users and {items:,} items"
            raise too_large(what, vectors + least, left)
        scratch = max(least, min(MOST_SCRATCH_BYTES, (left - vectors) // _SCRATCH_SHARE)) if least else 0
        rest = left - vectors - scratch
        if _matrices(users, items, strengths.nnz) <= rest:
            return cls(True, [], [], scratch)
        return cls(False, _split(of_users, rest), _split(of_items, rest), scratch)


def _vectors(users: int, items: int, width: int) -> int:
    """Bytes of all but the matrix."""
    rows = _SIDES * (users + items) + max(users, items)
    squares = (PARTS * _FLOAT + SQUARES * _DOUBLE) * width**2
    return _FLOAT * width * rows + squares + _OF_A_ROW * (users + items) + _ARRAYS * BLOCK


def _split(entries: np.ndarray, left: int) -> list[tuple[int, int]]:
    """First and end of each part of rows with so many entries."""
    stored = entries * BYTES_OF_AN_ENTRY + slices_of(entries) * _OF_A_SLICE
    return batches(bytes_before(stored, 1, BYTES_OF_A_ROW + _ORDERING_A_ROW), left)


def _matrices(users: int, items: int, entries: int) -> int:
    """Bytes of a matrix and its transpose, and of what makes the latter."""
    rows, slices = (BYTES_OF_A_ROW + _ORDERING_A_ROW) * (users + items), 2 * _OF_A_SLICE * most_slices(entries)
    return rows + slices + (2 * BYTES_OF_AN_ENTRY + _TRANSPOSING_AN_ENTRY) * entries
