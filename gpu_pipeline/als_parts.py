"""Rows of ALS as they lie on the device: the order to take them in, and the slices of those that blocks share."""

from typing import Any, NamedTuple

import numpy as np

from .als_tile import Tile
from .device_rows import DeviceRows

LONG_ROW = 256
"""Entries at most of a row that one block has to itself. At 64 factors it reads them 78 at a time, in each step anew:
the last block to end has four such tiles to read, where the seed's longest row would have 300.
"""
SLICE_ENTRIES = 256
"""Of a long row in a slice, at most. Fewer are more triangles to write and to add: at 64 factors 8 KiB each, where the
vectors of 256 entries are 64 KiB. More are fewer blocks: the seed's items have some 2,000 slices, and 500 run at once.
"""
MOST_SLICES = 1024
"""Of a row, whose slices are longer then: more than run at once. A row's triangles lie in scratch together."""


def slices_of(entries: np.ndarray) -> np.ndarray:
    """int64: slices of rows with so many entries; none where a block has a row to itself."""
    return np.where(entries > LONG_ROW, np.minimum(-(-entries // SLICE_ENTRIES), MOST_SLICES), 0)


def most_slices(entries: int) -> int:
    """Of any rows with so many entries together: whole ones, and one a row that is not."""
    return entries // SLICE_ENTRIES + entries // LONG_ROW


class Slices(NamedTuple):
    """Of the long rows of a part, which are the first ones of its order.

    starts: int64[long + 1], on the host: each row's first slice, and the end. firsts: int32, the same on the device.
    owners: int32[slices] on the device, the place of each one's row in the order.
    """

    starts: np.ndarray
    firsts: Any
    owners: Any

    @classmethod
    def of(cls, cupy: Any, lengths: Any, order: Any) -> "Slices | None":
        """For int64[rows] lengths, and the order of rows by them, on the device; None where no row is long."""
        long = int((lengths > LONG_ROW).sum())
        if not long:
            return None
        counts = slices_of(lengths[order[:long]].get())
        starts = np.append(0, np.cumsum(counts))
        owners = np.repeat(np.arange(long, dtype=np.int32), counts)
        return cls(starts, cupy.asarray(starts.astype(np.int32)), cupy.asarray(owners))

    @property
    def rows(self) -> int:
        """How many are long."""
        return len(self.starts) - 1


class Part(NamedTuple):
    """Some rows of a side on the device.

    first: the first one's number. order: int32[rows], to take them in. rows: the strengths. slices: of those that
    blocks share, None where there are none.
    """

    first: int
    order: Any
    rows: DeviceRows
    slices: Slices | None

    @classmethod
    def of(cls, cupy: Any, rows: DeviceRows, first: int = 0, shares: bool = True) -> "Part":
        """The longest rows first: blocks begin in order, and none of them is to be long and the last.

        Unless it ``shares`` long rows, a block has each to itself, and the host need not wait for their lengths.
        """
        lengths = rows.indptr[1:] - rows.indptr[:-1]
        order = cupy.argsort(-lengths).astype(np.int32)
        return cls(first, order, rows, Slices.of(cupy, lengths, order) if shares else None)


class Side(NamedTuple):
    """What all parts of a side are solved with, on the device.

    alpha: of c = 1 + alpha r. vectors: float32[others, width], the other side's, in the coordinates. inverse:
    float32[width], the squared scale of the coordinates. excess: float32[rows], what each row's lambda is above theirs.
    """

    alpha: float
    vectors: Any
    inverse: Any
    excess: Any

    def entries(self, part: Part) -> tuple:
        """The matrix, and the vectors of what it has entries for, as kernels take them."""
        rows = part.rows
        width = np.int32(self.vectors.shape[1])
        return rows.indptr, rows.indices, rows.data, np.float32(self.alpha), self.vectors, width

    def metric(self, part: Part) -> tuple:
        """Excess and inverse of a part."""
        return self.excess[part.first : part.first + len(part.rows)], self.inverse

    def arguments(self, tile: Tile, part: Part) -> tuple:
        """What kernels that have a row's entries take between the pointers of a part and its vectors."""
        return *self.entries(part), *self.metric(part), *tile.arguments()
