"""A strict stand-in for `cupyx.scipy.sparse`: SciPy's products of the stand-in's arrays, where CuPy has them, too."""

import sys
from types import ModuleType
from typing import Any

import pytest
import scipy.sparse as sp

from .standin import Array, NotOnTheDevice, StandIn, _on_host

DTYPES = "?fdFD"
"""What cupyx's sparse matrices hold: bool, float32, float64, complex."""


class csr_matrix:
    """As `cupyx.scipy.sparse.csr_matrix` of its three arrays."""

    def __init__(self, parts: tuple[Array, Array, Array], shape: tuple[int, int], copy: bool = False) -> None:
        data, indices, pointers = map(_on_host, parts)
        if data.dtype.char not in DTYPES:
            raise NotOnTheDevice(f"cupyx's CSR holds bool, float32, float64 and complex numbers, not {data.dtype}")
        if len(pointers) != shape[0] + 1 or pointers[-1] != len(indices) or len(data) != len(indices):
            raise NotOnTheDevice("the three arrays of a CSR matrix do not belong together")
        self._parts = [_on_host(Array(each.copy())) if copy else each for each in (data, indices, pointers)]
        self._shape = shape

    @classmethod
    def _of(cls, matrix: sp.csr_matrix) -> "csr_matrix":
        return cls(tuple(map(Array, (matrix.data, matrix.indices, matrix.indptr))), matrix.shape)

    def _sorted(self) -> sp.csr_matrix:
        """As CuPy does before a product: the columns of each row in order, in the very arrays that it was given."""
        matrix = sp.csr_matrix(tuple(self._parts), shape=self._shape, copy=True)
        matrix.sort_indices()
        self._parts[0][:], self._parts[1][:] = matrix.data, matrix.indices
        return matrix

    def __getitem__(self, rows: slice) -> "csr_matrix":
        if not isinstance(rows, slice):
            raise NotOnTheDevice("the stand-in has no such part of a matrix yet")
        return self._of(sp.csr_matrix(tuple(self._parts), shape=self._shape)[rows])

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, csr_matrix):
            return self._of(self._sorted() @ other._sorted())
        if not isinstance(other, Array):
            raise NotOnTheDevice(f"cupyx multiplies no {type(other)}")
        return Array(self._sorted() @ _on_host(other))

    def __sub__(self, other: "csr_matrix") -> "csr_matrix":
        return self._of(self._sorted() - other._sorted())

    def toarray(self) -> Array:
        return Array(self._sorted().toarray())


class Sparse(ModuleType):
    """In the place of the module."""

    csr_matrix = csr_matrix


def in_place_of_cupy(patch: pytest.MonkeyPatch, cupy: StandIn) -> None:
    """What imports `cupy` and `cupyx` gets the stand-ins."""
    cupyx, scipy, sparse = ModuleType("cupyx"), ModuleType("cupyx.scipy"), Sparse("cupyx.scipy.sparse")
    cupyx.scipy, scipy.sparse = scipy, sparse
    for name, module in (
        ("cupy", cupy),
        ("cupyx", cupyx),
        ("cupyx.scipy", scipy),
        ("cupyx.scipy.sparse", sparse),
    ):
        patch.setitem(sys.modules, name, module)
