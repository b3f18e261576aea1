"""Training ratings as the definitions of rating models read them."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .interactions import Ratings


class Training:
    """Training ratings, users and items numbered as they come first.

    users, items: int64[n], ratings: float64[n], in the order given.
    user_number, item_number: the number of each id.
    of_users, of_items: int64, the places of each one's ratings, in the order given.
    """

    def __init__(self, data: "Ratings") -> None:
        """Number users and items."""
        self.users, self.user_number = _numbered(data.users)
        self.items, self.item_number = _numbered(data.items)
        self.ratings = data.values
        self.of_users = _places(self.users)
        self.of_items = _places(self.items)
        self.mean = float(np.mean(data.values[self.user_by_user]))

    @property
    def user_by_user(self) -> np.ndarray:
        """int64[n]: the places in the order that ratings are learned from, that of Surprise's ``all_ratings``."""
        return np.concatenate(self.of_users)


def _numbered(ids: np.ndarray) -> tuple[np.ndarray, dict[int, int]]:
    """int64[n] numbers by first appearance, and the number of each id."""
    number = {each: place for place, each in enumerate(dict.fromkeys(ids.tolist()))}
    return np.array([number[each] for each in ids.tolist()], np.int64), number


def _places(numbers: np.ndarray) -> list[np.ndarray]:
    """The places of each number, ascending."""
    return np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))[:-1])
