"""Rows of a regularised least-squares problem by a few steps of conjugate gradients from where they are.

In the coordinates that `row_solver` gives, a row's equations are (M + S'WS) z = S'c with M near 1: S are the vectors of
the row's n items, W = c - 1 on the diagonal. So a step costs two products with S, no dense one, and since all of the
vectors together have S'S <= 1 the eigenvalues lie between 1 and the largest confidence (M = 1): few steps go far.

What a loop over rows calls is put into its code before that is compiled. Called, a function with reordered sums has two
compiled forms: by itself, which the process that compiles it uses, and as a part of the cached code of its caller,
which every later process uses; they add in different orders.
"""

import numpy as np
from numba import njit

_REORDERED = {"reassoc", "contract", "arcp", "nsz"}
"""Sums may be taken in the order that vector instructions like; infinities and NaN keep their meaning."""
_EXACT = np.float32(1e-10)
"""Squared residual, relative to the solution's squared length, at which a row is solved: eigenvalues are at least 1, so
that the error is at most 1e-5 of the solution, and the loss at most 1e-10 above the least.
"""
_NOTHING = np.float32(1e-30)


@njit(inline="always")
def _entry(
    at: int, end: int, items: np.ndarray, strengths: np.ndarray, alpha: np.float32
) -> tuple[np.uint32, np.float32, np.float32]:
    """Item, c - 1 and c of an entry; beyond the row's end the last item with neither, so that fours need no rest."""
    if at < end:
        extra = alpha * strengths[at]
        return items[at], extra, np.float32(1) + extra
    return items[end - 1], np.float32(0), np.float32(0)


@njit(inline="always")
def add_products(
    start: int,
    end: int,
    items: np.ndarray,
    strengths: np.ndarray,
    alpha: np.float32,
    vectors: np.ndarray,
    wanted: float,
    along: np.ndarray,
    out: np.ndarray,
) -> float:
    """Add wanted S'c - S'WS v to ``out``; return v'S'WS v - 2 wanted v'S'c. v is ``along``.

    Args:
        start: first entry of the row.
        end: entry after its last one.
        items: uint32[entries].
        strengths: float32[entries], r.
        alpha: c = 1 + alpha r.
        vectors: float32[items, width].
        wanted: 1 for the residual of v, 0 for a product alone.
        along: float32[width].
        out: float32[width]; empty, nothing is added.

    """
    width, adds, share = len(along), len(out) > 0, np.float32(wanted)
    total = 0.0
    for at in range(start, end, 4):
        item0, extra0, c0 = _entry(at, end, items, strengths, alpha)
        item1, extra1, c1 = _entry(at + 1, end, items, strengths, alpha)
        item2, extra2, c2 = _entry(at + 2, end, items, strengths, alpha)
        item3, extra3, c3 = _entry(at + 3, end, items, strengths, alpha)
        dot0, dot1, dot2, dot3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for k in range(width):
            dot0 += vectors[item0, k] * along[k]
            dot1 += vectors[item1, k] * along[k]
            dot2 += vectors[item2, k] * along[k]
            dot3 += vectors[item3, k] * along[k]
        c0, c1, c2, c3 = share * c0, share * c1, share * c2, share * c3
        add0, add1, add2, add3 = c0 - extra0 * dot0, c1 - extra1 * dot1, c2 - extra2 * dot2, c3 - extra3 * dot3
        total -= dot0 * (c0 + add0) + dot1 * (c1 + add1) + dot2 * (c2 + add2) + dot3 * (c3 + add3)
        if adds:
            for k in range(width):
                out[k] += (
                    add0 * vectors[item0, k]
                    + add1 * vectors[item1, k]
                    + add2 * vectors[item2, k]
                    + add3 * vectors[item3, k]
                )
    return float(total)


@njit(cache=True, nogil=True, fastmath=_REORDERED)
def improve_rows(
    steps: int,
    pointers: np.ndarray,
    items: np.ndarray,
    strengths: np.ndarray,
    alpha: np.float32,
    vectors: np.ndarray,
    excess: np.ndarray,
    inverse: np.ndarray,
    found: np.ndarray,
    values: np.ndarray,
) -> None:
    """Take conjugate-gradient steps on rows, preconditioned by M = 1 + excess * inverse.

    Args:
        steps: at least 1.
        pointers: int[rows + 1], where the rows' entries are.
        items: uint32[entries].
        strengths: float32[entries], r.
        alpha: c = 1 + alpha r.
        vectors: float32[others, width], the other side's.
        excess: float32[rows], the row's lambda above that of the coordinates.
        inverse: float32[width], squared scale of the coordinates.
        found: float32[rows, width], in and out; 0 for rows without entries.
        values: float64[rows], out: z'(M + S'WS)z - 2 z'S'c, what of the loss depends on the row, less the sum of c.

    """
    width = found.shape[1]
    # One by one: as rows of one array they would have to be told apart in every loop.
    metric, preconditioner = np.empty(width, np.float32), np.empty(width, np.float32)
    residual, along, product = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    nothing = np.empty(0, np.float32)
    for row in range(len(found)):
        start, end, z = pointers[row], pointers[row + 1], found[row]
        if start == end:
            z[:] = 0
            values[row] = 0
            continue
        size, reached = np.float32(0), np.float32(0)
        for k in range(width):
            metric[k] = np.float32(1) + excess[row] * inverse[k]
            preconditioner[k] = np.float32(1) / metric[k]
            residual[k] = -metric[k] * z[k]
            reached += metric[k] * z[k] * z[k]
        value = reached + add_products(start, end, items, strengths, alpha, vectors, 1.0, z, residual)
        for k in range(width):
            along[k] = residual[k] * preconditioner[k]
            size += residual[k] * along[k]
        for step in range(steps):
            if size <= _EXACT * reached + _NOTHING:
                break
            curvature = np.float32(0)
            for k in range(width):
                product[k] = -metric[k] * along[k]
                curvature -= product[k] * along[k]
            # The last step's length needs no more than the products with the stored vectors.
            last = step == steps - 1
            out = nothing if last else product
            curvature += np.float32(add_products(start, end, items, strengths, alpha, vectors, 0.0, along, out))
            length = size / curvature
            value -= length * size
            size = _advance(length, size, preconditioner, along, product, residual, z)
            reached = np.float32(0)
            for k in range(width):
                reached += metric[k] * z[k] * z[k]
        values[row] = value


@njit(inline="always")
def _advance(
    length: float,
    size: float,
    preconditioner: np.ndarray,
    along: np.ndarray,
    product: np.ndarray,
    residual: np.ndarray,
    z: np.ndarray,
) -> np.float32:
    """Go ``length`` along the direction, turn to the next; return the residual's new size. ``product`` is negative."""
    width, new_size = len(z), np.float32(0)
    for k in range(width):
        z[k] += length * along[k]
        residual[k] += length * product[k]
        new_size += residual[k] * residual[k] * preconditioner[k]
    share = new_size / size
    for k in range(width):
        along[k] = residual[k] * preconditioner[k] + share * along[k]
    return np.float32(new_size)
