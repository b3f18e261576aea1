"""Training by the definition: each formula as it stands, rating by rating. Plain Python that Numba can read.

users, items: int64[n] and ratings: float64[n], sorted by user; bu: float64[users] and bi: float64[items], biases;
p: float64[users, f], q and y: float64[items, f], the factors to start from. They are changed in place and returned.
"""

import numpy as np

Factors = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def biases_als(
    users: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    mean: float,
    bu: np.ndarray,
    bi: np.ndarray,
    epochs: int,
    user_regularization: float,
    item_regularization: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Each side in turn to its regularised mean deviation (Koren 2010, section 2.1)."""
    for _ in range(epochs):
        deviations = np.bincount(items, ratings - mean - bu[users], len(bi))
        bi = deviations / (item_regularization + np.bincount(items, minlength=len(bi)))
        deviations = np.bincount(users, ratings - mean - bi[items], len(bu))
        bu = deviations / (user_regularization + np.bincount(users, minlength=len(bu)))
    return bu, bi


def biases_sgd(
    users: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    mean: float,
    bu: np.ndarray,
    bi: np.ndarray,
    epochs: int,
    rate: float,
    regularization: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Stochastic gradient descent on the biases."""
    for _ in range(epochs):
        for place in range(len(ratings)):
            u, i = users[place], items[place]
            error = ratings[place] - (mean + bu[u] + bi[i])
            bu[u] += rate * (error - regularization * bu[u])
            bi[i] += rate * (error - regularization * bi[i])
    return bu, bi


def svd(
    users: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    mean: float,
    bu: np.ndarray,
    bi: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    epochs: int,
    biased: bool,
    rate: float,
    regularization: float,
) -> Factors:
    """Stochastic gradient descent on biases and factors (Koren, Bell, Volinsky 2009)."""
    for _ in range(epochs):
        for place in range(len(ratings)):
            u, i = users[place], items[place]
            error = ratings[place] - (mean + bu[u] + bi[i] + np.sum(q[i] * p[u]))
            if biased:
                bu[u] += rate * (error - regularization * bu[u])
                bi[i] += rate * (error - regularization * bi[i])
            of_user = p[u].copy()
            p[u] += rate * (error * q[i] - regularization * of_user)
            q[i] += rate * (error * of_user - regularization * q[i])
    return bu, bi, p, q


def svdpp(
    users: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    mean: float,
    bu: np.ndarray,
    bi: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    y: np.ndarray,
    epochs: int,
    rate: float,
    regularization: float,
) -> Factors:
    """The same with implicit factors of all that the user rated, changed at every rating (Koren 2008, section 4)."""
    starts = np.searchsorted(users, np.arange(len(bu) + 1))
    for _ in range(epochs):
        for place in range(len(ratings)):
            u, i = users[place], items[place]
            rated = items[starts[u] : starts[u + 1]]
            root = np.sqrt(len(rated))
            implicit = np.zeros(p.shape[1])
            for j in rated:
                for f in range(len(implicit)):
                    implicit[f] += y[j, f] / root
            error = ratings[place] - (mean + bu[u] + bi[i] + np.sum(q[i] * (p[u] + implicit)))
            bu[u] += rate * (error - regularization * bu[u])
            bi[i] += rate * (error - regularization * bi[i])
            of_user, of_item = p[u].copy(), q[i].copy()
            p[u] += rate * (error * of_item - regularization * of_user)
            q[i] += rate * (error * (of_user + implicit) - regularization * of_item)
            for j in rated:
                for f in range(len(implicit)):
                    y[j, f] += rate * (error * of_item[f] / root - regularization * y[j, f])
    for u in range(len(bu)):
        for j in items[starts[u] : starts[u + 1]]:
            p[u] += y[j] / np.sqrt(starts[u + 1] - starts[u])
    return bu, bi, p, q


def nmf(
    users: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    mean: float,
    bu: np.ndarray,
    bi: np.ndarray,
    p: np.ndarray,
    q: np.ndarray,
    epochs: int,
    biased: bool,
    regularization: float,
    bias_rate: float,
    bias_regularization: float,
) -> Factors:
    """Multiplicative steps after each epoch, which keep factors positive; biases as in `svd` (Luo et al. 2014)."""
    user_counts, item_counts = np.bincount(users, minlength=len(bu)), np.bincount(items, minlength=len(bi))
    for _ in range(epochs):
        p_above, p_below = np.zeros_like(p), np.zeros_like(p)
        q_above, q_below = np.zeros_like(q), np.zeros_like(q)
        for place in range(len(ratings)):
            u, i = users[place], items[place]
            estimate = mean + bu[u] + bi[i] + np.sum(q[i] * p[u])
            if biased:
                error = ratings[place] - estimate
                bu[u] += bias_rate * (error - bias_regularization * bu[u])
                bi[i] += bias_rate * (error - bias_regularization * bi[i])
            p_above[u] += q[i] * ratings[place]
            p_below[u] += q[i] * estimate
            q_above[i] += p[u] * ratings[place]
            q_below[i] += p[u] * estimate
        for factors, above, below, counts in (
            (p, p_above, p_below, user_counts),
            (q, q_above, q_below, item_counts),
        ):
            for row in range(len(factors)):
                for f in range(factors.shape[1]):
                    penalty = counts[row] * regularization * factors[row, f]
                    if factors[row, f] != 0.0:
                        factors[row, f] *= above[row, f] / (below[row, f] + penalty)
    return bu, bi, p, q
