"""What array algebra on ratings takes of the device's memory, and so how many folds, rows and pairs it has at a time.

Bytes are of the arrays that are there at once in `technobench.pipeline.rating_products`, counted generously. What
cuSPARSE takes for a product of sparse matrices is a model, never measured: every product of two numbers, twice.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..pipeline.rating_models import KNN, NMF, RatingModel
from ..pipeline.rating_products import PAIRS, ROWS
from .device_memory import BLOCK, too_large
from .device_ratings import Fold

_RATING, _ASKED = 256, 96
"""To order, centre and multiply the ratings of a fold; to ask for a pair."""
_FACTORS = 6
"""Copies of the factors of NMF, float64."""
_CELL, _TERM, _PAIR = 128, 24, 288
"""Of a dense block; of a product of two numbers in a sparse one; of a pair of something asked and a rating."""
_ARRAYS = 64
"""At once, at most: each may take a block more than its bytes."""


class RatingsPlan(NamedTuple):
    """Whether all folds are on the device when the run starts, and the most rows and pairs at a time."""

    resident: bool
    rows: int
    pairs: int


def planned(model: RatingModel, folds: Sequence[Fold], left: int) -> RatingsPlan:
    """As much at a time as fits into ``left`` bytes; folds (on the host) stay where that costs no row and no pair.

    Raises:
        DeviceError: the largest fold does not fit, or not with a single row of sums.

    """
    sizes = [_bytes_of(fold) for fold in folds]
    always = max(_bytes_to_work(model, fold) for fold in folds) + _ARRAYS * BLOCK
    one_by_one = RatingsPlan(False, *_at_a_time(model, folds, left - always - max(sizes)))
    if min(one_by_one[1:]) < 1:
        what = f"a fold of {max(len(fold.ratings) for fold in folds)} ratings, without its sums,"
        raise too_large(what, always + max(sizes), left)
    all_at_once = RatingsPlan(True, *_at_a_time(model, folds, left - always - sum(sizes)))
    return all_at_once if all_at_once[1:] == one_by_one[1:] else one_by_one


def _bytes_of(fold: Fold) -> int:
    """Of a fold on the device, and of the places of what is asked."""
    return 16 * len(fold.ratings) + 16 * len(fold.asked_users)


def _bytes_to_work(model: RatingModel, fold: Fold) -> int:
    """Of what is made of a fold, but for rows and pairs."""
    factors = 8 * _FACTORS * model.factors * (fold.user_count + fold.item_count) if isinstance(model, NMF) else 0
    return _RATING * len(fold.ratings) + _ASKED * len(fold.asked_users) + factors


def _at_a_time(model: RatingModel, folds: Sequence[Fold], left: int) -> tuple[int, int]:
    """Rows and pairs, half of what is left for each; below 1 where not even one fits."""
    if isinstance(model, NMF):
        return (ROWS, PAIRS) if left >= 0 else (0, 0)
    half = left // 2
    found = [_of_fold(*_sides(model, fold), half) for fold in folds]
    return min(rows for rows, _ in found), min(pairs for _, pairs in found)


def _sides(model: RatingModel, fold: Fold) -> tuple[np.ndarray, np.ndarray]:
    """int32[n] each: whose rows are summed, and what these have in common."""
    return (fold.users, fold.items) if isinstance(model, KNN) and model.user_based else (fold.items, fold.users)


def _of_fold(xs: np.ndarray, ys: np.ndarray, left: int) -> tuple[int, int]:
    ratings_of_y = np.bincount(ys)
    terms = np.bincount(xs, weights=ratings_of_y[ys])
    before = np.append(0, np.cumsum(_TERM * terms + _CELL * len(terms)))
    rows = ROWS
    while rows and np.diff(before[np.append(np.arange(0, len(terms), rows), len(terms))]).max() > left:
        rows //= 2
    return rows, min(PAIRS, left // _PAIR - int(ratings_of_y.max()))
