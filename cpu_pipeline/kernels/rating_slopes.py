"""Slope One: the mean differences of one item to all others at a time, used at once and never kept."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def estimate_items(
    first: int,
    last: int,
    asked_starts: np.ndarray,
    asked_users: np.ndarray,
    asked_places: np.ndarray,
    item_starts: np.ndarray,
    users_of_item: np.ndarray,
    item_ratings: np.ndarray,
    user_starts: np.ndarray,
    items_of_user: np.ndarray,
    user_ratings: np.ndarray,
    user_means: np.ndarray,
    estimates: np.ndarray,
) -> None:
    """What is asked of each item from ``first`` to ``last``, into ``estimates``.

    asked_starts, asked_users, asked_places: the users asked of each item, and where each estimate goes.
    users_of_item is in ascending order, items_of_user as the ratings came: so sums round as Surprise's do.
    """
    items = len(item_starts) - 1
    common = np.empty(items)
    difference = np.empty(items)
    for item in range(first, last):
        if asked_starts[item] == asked_starts[item + 1]:
            continue
        common[:] = 0.0
        difference[:] = 0.0
        for place in range(item_starts[item], item_starts[item + 1]):
            user, rating = users_of_item[place], item_ratings[place]
            for there in range(user_starts[user], user_starts[user + 1]):
                other = items_of_user[there]
                common[other] += 1.0
                difference[other] += rating - user_ratings[there]
        difference[item] = 0.0
        for other in range(items):
            if common[other] > 0.0:
                difference[other] /= common[other]
        for asked in range(asked_starts[item], asked_starts[item + 1]):
            user = asked_users[asked]
            relevant = 0
            total = 0.0
            for there in range(user_starts[user], user_starts[user + 1]):
                other = items_of_user[there]
                if common[other] > 0.0:
                    relevant += 1
                    total += difference[other]
            estimates[asked_places[asked]] = user_means[user] + (total / relevant if relevant else 0.0)
