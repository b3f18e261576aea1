"""Biases of users and items: alternating least squares, and stochastic gradient descent."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def als_half(
    starts: np.ndarray,
    others: np.ndarray,
    ratings: np.ndarray,
    mean: float,
    other_bias: np.ndarray,
    regularization: float,
    bias: np.ndarray,
) -> None:
    """Fill the bias of each user (or item), given those of the other side; float64[users] and float64[items]."""
    for own in range(len(bias)):
        deviation = 0.0
        for place in range(starts[own], starts[own + 1]):
            deviation += ratings[place] - mean - other_bias[others[place]]
        bias[own] = deviation / (regularization + (starts[own + 1] - starts[own]))


@njit(cache=True, nogil=True)
def sgd_epochs(
    starts: np.ndarray,
    items: np.ndarray,
    ratings: np.ndarray,
    mean: float,
    user_bias: np.ndarray,
    item_bias: np.ndarray,
    epochs: int,
    rate: float,
    regularization: float,
) -> None:
    """Train both biases in place, one rating after the other, user by user."""
    for _ in range(epochs):
        for user in range(len(user_bias)):
            bias = user_bias[user]
            for place in range(starts[user], starts[user + 1]):
                item = items[place]
                error = ratings[place] - (mean + bias + item_bias[item])
                bias += rate * (error - regularization * bias)
                item_bias[item] += rate * (error - regularization * item_bias[item])
            user_bias[user] = bias
