"""Rows of numbered items: in how many rows a name is, and rows as sorted, distinct columns."""

import numpy as np
from numba import njit

from .bits import trailing_zeros

_ZERO = np.uint64(0)
_ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def count_records(
    tokens: np.ndarray, row_starts: np.ndarray, rows: int, name_of_item: np.ndarray, frequency: np.ndarray
) -> None:
    """Add to ``frequency`` (int64[names]) in how many of the first ``rows`` rows each name is found.

    ``name_of_item`` is int32[items], -1 where an item stands for no name.
    """
    last_row = np.full(len(frequency), -1, np.int64)
    for row in range(rows):
        for position in range(row_starts[row], row_starts[row + 1]):
            name = name_of_item[tokens[position]]
            if name >= 0 and last_row[name] != row:
                last_row[name] = row
                frequency[name] += 1


@njit(cache=True, nogil=True)
def _mark(bits: np.ndarray, marked_words: np.ndarray, column: int) -> None:
    word = column >> 6
    bits[word] |= _ONE << np.uint64(column & 63)
    marked_words[word >> 6] |= _ONE << np.uint64(word & 63)


@njit(cache=True, nogil=True)
def sort_rows(
    tokens: np.ndarray, row_starts: np.ndarray, column_of_item: np.ndarray, columns: int, ends: np.ndarray
) -> int:
    """Turn each row's items into its sorted, distinct columns, in the place of the tokens, row after row.

    A row's columns are marked as bits and read back in order: a repeat is the same bit, and nothing is compared. Words
    that hold a bit are bits of a second level, so that a row touches only its own.

    Args:
        tokens: int32[tokens], overwritten from ``row_starts[0]`` on.
        row_starts: int64[rows + 1], places in ``tokens``.
        column_of_item: int32[items], at least one; -1 where an item is no name, ``columns`` and above where its name
            is unseen.
        columns: number of the vocabulary's names.
        ends: int64[rows], filled with the place in ``tokens`` where each row's columns end.

    Returns:
        how many (row, unseen name) pairs there are.

    """
    bits = np.zeros((column_of_item.max() + 1) // 64 + 1, np.uint64)
    marked_words = np.zeros(len(bits) // 64 + 1, np.uint64)
    kept, unseen = row_starts[0], 0
    for row in range(len(ends)):
        for position in range(row_starts[row], row_starts[row + 1]):
            column = int(column_of_item[tokens[position]])
            if column >= 0:
                _mark(bits, marked_words, column)
        for group in range(len(marked_words)):
            marked = marked_words[group]
            while marked != _ZERO:
                word = group * 64 + trailing_zeros(marked)
                marked &= marked - _ONE
                found = bits[word]
                bits[word] = _ZERO
                while found != _ZERO:
                    column = word * 64 + trailing_zeros(found)
                    found &= found - _ONE
                    if column < columns:
                        tokens[kept] = column
                        kept += 1
                    else:
                        unseen += 1
            marked_words[group] = _ZERO
        ends[row] = kept
    return unseen
