"""ALS in float64, every row solved exactly by LAPACK: what answers of the stage `als` are checked against."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from .stages.als import AlsProblem

MOST_OPERATIONS = 6e11
"""Of a reference, by `operations`: about a minute of one core; 4.5 million pairs at 64 factors and 15 iterations."""
_BATCH_BYTES = 1 << 21
"""Of the stored vectors of one batch: few enough to stay in a cache, enough for NumPy's calls not to be felt."""


def operations(shape: tuple[int, int], pairs: int, factors: int, iterations: int) -> float:
    """Multiplications of all iterations: of a row's vectors with one another, and to solve its equations."""
    return iterations * (2.0 * pairs * factors**2 + sum(shape) * factors**3 / 3)


def exact_als(problem: "AlsProblem") -> tuple[np.ndarray, np.ndarray]:
    """float64[users, factors] and float64[items, factors] after the problem's iterations, every row solved exactly."""
    extra = problem.extra_confidences()
    transposed = sp.csr_matrix(extra.T)
    user_penalties, item_penalties = problem.penalties()
    users, items = problem.user_start.astype(np.float64), problem.item_start.astype(np.float64)
    for _ in range(problem.iterations):
        users = exact_rows(extra, items, user_penalties)
        items = exact_rows(transposed, users, item_penalties)
    return users, items


def exact_rows(extra: sp.csr_matrix, others: np.ndarray, row_penalties: np.ndarray) -> np.ndarray:
    """float64[rows, factors]: the vectors that minimise the loss, those of the other side held.

    The normal equations are (Y'Y + lambda_u I + S'WS) x = S'c, S being the n vectors of the row's items, W = c - 1.
    Where n is below the factors, S' is moved through the inverse and n equations are solved instead.

    Args:
        extra: CSR, rows x others, c - 1.
        others: float64[others, factors].
        row_penalties: float64[rows].

    """
    factors = others.shape[1]
    found = np.zeros((extra.shape[0], factors))
    with threadpool_limits(1, "blas"):  # the matrices are small: threads would wait for each other
        values, basis = np.linalg.eigh(others.T @ others)
        rotated = others @ basis  # Y'Y is diagonal for it
        for rows in _batches_by_length(np.diff(extra.indptr), factors):
            entries = extra.indptr[rows, None] + np.arange(extra.indptr[rows[0] + 1] - extra.indptr[rows[0]])
            stored, weights = rotated[extra.indices[entries]], extra.data[entries].astype(np.float64)[:, :, None]
            diagonal = np.maximum(values, 0) + row_penalties[rows, None]
            if entries.shape[1] < factors:
                scaled = stored / diagonal[:, None, :]
                system = np.eye(entries.shape[1]) + weights * (scaled @ stored.transpose(0, 2, 1))
                found[rows] = (scaled.transpose(0, 2, 1) @ np.linalg.solve(system, 1 + weights))[:, :, 0]
            else:
                system = stored.transpose(0, 2, 1) @ (weights * stored) + diagonal[:, :, None] * np.eye(factors)
                right = stored.transpose(0, 2, 1) @ (1 + weights)
                found[rows] = np.linalg.solve(system, right)[:, :, 0]
        return found @ basis.T


def _batches_by_length(lengths: np.ndarray, factors: int) -> Iterator[np.ndarray]:
    """The numbers of the rows that have entries, in batches of rows of one length."""
    order = np.argsort(lengths, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        length = int(lengths[rows].max(initial=0))
        if length == 0:
            continue
        batch = max(1, _BATCH_BYTES // (8 * (length + min(length, factors)) * factors))
        yield from (rows[at : at + batch] for at in range(0, len(rows), batch))
