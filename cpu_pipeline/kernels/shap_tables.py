"""Add up the look-ups of `technobench.pipeline.shap_tables` for a tile of rows, features by rows."""

import numpy as np
from numba import njit

from .gather import LANES, add_pairs, prefetch

ROWS_IN_CACHE = 64
"""Rows turned at a time: a cache line of each is written whole, and each feature is read in runs of 256 bytes."""


@njit(cache=True, nogil=True)
def add_tables(
    codes: np.ndarray,
    question_offsets: np.ndarray,
    pair_offsets: np.ndarray,
    table_offsets: np.ndarray,
    column: np.ndarray,
    rank: np.ndarray,
    rare_right: np.ndarray,
    pairs: np.ndarray,
    tables: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Add each group's values at the rows' patterns to ``sums``.

    codes: uint8[columns, rows], rows a multiple of 16; sums: float32[cells + 1, rows], the last row scrap;
    between them the fields of `ShapTables`.
    """
    rows = codes.shape[1]
    numbers = tables.ravel()
    pattern = np.empty(rows, np.uint16)
    for group in range(len(table_offsets)):
        first_question, last_question = question_offsets[group], question_offsets[group + 1]
        find_patterns(
            codes,
            column[first_question:last_question],
            rank[first_question:last_question],
            rare_right[first_question:last_question],
            pattern,
        )
        start, entries = table_offsets[group], 1 << (last_question - first_question)
        for pair in range(pair_offsets[group], pair_offsets[group + 1]):
            table = tables[start : start + entries]
            first, second = sums[pairs[pair, 0]], sums[pairs[pair, 1]]
            start += entries
            ahead = min(rows, (2 * entries + LANES - 1) // LANES * LANES)
            for row in range(0, ahead, LANES):
                prefetch(numbers, 2 * start + row)  # the table that comes next lies right behind
                add_pairs(first, second, table, pattern, row)
            for row in range(ahead, rows, LANES):
                add_pairs(first, second, table, pattern, row)


@njit(cache=True, nogil=True)
def find_patterns(
    codes: np.ndarray,
    column: np.ndarray,
    rank: np.ndarray,
    rare_right: np.ndarray,
    pattern: np.ndarray,
) -> None:
    """The rows' patterns, uint16: bit i is set where the row's answer to question i is the rare one."""
    pattern[:] = 0
    for question in range(len(column)):
        code, least = codes[column[question]], rank[question]
        bit = np.uint16(1 << question)
        if rare_right[question]:
            for row in range(len(pattern)):
                pattern[row] |= bit if code[row] >= least else np.uint16(0)
        else:
            for row in range(len(pattern)):
                pattern[row] |= bit if code[row] < least else np.uint16(0)


@njit(cache=True, nogil=True)
def write_rows(
    sums: np.ndarray,
    bias: float,
    values: np.ndarray,
    start: int,
    rows: int,
    first_column: int,
) -> None:
    """Turn ``sums`` of a tile into rows of ``values``, float32[n, columns], from row ``start`` on, bias last.

    They take used features + 1 columns from ``first_column`` on.
    """
    used = sums.shape[0] - 1
    whole = used // LANES * LANES
    for first_row in range(0, rows, ROWS_IN_CACHE):
        last_row = min(first_row + ROWS_IN_CACHE, rows)
        for first in range(0, whole, LANES):
            for row in range(first_row, last_row):
                for lane in range(LANES):
                    # Unsigned, so that no negative place has to be looked out for.
                    values[np.uint64(start + row), np.uint64(first_column + first + lane)] = sums[
                        np.uint64(first + lane), np.uint64(row)
                    ]
        for row in range(first_row, last_row):
            for feature in range(whole, used):
                values[start + row, first_column + feature] = sums[feature, row]
            values[start + row, first_column + used] = bias


@njit(cache=True, nogil=True)
def write_cells(
    sums: np.ndarray,
    cells: np.ndarray,
    places: np.ndarray,
    values: np.ndarray,
    start: int,
    rows: int,
) -> None:
    """Turn ``sums`` of a tile into rows of ``values``, from row ``start`` on: ``cells[k]`` goes to ``places[k]``.

    cells, places: int64; values: float32[n, columns].
    """
    for first_row in range(0, rows, ROWS_IN_CACHE):
        last_row = min(first_row + ROWS_IN_CACHE, rows)
        for first in range(0, len(cells), LANES):
            for row in range(first_row, last_row):
                for k in range(first, min(first + LANES, len(cells))):
                    values[np.uint64(start + row), np.uint64(places[k])] = sums[np.uint64(cells[k]), np.uint64(row)]
