"""Records folded in and the best of what they have not, by array algebra on the device, in float64."""

from typing import Any

import numpy as np

from ..pipeline.item_vectors import ItemVectors
from ..pipeline.rating_products import Arrays
from ..pipeline.recommendation_check import NO_ITEM
from ..pipeline.stages.als import penalties
from .device_largest import take_largest
from .device_memory import BLOCK, left_to_cupy

BATCH_BYTES = 256 << 20
"""At most, for the systems of equations and the scores of the records that are folded in at a time."""

_ARRAYS = 24


class DeviceRecommender:
    """The m items of a recommender on the device."""

    def __init__(self, arrays: Arrays, items: ItemVectors, k: int) -> None:
        """Copy the vectors; ``k``: items of a list."""
        self._arrays, self._items, self._k = arrays, items, k
        self._vectors = arrays.module.asarray(items.vectors.astype(np.float64))
        count, factors = items.vectors.shape
        # Systems thrice, scores, and what is owned, of which a record has each item at most.
        self._bytes_of_a_record = 8 * (4 * factors**2 + 10 * (count + factors + k))
        self._fixed_bytes = 16 * count * factors + _ARRAYS * BLOCK

    @property
    def least_scratch_bytes(self) -> int:
        """Of the device's memory, for the list of one record."""
        return self._fixed_bytes + self._bytes_of_a_record

    def recommend(self, indptr: Any, indices: Any) -> tuple[Any, Any]:
        """int32[n, k] items that each record has not, best first, and their scores, float32[n, k].

        Places after the last one hold `NO_ITEM` and -inf.

        Args:
            indptr: int64[n + 1].
            indices: int[nnz], items that each record has, distinct, on the device as all of these.

        """
        module, records = self._arrays.module, indptr.size - 1
        count = len(self._vectors)
        best = module.full((records, self._k), NO_ITEM, module.int32)
        scores = module.full((records, self._k), -module.inf, module.float32)
        room = min(BATCH_BYTES, left_to_cupy(module) - self._fixed_bytes)
        step, filled = max(1, room // self._bytes_of_a_record), min(self._k, count)
        for first in range(0, records, step):
            rows = slice(first, min(first + step, records))
            starts = indptr[rows.start : rows.stop + 1]
            owned = indices[int(starts[0]) : int(starts[-1])]
            items, products = self._batch(starts - starts[0], owned, filled)
            best[rows, :filled] = module.where(module.isinf(products), NO_ITEM, items).astype(module.int32)
            scores[rows, :filled] = products.astype(module.float32)
        return best, scores

    def _batch(self, starts: Any, owned: Any, k: int) -> tuple[Any, Any]:
        module, count = self._arrays.module, len(self._vectors)
        products = self._fold_in(starts, owned) @ self._vectors.T
        row = module.searchsorted(starts[1:], module.arange(owned.size), side="right")
        products.reshape(-1)[row * count + owned] = -module.inf
        return take_largest(module, products, k)

    def _fold_in(self, starts: Any, owned: Any) -> Any:
        """float64[n, factors]: by (Y'Y + alpha S'S + lambda I) x = (1 + alpha) S'1, S being what a record has."""
        module, items, vectors = self._arrays.module, self._items, self._vectors
        counts = starts[1:] - starts[:-1]
        records, factors = counts.size, vectors.shape[1]
        ones = module.ones(owned.size, module.float64)
        rows = self._arrays.sparse.csr_matrix((ones, owned, starts), shape=(records, len(vectors)), copy=True)
        systems = module.empty((records, factors, factors), module.float64)
        gram = vectors.T @ vectors
        for factor in range(factors):  # all at a time would take a square of factors for each item
            systems[:, factor] = gram[factor] + items.alpha * (rows @ (vectors * vectors[:, factor : factor + 1]))
        ridge = penalties(counts, len(vectors), items.alpha, items.regularization, items.scaling)
        # A record without items has the vector 0, whatever its penalty.
        ridge = module.where(counts > 0, module.asarray(ridge), 1.0)
        systems += ridge[:, None, None] * module.eye(factors)
        right = (1 + items.alpha) * (rows @ vectors)
        return module.linalg.solve(systems, right[:, :, None])[:, :, 0]
