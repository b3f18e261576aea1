"""The best items of users on the device: approximate scores by CuPy, selection and exact ones by kernels/top_k.cu."""

import os
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import UnsupportedModelError
from ..pipeline.score_rounding import at_least, lengths_of, rounding_bound
from .cuda_source import THREADS, load

SCORE_BYTES = 256 << 20
"""For the scores of the users that are served at a time."""
MOST_SHARED_BYTES = 40 << 10
ROUND = 512
"""As in top_k.cu."""
STRANDS_OF_A_PLACE = 2
"""Twice as many strands as places leave about 1.4 k candidates; 256 for a list of ten, 10.2."""


class Hidden(NamedTuple):
    """Items that users are not shown: int64[n + 1] and int32 of a CSR matrix, and int32[b] for all users."""

    pointers: Any
    owned: Any
    barred: Any

    @classmethod
    def of(cls, cupy: Any, owned: sp.csr_matrix, barred: np.ndarray) -> "Hidden":
        """Copy them to the device."""
        arrays = owned.indptr.astype(np.int64), owned.indices.astype(np.int32), barred.astype(np.int32)
        return cls(*map(cupy.asarray, arrays))

    def part(self, first: int, last: int) -> "Hidden":
        """Those of some users."""
        return Hidden(self.pointers[first : last + 1], self.owned, self.barred)


class Users(NamedTuple):
    """float32[n, factors] vectors, the same times a power of two, and float64[n], twice what a score can be off."""

    vectors: Any
    scaled: Any
    margins: Any

    def part(self, first: int, last: int) -> "Users":
        """Some of them."""
        return Users(*(each[first:last] for each in self))


class DeviceTopK:
    """The k items of the highest scores for any users, the same lists as the CPU's `TopK`.

    A score is the product of two float32 vectors, summed in float64 over the factors in order. Equal scores: the lower
    item number comes first. Scores of all items are computed in float32, and what can be among the best by the bound
    of their rounding error (Higham, *Accuracy and stability of numerical algorithms*, 2002, section 3.1) is scored
    again in float64.
    """

    def __init__(self, cupy: Any, item_vectors: np.ndarray, k: int) -> None:
        """Copy float32[m, factors], finite, to the device, for lists of k, and compile the kernels.

        Raises:
            UnsupportedModelError: k is too large, or CuPy is told to round products to TF32.

        """
        self._k, self._count = k, min(k, len(item_vectors))
        strands = max(THREADS, STRANDS_OF_A_PLACE * self._count)
        self._shared_bytes = 16 * (self._count + 2 * ROUND) + 4 * strands
        if self._shared_bytes > MOST_SHARED_BYTES:
            most = (MOST_SHARED_BYTES - 32 * ROUND) // (16 + 4 * STRANDS_OF_A_PLACE)
            raise UnsupportedModelError(f"k={k}: a list on the GPU has at most {most} places; use native, on the CPU")
        if os.environ.get("CUPY_TF32", "0") not in {"", "0"}:
            raise UnsupportedModelError("CUPY_TF32 is set, under which products are not float32's: unset it")
        self._cupy, self._strands = cupy, np.int32(strands)
        # CuPy would keep another order of an array, which the kernels do not know.
        item_vectors = np.ascontiguousarray(item_vectors)
        lengths = lengths_of(item_vectors)
        # Of vectors between 1/2 and 1 long neither products overflow, nor are they flushed to 0 if they matter.
        exponent = int(np.frexp(lengths.max())[1])
        scaled = np.ldexp(item_vectors.astype(np.float64), -exponent).astype(np.float32)
        self._longest = float(at_least(np.ldexp(lengths.max(), -exponent)))
        self._items, self._scaled = cupy.asarray(item_vectors), cupy.asarray(scaled)
        module = load(cupy, "top_k.cu")
        self._hide_items, self._select_best = (module.get_function(name) for name in ("hide_items", "select_best"))

    def users(self, vectors: np.ndarray) -> Users:
        """Copy float32[n, factors], finite, to the device."""
        lengths = lengths_of(vectors)
        exponents = np.frexp(lengths)[1]
        scaled = np.ldexp(vectors.astype(np.float64), -exponents[:, None]).astype(np.float32)
        bounds = rounding_bound(at_least(np.ldexp(lengths, -exponents)), self._longest, vectors.shape[1])
        return Users(*map(self._cupy.asarray, (np.ascontiguousarray(vectors), scaled, 2 * bounds)))

    def lists(self, users: Users, hidden: Hidden) -> Any:
        """int32[n, k] on the device, by rank; -1 where a list has ended."""
        cupy, n, items = self._cupy, len(users.vectors), len(self._items)
        found = cupy.full((n, self._k), -1, np.int32)
        step = max(1, SCORE_BYTES // (4 * items))
        for first in range(0, n, step):
            last = min(first + step, n)
            part = self._best(users.part(first, last), hidden.part(first, last))
            found[first:last, : self._count] = part
        return found

    def _best(self, users: Users, hidden: Hidden) -> Any:
        n, (items, factors) = len(users.vectors), self._items.shape
        scores = self._cupy.matmul(users.scaled, self._scaled.T)
        best = self._cupy.empty((n, self._count), np.int32)
        self._hide_items((n,), (THREADS,), (*hidden, np.int32(hidden.barred.size), np.int32(items), scores))
        vectors = users.vectors, self._items, np.int32(factors)
        arguments = scores, np.int32(items), users.margins, *vectors, np.int32(self._count), self._strands, best
        self._select_best((n,), (THREADS,), arguments, shared_mem=self._shared_bytes)
        return best
