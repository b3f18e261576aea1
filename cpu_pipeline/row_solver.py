"""Half an iteration of ALS: all vectors of one side, those of the other side held.

Let Y'Y = Q D Q' for the vectors of the other side. In the coordinates z of x = Q (D + lambda)^-1/2 z, what the pairs
that are *not* stored cost is |z|^2: the dense product of each row and step is gone, for one small eigenproblem per half
iteration. A row with a lambda of its own has a diagonal M = (D + lambda_u) / (D + lambda) in its place.
(Hu, Koren, Volinsky 2008 take Y'Y out of the rows' sums; Takacs, Pilaszy, Tikk 2011 take conjugate gradients.)
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

_LEAST_PARTS, _MOST_PARTS, _PART_ENTRIES = 8, 256, 1 << 15
"""Parts of a side, with about as many entries each: few enough for what a part costs besides not to be felt, and many
enough for threads to end together. They do not depend on the threads, so no sum does.
"""
_BLOCK_ROWS = 1024
"""Rows of one dense product."""
_LANES = 16
"""Coordinates are filled up with zeros to a multiple of this, so that vector instructions leave no rest."""


class Coordinates(NamedTuple):
    """Where all vectors of a side together have a Gram matrix of at most 1.

    to, back: float32[factors, width]; z = x to, and x = z back'. The other side's vectors y become y back.
    inverse: float32[width], 1 / (D + lambda), 0 in the columns that fill up.
    """

    to: np.ndarray
    back: np.ndarray
    inverse: np.ndarray

    @classmethod
    def of(cls, gram: np.ndarray, penalty: float) -> "Coordinates":
        """From float64[factors, factors] Y'Y, and the least lambda."""
        values, basis = np.linalg.eigh(gram)
        scale = np.sqrt(np.maximum(values, 0) + penalty)
        filled = [(0, 0), (0, -len(gram) % _LANES)]
        return cls(
            to=np.pad(basis * scale, filled).astype(np.float32),
            back=np.pad(basis / scale, filled).astype(np.float32),
            inverse=np.pad(scale**-2.0, filled[1]).astype(np.float32),
        )


def gram(vectors: np.ndarray) -> np.ndarray:
    """float64[factors, factors] of float32[n, factors]: products in float32 by parts, which are added in float64."""
    from .kernels.threads import on_threads

    parts = on_threads(lambda rows: vectors[rows].T @ vectors[rows], _blocks(len(vectors)))
    return np.sum(parts, axis=0, dtype=np.float64) if parts else np.zeros((vectors.shape[1],) * 2)


@dataclass(frozen=True)
class RowSolver:
    """The rows of one side, to be solved again and again for other vectors of the other side.

    BLAS is called from several threads at once: `kernels.blas.one_blas_thread` is for that.

    pointers: int[rows + 1]; items: uint32[entries]; strengths: float32[entries]: the matrix as CSR.
    alpha: c = 1 + alpha r.
    penalty: the least lambda of a row; excess: float32[rows], what each row's is above it.
    parts: slices of the rows, with about as many entries each.
    """

    pointers: np.ndarray
    items: np.ndarray
    strengths: np.ndarray
    alpha: np.float32
    penalty: float
    excess: np.ndarray
    parts: list[slice]

    @classmethod
    def of(cls, strengths: sp.csr_matrix, alpha: float, penalties: np.ndarray) -> "RowSolver":
        """From CSR float32 r, rows x others, alpha, and float64[rows] lambda of each row, all above 0.

        Nothing is copied, but for indices of int64, which SciPy takes for more than 2^31 entries.
        """
        # Unsigned: no check for negative numbers in the loops.
        items = strengths.indices.astype(np.int32, copy=False).view(np.uint32)
        least = float(penalties.min()) if len(penalties) else 1.0
        excess = (penalties - least).astype(np.float32)
        parts = _parts_by_entries(strengths.indptr)
        return cls(strengths.indptr, items, strengths.data, np.float32(alpha), least, excess, parts)

    def run(self, steps: int, others: np.ndarray, others_gram: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, float]:
        """Improve ``own`` by conjugate gradients from what it holds.

        Args:
            steps: at most so many a row.
            others: float32[others, factors].
            others_gram: float64[factors, factors], `gram` of them.
            own: float32[rows, factors], in and out.

        Returns:
            `gram` of the new vectors, and the loss but for the sum of all stored c and what the other side's lengths
            cost.

        """
        from .kernels.conjugate_gradients import improve_rows
        from .kernels.threads import on_threads

        coordinates = Coordinates.of(others_gram, self.penalty)
        vectors = np.empty((len(others), coordinates.back.shape[1]), np.float32)

        def change(rows: slice) -> None:
            np.matmul(others[rows], coordinates.back, out=vectors[rows])

        def solve(rows: slice) -> tuple[np.ndarray, float]:
            found, values = own[rows] @ coordinates.to, np.empty(rows.stop - rows.start)
            pointers = self.pointers[rows.start : rows.stop + 1]
            entries = self.items, self.strengths, self.alpha
            improve_rows(steps, pointers, *entries, vectors, self.excess[rows], coordinates.inverse, found, values)
            own[rows] = found @ coordinates.back.T
            return own[rows].T @ own[rows], float(values.sum())

        on_threads(change, _blocks(len(others)))
        done = on_threads(solve, self.parts)
        if not done:
            return np.zeros_like(others_gram), 0.0
        return np.sum([part for part, _ in done], axis=0, dtype=np.float64), sum(value for _, value in done)


def _blocks(rows: int) -> list[slice]:
    from .kernels.threads import row_slices

    return row_slices(rows, -(-rows // _BLOCK_ROWS))


def _parts_by_entries(pointers: np.ndarray) -> list[slice]:
    """Slices of rows with about as many entries each; a row counts as one entry more."""
    work = pointers + np.arange(len(pointers))
    parts = min(max(_LEAST_PARTS, int(work[-1]) // _PART_ENTRIES), _MOST_PARTS)
    cuts = np.unique(np.searchsorted(work, np.linspace(0, work[-1], parts + 1)))
    return [slice(int(first), int(last)) for first, last in pairwise(cuts)]
