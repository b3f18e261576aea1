"""The largest contributions of each row of a tile, and the rows' margins, while the tile's sums are in the cache."""

import numpy as np
from numba import njit

ROWS_IN_CACHE = 64
"""Rows that are looked at together: each feature is read in runs of 256 bytes."""


@njit(cache=True, nogil=True)
def write_top(
    sums: np.ndarray,
    bias: float,
    used: np.ndarray,
    order: np.ndarray,
    features: np.ndarray,
    values: np.ndarray,
    margins: np.ndarray,
    start: int,
    rows: int,
    output: int,
) -> None:
    """Fill ``features`` and ``values`` with an output's contributions largest in size, and ``margins``, from ``start``.

    sums: float32[used features + 1, >= rows], the last row scrap; used: int32[used features], their columns.
    order: int64[used features], in which they are looked at: the sooner the large ones come, the less is moved.
    features: int32[n, outputs, k]; values: float32[n, outputs, k], what is beyond the used features left as it is;
    margins: float64[n, outputs].
    """
    k = min(values.shape[2], len(order))
    least = np.empty(ROWS_IN_CACHE, np.float32)
    total = np.empty(ROWS_IN_CACHE, np.float64)
    for first in range(0, rows, ROWS_IN_CACHE):
        block = min(ROWS_IN_CACHE, rows - first)
        least[:] = np.inf if k == 0 else -1
        total[:] = bias
        for seen in range(len(order)):
            position = int(order[seen])
            contribution = sums[position, first : first + block]
            larger = 0
            for row in range(block):
                total[row] += contribution[row]
                larger += abs(contribution[row]) > least[row]
            if larger == 0:
                continue
            for row in range(block):
                if abs(contribution[row]) > least[row]:
                    at = start + first + row
                    last = min(seen, k - 1)
                    size = insert(contribution[row], used[position], features[at, output], values[at, output], last)
                    least[row] = size if seen >= k - 1 else -1
        margins[start + first : start + first + block, output] = total[:block]


@njit(cache=True, nogil=True)
def insert(value: np.float32, feature: int, features: np.ndarray, values: np.ndarray, last: int) -> np.float32:
    """Put a contribution into its place up to ``last``, whose present one falls out; returns the least size then."""
    place = last
    while place > 0 and abs(values[place - 1]) < abs(value):
        values[place], features[place] = values[place - 1], features[place - 1]
        place -= 1
    values[place], features[place] = value, feature
    return abs(values[last])
