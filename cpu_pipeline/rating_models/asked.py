"""What is asked of a model that answers a row at a time: the pairs put together by row, the rows shared by threads."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_PARTS_PER_THREAD = 8


@dataclass(frozen=True)
class Asked:
    """Pairs by row.

    starts: int64[rows + 1], where each row's pairs begin. columns: int32[n]. places: int64[n], where answers go.
    """

    starts: np.ndarray
    columns: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, columns: np.ndarray, row_count: int) -> "Asked":
        """The pairs of rows and columns, int[n] each; those with a -1 are left out."""
        known = np.flatnonzero((rows >= 0) & (columns >= 0))
        places = known[np.argsort(rows[known], kind="stable")]
        starts = np.searchsorted(rows[places], np.arange(row_count + 1))
        return cls(starts.astype(np.int64), columns[places].astype(np.int32), places.astype(np.int64))

    def on_threads(self, work: Callable[[int, int], None]) -> None:
        """``work(first, last)`` for slices of rows that together are all, on several threads."""
        from ..kernels.threads import on_threads, row_slices, thread_count

        parts = row_slices(len(self.starts) - 1, _PARTS_PER_THREAD * thread_count())
        on_threads(lambda part: work(part.start, part.stop), parts)
