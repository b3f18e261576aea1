"""SVD, SVD++ and NMF by stochastic gradient descent, one rating after the other in Surprise's order.

A user's ratings lie together, so that what belongs to the user stays in the nearest cache. Sums over factors may be
reassociated, which lets them be vectorised; nothing else is.
"""

import numpy as np
from numba import njit

from .gather import prefetch

_VECTORISED = {"reassoc", "nsz", "contract"}


@njit(cache=True, nogil=True, fastmath=_VECTORISED)
def svd_epochs(
    starts: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    mean: float,
    user_bias: np.ndarray,
    item_bias: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    epochs: int,
    biased: bool,
    rate: float,
    regularization: float,
) -> None:
    """Train biases, float64[users] and [items], and factors, float64[users, f] and [items, f], in place.

    starts: int64[users + 1], where each user's ratings begin. items: int32[n]. ratings: float64[n].
    """
    keep = 1.0 - rate * regularization
    factors = user_factors.shape[1]
    flat = item_factors.reshape(-1)
    for _ in range(epochs):
        for user in range(len(starts) - 1):
            p = user_factors[user]
            bias = user_bias[user]
            for place in range(starts[user], starts[user + 1]):
                item = items[place]
                if place + 2 < len(items):
                    ahead = items[place + 2] * factors
                    for line in range(ahead, ahead + factors, 8):
                        prefetch(flat, line)
                q = item_factors[item]
                error = ratings[place] - (mean + bias + item_bias[item])
                dot = 0.0
                for f in range(factors):
                    dot += q[f] * p[f]
                error -= dot
                if biased:
                    bias += rate * (error - regularization * bias)
                    item_bias[item] += rate * (error - regularization * item_bias[item])
                step = rate * error
                for f in range(factors):
                    before = p[f]
                    p[f] = keep * before + step * q[f]
                    q[f] = keep * q[f] + step * before
            user_bias[user] = bias


@njit(cache=True, nogil=True, fastmath=_VECTORISED)
def svdpp_epochs(
    starts: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    mean: float,
    user_bias: np.ndarray,
    item_bias: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    implicit_factors: np.ndarray,
    epochs: int,
    rate: float,
    regularization: float,
) -> None:
    """Train as `svd_epochs`, and the items' implicit factors y, float64[items, f], with them.

    Each of a user's n ratings changes p by ``p <- keep * p + c`` and every y of the user's items by
    ``y <- keep * y + c / sqrt(n)``, with ``c = step * q``. What the items imply, their y's sum by sqrt(n), then changes
    as p does, and both together, all that q meets, by 2 c. So one vector stands for p and n ys while the user's ratings
    are learned from, and what has been added to it, for all that they have become. An item that a user rated more than
    once has its map applied as often, so that users who did so are learned from one rating at a time.
    """
    keep = 1.0 - rate * regularization
    factors = user_factors.shape[1]
    repeats = who_repeats(starts, items, len(item_bias))
    before = np.empty(factors)
    met = np.empty(factors)
    for _ in range(epochs):
        for user in range(len(starts) - 1):
            start, end = starts[user], starts[user + 1]
            rated = items[start:end]
            root = np.sqrt(end - start)
            p = user_factors[user]
            bias = user_bias[user]
            at_once = 1 if repeats[user] else end - start
            for first in range(start, end, at_once):
                add_up(rated, implicit_factors, before)
                for f in range(factors):
                    before[f] = p[f] + before[f] / root
                    met[f] = before[f]
                scale = 1.0
                for place in range(first, first + at_once):
                    item = items[place]
                    q = item_factors[item]
                    dot = 0.0
                    for f in range(factors):
                        dot += q[f] * met[f]
                    error = ratings[place] - (mean + bias + item_bias[item] + dot)
                    bias += rate * (error - regularization * bias)
                    item_bias[item] += rate * (error - regularization * item_bias[item])
                    step = rate * error
                    for f in range(factors):
                        of_item = q[f]
                        q[f] = keep * of_item + step * met[f]
                        met[f] = keep * met[f] + 2.0 * step * of_item
                    scale *= keep
                for f in range(factors):
                    added = 0.5 * (met[f] - scale * before[f])
                    p[f] = scale * p[f] + added
                    before[f] = added / root
                apply_map(rated, implicit_factors, scale, before)
            user_bias[user] = bias


@njit(cache=True, nogil=True)
def who_repeats(starts: np.ndarray, items: np.ndarray, item_count: int) -> np.ndarray:
    """bool[users]: who rated an item more than once."""
    last = np.full(item_count, -1)
    repeats = np.zeros(len(starts) - 1, np.bool_)
    for user in range(len(repeats)):
        for place in range(starts[user], starts[user + 1]):
            repeats[user] |= last[items[place]] == user
            last[items[place]] = user
    return repeats


@njit(cache=True, nogil=True, fastmath=_VECTORISED)
def add_up(items: np.ndarray, implicit_factors: np.ndarray, total: np.ndarray) -> None:
    """Fill ``total``, float64[f], with the sum of the items' implicit factors."""
    total[:] = 0.0
    for item in items:
        y = implicit_factors[item]
        for f in range(len(total)):
            total[f] += y[f]


@njit(cache=True, nogil=True, fastmath=_VECTORISED)
def apply_map(items: np.ndarray, implicit_factors: np.ndarray, scale: float, shift: np.ndarray) -> None:
    """``scale * y + shift`` for the implicit factors of each item, as often as it is there."""
    for item in items:
        y = implicit_factors[item]
        for f in range(len(shift)):
            y[f] = scale * y[f] + shift[f]


@njit(cache=True, nogil=True)
def add_implicit(starts: np.ndarray, items: np.ndarray, user_factors: np.ndarray, implicit_factors: np.ndarray) -> None:
    """Add to each user's factors what the user's items imply: their implicit factors' sum by the root of how many."""
    total = np.empty(user_factors.shape[1])
    for user in range(len(starts) - 1):
        add_up(items[starts[user] : starts[user + 1]], implicit_factors, total)
        user_factors[user] += total / np.sqrt(starts[user + 1] - starts[user])


@njit(cache=True, nogil=True, fastmath=_VECTORISED)
def estimates(users: np.ndarray, items: np.ndarray, user_factors: np.ndarray, item_factors: np.ndarray) -> np.ndarray:
    """float64[n]: the product of the factors of each user and item."""
    products = np.empty(len(users))
    for place in range(len(users)):
        p, q = user_factors[users[place]], item_factors[items[place]]
        dot = 0.0
        for f in range(len(p)):
            dot += p[f] * q[f]
        products[place] = dot
    return products


@njit(cache=True, nogil=True)
def product_in_order(p: np.ndarray, q: np.ndarray) -> float:
    """The product of two vectors, added up from the first factor to the last."""
    dot = 0.0
    for f in range(len(p)):
        dot += p[f] * q[f]
    return dot


@njit(cache=True, nogil=True, fastmath=_VECTORISED)
def product(p: np.ndarray, q: np.ndarray) -> float:
    """The same in any order."""
    dot = 0.0
    for f in range(len(p)):
        dot += p[f] * q[f]
    return dot


@njit(cache=True, nogil=True)
def nmf_epochs(
    starts: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    item_counts: np.ndarray,
    mean: float,
    user_bias: np.ndarray,
    item_bias: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    epochs: int,
    biased: bool,
    regularization: float,
    bias_rate: float,
    bias_regularization: float,
) -> None:
    """Train as `svd_epochs`; users' factors when their ratings are seen, items' at the end of an epoch.

    item_counts: int64[items], ratings of each. A factor's numerator and denominator are summed over its ratings.
    With biases a denominator may pass through 0, where a last digit decides; so then all is added in Surprise's order.
    """
    factors = user_factors.shape[1]
    above = np.empty(factors)
    below = np.empty(factors)
    item_above = np.empty(item_factors.shape)
    item_below = np.empty(item_factors.shape)
    for _ in range(epochs):
        item_above[:] = 0.0
        item_below[:] = 0.0
        for user in range(len(starts) - 1):
            p = user_factors[user]
            bias = user_bias[user]
            above[:] = 0.0
            below[:] = 0.0
            for place in range(starts[user], starts[user + 1]):
                item = items[place]
                rating = ratings[place]
                q = item_factors[item]
                dot = product_in_order(p, q) if biased else product(p, q)
                estimate = mean + bias + item_bias[item] + dot
                if biased:
                    error = rating - estimate
                    bias += bias_rate * (error - bias_regularization * bias)
                    item_bias[item] += bias_rate * (error - bias_regularization * item_bias[item])
                numerator = item_above[item]
                denominator = item_below[item]
                for f in range(factors):
                    above[f] += q[f] * rating
                    below[f] += q[f] * estimate
                    numerator[f] += p[f] * rating
                    denominator[f] += p[f] * estimate
            user_bias[user] = bias
            multiply(p, above, below, (starts[user + 1] - starts[user]) * regularization)
        for item in range(len(item_counts)):
            multiply(item_factors[item], item_above[item], item_below[item], item_counts[item] * regularization)


@njit(cache=True, nogil=True)
def multiply(factors: np.ndarray, above: np.ndarray, below: np.ndarray, regularization: float) -> None:
    """One multiplicative step; a factor of 0, as of a user whose ratings are all 0, stays 0."""
    for f in range(len(factors)):
        if factors[f] != 0.0:
            factors[f] *= above[f] / (below[f] + regularization * factors[f])
