"""The best items of users on the device: approximate scores by CuPy, selection and exact ones by kernels/top_k.cu."""

import os
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import UnsupportedModelError
from ..pipeline.score_rounding import at_least, lengths_of, rounding_bound
from .cuda_source import THREADS, load
from .device_memory import BLOCK, copied

SCORE_BYTES = 256 << 20
"""At most, for the scores of the users that are served at a time."""
MOST_SHARED_BYTES = 40 << 10
ROUND = 512
"""As in top_k.cu."""
STRANDS_OF_A_PLACE = 2
"""Twice as many strands as places leave about 1.4 k candidates; 256 for a list of ten, 10.2."""
_FRACTION, _EXPONENT = 0x007FFFFF, 0x7F800000
"""Bits of a float32."""
_LEAST = 2.0**-149
_DOUBLES_OF_A_NUMBER = 5
"""`DeviceTopK.users` holds so many float64 at once for each number of the vectors, what it returns among them."""


class Selection(NamedTuple):
    """How a block of top_k.cu takes the k greatest of a row."""

    k: int
    strands: int
    shared_bytes: int

    @classmethod
    def of(cls, k: int) -> "Selection":
        """For k places.

        Raises:
            UnsupportedModelError: a block's shared memory does not hold so many.

        """
        strands = max(THREADS, STRANDS_OF_A_PLACE * k)
        shared_bytes = 16 * (k + 2 * ROUND) + 4 * strands
        if shared_bytes > MOST_SHARED_BYTES:
            most = (MOST_SHARED_BYTES - 32 * ROUND) // (16 + 4 * STRANDS_OF_A_PLACE)
            raise UnsupportedModelError(f"k={k}: a list on the GPU has at most {most} places; use native, on the CPU")
        return cls(k, strands, shared_bytes)

    def arguments(self) -> tuple[np.int32, np.int32]:
        """What kernels take."""
        return np.int32(self.k), np.int32(self.strands)


class Hidden(NamedTuple):
    """Items that users are not shown, on the device: rows of a CSR matrix, and int32[b] for all users.

    pointers: int64[n + 1], where the users' rows begin in ``owned``, int32.
    """

    pointers: Any
    owned: Any
    barred: Any

    @classmethod
    def of(cls, cupy: Any, owned: sp.csr_matrix, barred: Any) -> "Hidden":
        """Copy what users have to the device, where ``barred`` lies."""
        return cls(cupy.asarray(owned.indptr.astype(np.int64)), cupy.asarray(owned.indices.astype(np.int32)), barred)

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


class Lists(NamedTuple):
    """int32[n, k] items by rank, -1 where a list has ended, and float32[n, k] their scores, -inf there."""

    items: Any
    scores: Any


class DeviceTopK:
    """The k items of the highest scores for any users, the same lists as the CPU's `TopK`.

    A score is the product of two float32 vectors, summed in float64 over the factors in order. Equal scores: the lower
    item number comes first. Scores of all items are computed in float32, and what can be among the best by the bound
    of their rounding error (Higham, *Accuracy and stability of numerical algorithms*, 2002, section 3.1) is scored
    again in float64.

    items: float32[m, factors] on the device.
    """

    def __init__(self, cupy: Any, item_vectors: np.ndarray, k: int) -> None:
        """Copy float32[m, factors], finite, to the device, for lists of k, and compile the kernels.

        Raises:
            UnsupportedModelError: k is too large, or CuPy is told to round products to TF32.
            DeviceError: the vectors do not fit into the device's memory.

        """
        self._selection = Selection.of(min(k, len(item_vectors)))
        if os.environ.get("CUPY_TF32", "0") not in {"", "0"}:
            raise UnsupportedModelError("CUPY_TF32 is set, under which products are not float32's: unset it")
        self._cupy, self._k = cupy, k
        # CuPy would keep another order of an array, which the kernels do not know.
        item_vectors = np.ascontiguousarray(item_vectors)
        lengths = lengths_of(item_vectors)
        # Of vectors between 1/2 and 1 long neither products overflow, nor are they flushed to 0 if they matter.
        exponent = int(np.frexp(lengths.max())[1])
        scaled = np.ldexp(item_vectors.astype(np.float64), -exponent).astype(np.float32)
        self._longest = float(at_least(np.ldexp(lengths.max(), -exponent)))
        self.items, self._scaled = copied(cupy, (item_vectors, scaled))
        module = load(cupy, "top_k.cu")
        self._hide_items, self._select_best = (module.get_function(name) for name in ("hide_items", "select_best"))

    @property
    def bytes_of_a_user(self) -> int:
        """Of a user's vector, what `users` takes for it, and what `lists` returns."""
        return 8 * (_DOUBLES_OF_A_NUMBER * self.items.shape[1] + self._k) + 64

    def scratch_bytes(self, left: int) -> int:
        """What to give `lists` for its scores where so many bytes are left: half, but enough for a user's."""
        return max(4 * len(self.items) + BLOCK, min(SCORE_BYTES, left // 2))

    def users(self, vectors: Any) -> Users:
        """What lists come from: float32[n, factors], finite, by rows, on the device."""
        wide = _widened(self._cupy, vectors)
        lengths = self._cupy.sqrt((wide * wide).sum(axis=1))
        exponents = self._cupy.frexp(lengths)[1]
        scaled = self._cupy.ldexp(wide, -exponents[:, None]).astype(np.float32)
        bounds = rounding_bound(at_least(self._cupy.ldexp(lengths, -exponents)), self._longest, vectors.shape[1])
        return Users(vectors, scaled, 2 * bounds)

    def lists(self, users: Users, hidden: Hidden, scratch_bytes: int = SCORE_BYTES) -> Lists:
        """The lists on the device; it takes ``scratch_bytes`` of its memory, or what the scores of one user need."""
        cupy, n, items = self._cupy, len(users.vectors), len(self.items)
        found = Lists(cupy.empty((n, self._k), np.int32), cupy.empty((n, self._k), np.float32))
        step = max(1, (scratch_bytes - BLOCK) // (4 * items))
        for first in range(0, n, step):
            last = min(first + step, n)
            part = Lists(*(each[first:last] for each in found))
            self._fill(part, users.part(first, last), hidden.part(first, last))
        return found

    def _fill(self, lists: Lists, users: Users, hidden: Hidden) -> None:
        n, (items, factors) = len(users.vectors), self.items.shape
        scores = self._cupy.matmul(users.scaled, self._scaled.T)
        self._hide_items((n,), (THREADS,), (*hidden, np.int32(hidden.barred.size), np.int32(items), scores))
        vectors = users.vectors, self.items, np.int32(factors)
        places = *self._selection.arguments(), np.int32(self._k)
        arguments = scores, np.int32(items), users.margins, *vectors, *places, *lists
        self._select_best((n,), (THREADS,), arguments, shared_mem=self._selection.shared_bytes)


def _widened(cupy: Any, values: Any) -> Any:
    """float64 of the same numbers: CuPy's conversion takes the smallest ones for 0, as its comparisons do."""
    bits = values.view(np.int32)
    denormal = (bits & _FRACTION) * _LEAST
    return cupy.where((bits & _EXPONENT) != 0, values, cupy.where(bits < 0, -denormal, denormal))
