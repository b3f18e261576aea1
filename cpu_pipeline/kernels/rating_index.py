"""Ratings put together by user or by item, in linear time."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def group(
    keys: np.ndarray, others: np.ndarray, values: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts int64[count + 1], others int32[n] and values float64[n], put together by key in the order they come in.

    keys: int32[n], each in 0 to count - 1.
    """
    starts = np.zeros(count + 1, np.int64)
    for key in keys:
        starts[key + 1] += 1
    for key in range(count):
        starts[key + 1] += starts[key]
    free = starts[:-1].copy()
    grouped_others = np.empty(len(keys), np.int32)
    grouped_values = np.empty(len(keys), np.float64)
    for place in range(len(keys)):
        target = free[keys[place]]
        free[keys[place]] = target + 1
        grouped_others[target] = others[place]
        grouped_values[target] = values[place]
    return starts, grouped_others, grouped_values
