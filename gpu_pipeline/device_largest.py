"""The largest values of each row, by as many passes: a full sort is all that CuPy has, and k is small."""

from typing import Any


def take_largest(module: Any, values: Any, k: int) -> tuple[Any, Any]:
    """int64[n, k] columns and [n, k] values of each row's k largest, in order, the first of equal ones.

    ``values``, floats [n, columns] with k of them at most, loses them: -inf is in their place.
    """
    rows, columns = values.shape
    flat = values.reshape(-1)
    begins = module.arange(rows) * columns
    places = module.empty((rows, k), module.int64)
    largest = module.empty((rows, k), values.dtype)
    for turn in range(k):
        best = values.argmax(axis=1)
        places[:, turn], largest[:, turn] = best, flat[begins + best]
        flat[begins + best] = -module.inf
    return places, largest
