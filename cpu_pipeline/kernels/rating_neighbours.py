"""Nearest neighbours: a row of similarities at a time, used at once for all that is asked of it, and never kept.

As everywhere in k-NN, x is a user and y an item, or the other way round. Sums run in Surprise's order, so that they
round as Surprise's do.
"""

import numpy as np
from numba import njit

COSINE, MSD, PEARSON, PEARSON_BASELINE = range(4)
SUMS = (4, 2, 6, 4)
"""How many sums over the common ratings each similarity is made of."""


@njit(cache=True, nogil=True)
def add_common(
    similarity: int,
    ys: np.ndarray,
    x_values: np.ndarray,
    y_starts: np.ndarray,
    xs_of_y: np.ndarray,
    y_values: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Add to ``sums``, float64[xs, SUMS[similarity]], what x has in common with every other x.

    ys, x_values: what x rated, in ascending order. y_starts, xs_of_y, y_values: who rated each y.
    Columns: common ratings; then for MSD the squared differences; else products, squares of x, squares of the other,
    and for Pearson the values of x and of the other.
    """
    for place in range(len(ys)):
        value = x_values[place]
        square = value * value
        start, end = y_starts[ys[place]], y_starts[ys[place] + 1]
        if similarity == MSD:
            for there in range(start, end):
                difference = value - y_values[there]
                x = xs_of_y[there]
                sums[x, 0] += 1.0
                sums[x, 1] += difference * difference
        else:
            for there in range(start, end):
                other = y_values[there]
                x = xs_of_y[there]
                sums[x, 0] += 1.0
                sums[x, 1] += value * other
                sums[x, 2] += square
                sums[x, 3] += other * other
                if similarity == PEARSON:
                    sums[x, 4] += value
                    sums[x, 5] += other


@njit(cache=True, nogil=True)
def similarities(similarity: int, sums: np.ndarray, min_support: int, shrinkage: float, row: np.ndarray) -> None:
    """Fill ``row``, float64[xs], from the sums of `add_common`; 0 where too few are common or it is not defined."""
    for other in range(len(row)):
        common = sums[other, 0]
        row[other] = 0.0
        if common < min_support:
            continue
        if similarity == MSD:
            row[other] = 1.0 / (sums[other, 1] / common + 1.0)
            continue
        product, square, other_square = sums[other, 1], sums[other, 2], sums[other, 3]
        if similarity == PEARSON:
            total, other_total = sums[other, 4], sums[other, 5]
            product = common * product - total * other_total
            square = common * square - total * total
            other_square = common * other_square - other_total * other_total
        root = np.sqrt(square * other_square)
        if root > 0.0:
            row[other] = product / root
            if similarity == PEARSON_BASELINE:
                row[other] *= (common - 1.0) / (common - 1.0 + shrinkage)


@njit(cache=True, nogil=True)
def nearest(xs: np.ndarray, bounds: np.ndarray, row: np.ndarray, best: np.ndarray, places: np.ndarray) -> int:
    """How many of the xs from ``bounds[0]`` to ``bounds[1]`` are nearest: above 0, at most as many as ``best`` holds.

    Fills their similarities, largest first, in ``best`` and where they stand in ``places``; of equals the first.
    """
    k = len(best)
    found = 0
    for there in range(bounds[0], bounds[1]):
        near = row[xs[there]]
        if near <= 0.0 or (found == k and near <= best[k - 1]):
            continue
        place = min(found, k - 1)
        while place > 0 and best[place - 1] < near:
            best[place] = best[place - 1]
            places[place] = places[place - 1]
            place -= 1
        best[place] = near
        places[place] = there
        found = min(found + 1, k)
    return found


@njit(cache=True, nogil=True)
def estimate_rows(
    first: int,
    last: int,
    asked_starts: np.ndarray,
    asked_ys: np.ndarray,
    asked_places: np.ndarray,
    similarity: int,
    min_support: int,
    shrinkage: float,
    x_starts: np.ndarray,
    ys_of_x: np.ndarray,
    x_values: np.ndarray,
    y_starts: np.ndarray,
    xs_of_y: np.ndarray,
    y_values: np.ndarray,
    deviations: np.ndarray,
    spread: np.ndarray,
    k: int,
    min_k: int,
    base: np.ndarray,
    estimates: np.ndarray,
) -> None:
    """What is asked of each x from ``first`` to ``last``: the base and the weighted mean of the nearest's deviations.

    asked_starts, asked_ys, asked_places: the ys asked of each x, and where each estimate goes.
    deviations: float64[n], beside ``y_values``, from its own base. spread: float64[xs], the unit of deviations.
    base: float64[asked]. An estimate with fewer than ``min_k`` neighbours is left as it is.
    """
    sums = np.empty((len(spread), SUMS[similarity]))
    row = np.empty(len(spread))
    best = np.empty(k)
    places = np.empty(k, np.int64)
    for x in range(first, last):
        if asked_starts[x] == asked_starts[x + 1]:
            continue
        rated = slice(x_starts[x], x_starts[x + 1])
        sums[:] = 0.0
        add_common(similarity, ys_of_x[rated], x_values[rated], y_starts, xs_of_y, y_values, sums)
        similarities(similarity, sums, min_support, shrinkage, row)
        row[x] = 1.0
        for asked in range(asked_starts[x], asked_starts[x + 1]):
            y = asked_ys[asked]
            found = nearest(xs_of_y, y_starts[y : y + 2], row, best, places)
            if found < min_k:
                continue
            weight = 0.0
            total = 0.0
            for near in range(found):
                there = places[near]
                weight += best[near]
                total += best[near] * deviations[there] / spread[xs_of_y[there]]
            target = asked_places[asked]
            estimates[target] = base[target] + total / weight * spread[x]
