"""The best items of users, chosen from tiles of approximate scores while these are in the cache.

A user has a buffer of candidates. An approximate score is off by at most the user's bound e, so that an item whose
approximate score is more than 2 e below the k-th best one cannot be among the best k. Others go into the buffer. When
that is full, what has since fallen below is dropped, and where too many are left they are scored exactly.

An item's *position* is its place in the order of lengths, the longest vector first. Of equal scores that of the lower
item number is better.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from .bits import above, trailing_zeros

ROOM = 128
"""Candidates that a buffer has room for beyond k. More of them within the bound of each other are scored exactly."""


@njit(cache=True, nogil=True)
def _insert(values: np.ndarray, items: np.ndarray, count: int, value: float, item: int) -> None:
    """Put a candidate into its place among the first ``count``, the best first; what comes after moves on by one."""
    place = 0
    for at in range(count):
        place += (values[at] > value) | ((values[at] == value) & (items[at] < item))
    for at in range(count, place, -1):
        values[at], items[at] = values[at - 1], items[at - 1]
    values[place], items[place] = value, item


@njit(cache=True, nogil=True)
def _score_exactly(
    user: np.ndarray, vectors: np.ndarray, scale: float, k: int, values: np.ndarray, items: np.ndarray, count: int
) -> None:
    """Replace approximate scores by exact ones, and put the best k candidates to the front, the best first.

    A float64 score is summed over the factors in order; products are exact. Four items at a time, since each sum waits
    for its own last addition.
    """
    for at in range(0, count, 4):
        one, two = items[at], items[min(at + 1, count - 1)]
        three, four = items[min(at + 2, count - 1)], items[min(at + 3, count - 1)]
        sum1, sum2, sum3, sum4 = 0.0, 0.0, 0.0, 0.0
        for factor in range(len(user)):
            weight = np.float64(user[factor])
            sum1 += weight * np.float64(vectors[one, factor])
            sum2 += weight * np.float64(vectors[two, factor])
            sum3 += weight * np.float64(vectors[three, factor])
            sum4 += weight * np.float64(vectors[four, factor])
        for place, total in enumerate((sum1, sum2, sum3, sum4)):
            if at + place < count:
                _insert(values, items, min(at + place, k), total * scale, items[at + place])


class Searched(NamedTuple):
    """Users whose best items are searched for together, as arrays of a row each, and what is known of them so far.

    vectors: float32[n, factors].
    scales: float64[n], powers of two: an approximate score is the exact one times this, give or take the bound.
    lengths: float64[n], no less than the length of the vector that approximate scores are computed from.
    bounds: float64[n], how much an approximate score can be off.
    hidden: uint64[n, words], a bit for each position that the user is not shown, also for those beyond the last.
    values, items: float64 and int32[n, capacity], the buffer of candidates: approximate scores, and item numbers.
    counts: int64[n], candidates in the buffer.
    leasts: float64[n], approximate scores below it are not among the best k; -inf while there are fewer candidates.
    """

    vectors: np.ndarray
    scales: np.ndarray
    lengths: np.ndarray
    bounds: np.ndarray
    hidden: np.ndarray
    values: np.ndarray
    items: np.ndarray
    counts: np.ndarray
    leasts: np.ndarray


def capacity(k: int) -> int:
    """How many candidates a buffer for lists of k must have room for."""
    return k + ROOM


@njit(cache=True, nogil=True)
def _settle(searched: Searched, user: int, item_vectors: np.ndarray, k: int, count: int) -> int:
    """Make room in a full buffer; returns how many candidates are left."""
    values, items, margin = searched.values[user], searched.items[user], 2 * searched.bounds[user]
    kept = min(k, count)
    for at in range(k, count):
        if values[at] >= values[k - 1] - margin:
            values[kept], items[kept] = values[at], items[at]
            kept += 1
    if kept < len(values) - ROOM // 2:
        return kept
    _score_exactly(searched.vectors[user], item_vectors, searched.scales[user], k, values, items, kept)
    return k


@njit(cache=True, nogil=True)
def _float_below(value: float) -> np.float32:
    """A float32 that is less, so that what equals the value is above it."""
    return np.nextafter(np.float32(value), np.float32(-np.inf))


@njit(cache=True, nogil=True, inline="always")
def _take(
    searched: Searched,
    user: int,
    scores: np.ndarray,
    hidden: np.ndarray,
    tile_items: np.ndarray,
    item_vectors: np.ndarray,
    k: int,
) -> None:
    """Add the items of a tile that can be among the user's best k to the candidates."""
    values, items, margin = searched.values[user], searched.items[user], 2 * searched.bounds[user]
    count, least = searched.counts[user], searched.leasts[user]
    limit = _float_below(least)
    for first in range(0, len(scores), 64):
        word = above(scores, first, limit) & ~hidden[first >> 6]
        while word:
            at = first + trailing_zeros(word)
            word &= word - np.uint64(1)
            if scores[at] <= limit:
                continue
            value, item = np.float64(scores[at]), tile_items[at]
            if count < k:
                _insert(values, items, count, value, item)
            else:
                if value > values[k - 1]:
                    last, last_item = values[k - 1], items[k - 1]
                    _insert(values, items, k - 1, value, item)
                    value, item = last, last_item
                if count == len(values):
                    count = _settle(searched, user, item_vectors, k, count)
                values[count], items[count] = value, item
            count += 1
            if count >= k:
                least = values[k - 1] - margin
                limit = _float_below(least)
    searched.counts[user], searched.leasts[user] = count, least


@njit(cache=True, nogil=True)
def search_tile(
    searched: Searched,
    rows: np.ndarray,
    tile: np.ndarray,
    start: int,
    tile_items: np.ndarray,
    item_vectors: np.ndarray,
    k: int,
    reach: float,
    still_open: np.ndarray,
) -> int:
    """Take the candidates of a tile, and tell for whom later items can still be among the best.

    Args:
        searched: the users; changed.
        rows: int64[r], the user of each row of the tile.
        tile: float32[r, width], approximate scores, contiguous; the width is a multiple of 64.
        start: position of its first item, a multiple of 64.
        tile_items: int32[width], its items.
        item_vectors: float32[m, factors], in the order of item numbers.
        k: length of the lists.
        reach: no less than the length of any vector after this tile; -inf after the last.
        still_open: int64[r], out: the rows of users who are not done.

    Returns:
        How many are not done.

    """
    left = 0
    for row in range(len(rows)):
        user = rows[row]
        _take(searched, user, tile[row], searched.hidden[user, start >> 6 :], tile_items, item_vectors, k)
        if searched.lengths[user] * reach + searched.bounds[user] >= searched.leasts[user]:
            still_open[left] = row
            left += 1
    return left


@njit(cache=True, nogil=True)
def take_first(searched: Searched, user: int, position: np.ndarray, k: int) -> None:
    """The k lowest item numbers that are not hidden, for a user whose scores are all 0."""
    count = 0
    for item in range(len(position)):
        if count == k:
            break
        if not searched.hidden[user, position[item] >> 6] >> np.uint64(position[item] & 63) & np.uint64(1):
            searched.items[user, count] = item
            count += 1
    searched.counts[user] = count


@njit(cache=True, nogil=True)
def write_lists(searched: Searched, item_vectors: np.ndarray, out_items: np.ndarray, out_scores: np.ndarray) -> None:
    """Score each user's candidates exactly and write the best, the best first, with their scores.

    out_items, out_scores: int32[n, k] and float32[n, k]; what is beyond a list's end is left as it is.
    """
    for user in range(len(out_items)):
        values, items = searched.values[user], searched.items[user]
        count = searched.counts[user]
        k = min(out_items.shape[1], count)
        count = _settle(searched, user, item_vectors, k, count)
        _score_exactly(searched.vectors[user], item_vectors, 1.0, k, values, items, count)
        for at in range(k):
            out_items[user, at], out_scores[user, at] = items[at], np.float32(values[at])


@njit(cache=True, nogil=True)
def hide(pointers: np.ndarray, owned: np.ndarray, position: np.ndarray, hidden: np.ndarray) -> None:
    """Set the bits of the items that each user has.

    pointers, owned: rows of a CSR matrix. position: int32[m], the position of each item. hidden: as in `Searched`.
    """
    for user in range(len(hidden)):
        for entry in range(pointers[user], pointers[user + 1]):
            place = position[owned[entry]]
            hidden[user, place >> 6] |= np.uint64(1) << np.uint64(place & 63)
