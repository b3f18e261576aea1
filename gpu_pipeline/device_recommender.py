"""Records folded in and the best of what they have not, on the device, by the kernels of `als` and of `recommend`."""

from typing import Any

import numpy as np

from ..pipeline.item_vectors import ItemVectors
from ..pipeline.stages.als import penalties
from .als_kernels import UNTIL_SOLVED, ConjugateGradients
from .als_parts import Part
from .device_als import SQUARES, DeviceRowSolver, gram
from .device_memory import BLOCK, batches, left_to_cupy
from .device_rows import DeviceRows
from .device_top_k import DeviceTopK, Hidden, Lists

_ARRAYS = 24
"""At once, at most: each may take a block more than its bytes."""


class DeviceRecommender:
    """The m items of a recommender on the device."""

    def __init__(self, cupy: Any, items: ItemVectors, k: int) -> None:
        """Copy the vectors and compile the kernels; ``k``: items of a list.

        Raises:
            UnsupportedModelError: as `DeviceTopK` and `ConjugateGradients`.
            DeviceError: the vectors do not fit into the device's memory.

        """
        self._cupy, self._items, self._k = cupy, items, k
        self._kernel = ConjugateGradients(cupy, items.vectors.shape[1], UNTIL_SOLVED)
        self._top = DeviceTopK(cupy, items.vectors, k)
        self._gram = gram(cupy, self._top.items)
        self._barred = cupy.empty(0, np.int32)
        count, factors = items.vectors.shape
        self._fixed_bytes = 4 * count * factors + 8 * SQUARES * factors**2 + _ARRAYS * BLOCK

    @property
    def least_scratch_bytes(self) -> int:
        """Of the device's memory, for the list of one record, without what it has and the list itself."""
        return self._fixed_bytes + self._top.bytes_of_a_user + self._top.scratch_bytes(0)

    def recommend(self, indptr: Any, indices: Any) -> Lists:
        """The k items that each record has not, best first; equal scores: the lower number comes first.

        Args:
            indptr: int64[n + 1].
            indices: int[nnz], items that each record has, distinct, on the device as all of these.

        Raises:
            DeviceError: a single record does not fit into the device's memory.

        """
        cupy, records, indices = self._cupy, indptr.size - 1, indices.astype(np.int32, copy=False)
        split, scratch_bytes = self._split(records, indices.size)
        found = Lists(cupy.empty((records, self._k), np.int32), cupy.empty((records, self._k), np.float32))
        strengths = cupy.ones(indices.size, np.float32)
        for first, last in split:
            part = Lists(*(each[first:last] for each in found))
            self._fill(part, DeviceRows(indptr[first : last + 1], indices, strengths), scratch_bytes)
        return found

    def _fill(self, lists: Lists, records: DeviceRows, scratch_bytes: int) -> None:
        users = self._top.users(self._fold_in(records))
        hidden = Hidden(records.indptr, records.indices, self._barred)
        lists.items[:], lists.scores[:] = self._top.lists(users, hidden, scratch_bytes)

    def _split(self, records: int, entries: int) -> tuple[list[tuple[int, int]], int]:
        """First and end of each batch of records, and the bytes for their scores."""
        left = left_to_cupy(self._cupy) - self._fixed_bytes - 4 * entries - 8 * records * self._k
        scratch_bytes = self._top.scratch_bytes(left)
        return batches(np.arange(records + 1) * self._top.bytes_of_a_user, left - scratch_bytes), scratch_bytes

    def _fold_in(self, records: DeviceRows) -> Any:
        """float32[n, factors], solved to float32, as the CPU does it; what `users` needs later is no less memory."""
        items, (count, factors) = self._items, self._items.vectors.shape
        entries = records.indptr[1:] - records.indptr[:-1]
        costs = penalties(entries, count, items.alpha, items.regularization, items.scaling)
        parts = [Part.of(self._cupy, records, shares=False)]  # a record has few items
        solver = DeviceRowSolver(self._cupy, self._kernel, parts, items.alpha, costs)
        start = self._cupy.zeros((len(records), factors), np.float32)
        return solver.run(self._top.items, self._gram, start)[0]
