"""Encode rows of a matrix into the 8-bit codes of `technobench.pipeline.threshold_codes`, features by rows."""

import numpy as np
from numba import njit

ROWS_IN_CACHE = 64
"""Rows coded at a time in a small array: their bytes would otherwise be scattered over as many pages as columns."""


@njit(cache=True, nogil=True)
def encode_value(
    value: float,
    row: int,
    first_column: int,
    last_column: int,
    offsets: np.ndarray,
    thresholds: np.ndarray,
    codes: np.ndarray,
) -> None:
    """Code a value that is not missing into row ``row`` of each of its feature's coded columns."""
    for column in range(first_column, last_column):
        code = np.int32(0)
        # All thresholds are compared, many at once: a search by halves takes three times as long on mispredictions.
        for place in range(np.uint64(offsets[column]), np.uint64(offsets[column + 1])):
            code += np.int32(1) if thresholds[place] <= value else np.int32(0)
        codes[column, row] = code


@njit(cache=True, nogil=True)
def encode_missing(
    missing: np.ndarray,
    codes: np.ndarray,
) -> None:
    """Fill uint8[columns, rows] with the code of a missing value."""
    for column in range(codes.shape[0]):
        codes[column, :] = missing[column]


@njit(cache=True, nogil=True)
def keep_parity(
    sets: np.ndarray,
    codes: np.ndarray,
) -> None:
    """Turn the numbers of thresholds into codes in the columns of categories, once the tile has the others'."""
    for column in sets:
        for row in range(codes.shape[1]):
            codes[column, row] &= np.uint8(1)


@njit(cache=True, nogil=True)
def encode_csr(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    start: int,
    rows: int,
    columns_of: np.ndarray,
    missing: np.ndarray,
    offsets: np.ndarray,
    thresholds: np.ndarray,
    sets: np.ndarray,
    codes: np.ndarray,
) -> None:
    """Codes of ``rows`` rows of a CSR matrix from row ``start`` on; what is not stored, and NaN, is missing.

    indptr, indices: as in scipy; data: float32; the next five are `ThresholdCodes.layout`; codes: uint8[columns,
    >= rows], whose rows beyond ``rows`` are coded as missing.
    """
    block = np.empty((codes.shape[0], ROWS_IN_CACHE), np.uint8)
    for first in range(0, codes.shape[1], ROWS_IN_CACHE):
        encode_missing(missing, block)
        for row in range(min(ROWS_IN_CACHE, rows - first)):
            for entry in range(indptr[start + first + row], indptr[start + first + row + 1]):
                feature = indices[entry]
                first_column, last_column = int(columns_of[feature]), int(columns_of[feature + 1])
                if first_column < last_column and not np.isnan(data[entry]):
                    encode_value(data[entry], row, first_column, last_column, offsets, thresholds, block)
        copy_block(block, first, codes)
    keep_parity(sets, codes)


@njit(cache=True, nogil=True)
def encode_dense(
    values: np.ndarray,
    start: int,
    rows: int,
    features: np.ndarray,
    columns_of: np.ndarray,
    missing: np.ndarray,
    offsets: np.ndarray,
    thresholds: np.ndarray,
    sets: np.ndarray,
    codes: np.ndarray,
) -> None:
    """Codes of ``rows`` rows of a float32[n, k] array from row ``start`` on; NaN is missing, zero is a value.

    features: the feature that each of the k columns holds; the rest as in `encode_csr`.
    """
    block = np.empty((codes.shape[0], ROWS_IN_CACHE), np.uint8)
    for first in range(0, codes.shape[1], ROWS_IN_CACHE):
        encode_missing(missing, block)
        for row in range(min(ROWS_IN_CACHE, rows - first)):
            for position in range(len(features)):
                value, feature = values[start + first + row, position], features[position]
                if not np.isnan(value):
                    first_column, last_column = int(columns_of[feature]), int(columns_of[feature + 1])
                    encode_value(value, row, first_column, last_column, offsets, thresholds, block)
        copy_block(block, first, codes)
    keep_parity(sets, codes)


@njit(cache=True, nogil=True)
def copy_block(
    block: np.ndarray,
    first: int,
    codes: np.ndarray,
) -> None:
    """Put a block into its place among the rows."""
    last = min(first + ROWS_IN_CACHE, codes.shape[1])
    for column in range(codes.shape[0]):
        for row in range(first, last):
            codes[column, row] = block[column, row - first]
