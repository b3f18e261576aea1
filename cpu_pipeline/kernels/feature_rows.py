"""Raw columns and a technology matrix to the rows of the final CSR matrix: count the entries, then fill them in."""

import numpy as np
from numba import njit

from .memory import float64_at, int32_at, uint8_at

CATEGORICAL = 0
NUMERIC = 1
MARK = 2
_TILE_ROWS = 1024
"""Rows that are filled at a time, column by column, so that what they are filled with stays in the cache."""


@njit(cache=True, nogil=True, inline="always")
def _entry(
    row: int, kind: int, values: int, nulls: int, mark: int, target: int, column_of_code: np.ndarray
) -> tuple[int, np.float32]:
    """Final column and value of a raw column's entry in a row; column -1 where nothing is stored."""
    if nulls != 0 and uint8_at(nulls + row):
        return mark, np.float32(1)
    if kind == CATEGORICAL:
        return int(column_of_code[target + int32_at(values + 4 * row)]), np.float32(1)
    if kind == NUMERIC:
        value = np.float32(float64_at(values + 8 * row))
        return (target if value != 0 else -1), value
    return -1, np.float32(0)


@njit(cache=True, nogil=True)
def count_entries(
    first: int,
    last: int,
    kinds: np.ndarray,
    values: np.ndarray,
    nulls: np.ndarray,
    marks: np.ndarray,
    targets: np.ndarray,
    column_of_code: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Add to ``counts`` (int64[rows]) the entries that the raw columns give to the rows from ``first`` to ``last``.

    Args:
        first: first row.
        last: row after the last one.
        kinds: int64[columns]: `CATEGORICAL`, `NUMERIC` or `MARK` (nothing but the mark of nulls).
        values: int64[columns], address of int32 codes or of float64 numbers, one for each row; not read where null.
        nulls: int64[columns], address of one byte for each row, not 0 where the value is null; 0 for no nulls.
        marks: int64[columns], final column that marks nulls, or -1.
        targets: int64[columns], final column of the numbers; of codes, where they begin in ``column_of_code``.
        column_of_code: int32, final columns by code, -1 for none.
        counts: int64[rows].

    """
    for k in range(len(kinds)):
        for row in range(first, last):
            column, _ = _entry(row, kinds[k], values[k], nulls[k], marks[k], targets[k], column_of_code)
            counts[row] += column >= 0


@njit(cache=True, nogil=True)
def fill_entries(
    first: int,
    last: int,
    kinds: np.ndarray,
    values: np.ndarray,
    nulls: np.ndarray,
    marks: np.ndarray,
    targets: np.ndarray,
    column_of_code: np.ndarray,
    technology_starts: np.ndarray,
    technologies: np.ndarray,
    technology_columns: np.ndarray,
    row_starts: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
) -> None:
    """Fill ``indices`` and ``data`` of the rows from ``first`` to ``last``: technologies, then the raw columns.

    ``technology_starts`` and ``technologies`` are row pointers and indices of a CSR matrix of ones, whose columns go to
    the final ``technology_columns``; ``row_starts`` is int64[rows + 1], from the counts; the other arguments are those
    of `count_entries`.
    """
    cursor = np.empty(_TILE_ROWS, np.int64)
    for tile in range(first, last, _TILE_ROWS):
        tile_end = min(tile + _TILE_ROWS, last)
        for row in range(tile, tile_end):
            at = row_starts[row]
            for position in range(technology_starts[row], technology_starts[row + 1]):
                indices[at] = technology_columns[technologies[position]]
                data[at] = 1
                at += 1
            cursor[row - tile] = at
        for k in range(len(kinds)):
            for row in range(tile, tile_end):
                column, value = _entry(row, kinds[k], values[k], nulls[k], marks[k], targets[k], column_of_code)
                if column >= 0:
                    at = cursor[row - tile]
                    indices[at] = column
                    data[at] = value
                    cursor[row - tile] = at + 1
