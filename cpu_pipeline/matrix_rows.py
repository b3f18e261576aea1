"""The rows of a matrix in the forms that the forest engines' kernels read."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import InputError


class Rows(NamedTuple):
    """``length`` rows from row ``first`` of a block: CSR arrays, or where ``indptr`` is None dense used columns.

    data: float32, of CSR [non-zeros] or dense [rows, used features]. indices: columns of the non-zeros, or the used
    features in order.
    """

    first: int
    length: int
    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray | None


def blocks(
    matrix: Any, features: int, used: np.ndarray, dense_rows: int, sparse_rows: int | None = None
) -> Iterator[tuple[int, Rows]]:
    """The matrix in blocks, each with its first row; of a dense one the used columns, ``dense_rows`` rows at a time.

    Args:
        matrix: n x ``features``: SciPy sparse, NumPy, or a pandas frame of numbers with its columns in model order.
        features: columns of the model.
        used: the columns that the model's splits use, ascending.
        dense_rows: most rows of a dense block.
        sparse_rows: most rows of a sparse block; None for the whole, of which nothing is copied.

    Raises:
        InputError: another number of columns, or values that are no numbers.

    """
    if getattr(matrix, "ndim", 2) != 2 or matrix.shape[1] != features:
        raise InputError(f"the model has {features} features, the matrix is {matrix.shape}")
    if sp.issparse(matrix):
        csr = matrix if matrix.format == "csr" else sp.csr_matrix(matrix)
        data = csr.data.astype(np.float32, copy=False)
        step = sparse_rows or max(1, csr.shape[0])
        for start in range(0, csr.shape[0], step):
            indptr = csr.indptr[start : start + step + 1]
            yield start, Rows(0, len(indptr) - 1, data, csr.indices, indptr)
        return
    for start in range(0, matrix.shape[0], dense_rows):
        block = _used_columns(matrix, slice(start, start + dense_rows), used)
        yield start, Rows(0, len(block), block, used, None)


def _used_columns(matrix: Any, rows: slice, features: np.ndarray) -> np.ndarray:
    """float32[rows, used features] of a NumPy array or pandas frame."""
    part = matrix[rows][:, features] if isinstance(matrix, np.ndarray) else _numbers(matrix.iloc[rows, features])
    try:
        return np.ascontiguousarray(part, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"the matrix holds what is no number ({error}); encode it as the model was trained") from error


def _numbers(frame: Any) -> np.ndarray:
    """The frame's values. Categories may be numbers themselves, and would be taken for their codes."""
    for name, kind in frame.dtypes.items():
        if hasattr(kind, "categories"):
            raise InputError(
                f"column {name!r} is of categories; give the codes that the model was trained on, NaN where missing: "
                f"frame[{name!r}].cat.set_categories(those of the training data, in their order).cat.codes"
                ".replace(-1, math.nan)"
            )
    return frame.to_numpy()
