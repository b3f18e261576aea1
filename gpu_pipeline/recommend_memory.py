"""How many users are served at a time, so that what they need fits into the device's memory beside the items."""

import numpy as np

from ..pipeline.stages.recommend import RecommendProblem
from .device_memory import BLOCK, batches, bytes_before
from .device_top_k import DeviceTopK

_ARRAYS = 8
"""Of a batch, and of what is made of it."""
_POINTER, _ITEM, _FLOAT = 8, 4, 4
_HALF = 2
"""`implicit` takes half of what is free, for scores and lists, when it is first asked."""
_LISTED, _OWNED, _COPIES = 32, 12, 2
"""There: bytes for each place of a list and for each item owned; how often it holds the users' vectors."""


def served_at_a_time(problem: RecommendProblem, top: DeviceTopK, left: int) -> tuple[list[tuple[int, int]], int]:
    """First and end of each batch of those who ask, and the bytes for their scores, within ``left`` bytes.

    Raises:
        DeviceError: a single user does not fit.

    """
    scratch = top.scratch_bytes(left)
    needed = bytes_before(_owned(problem), _ITEM, _POINTER + top.bytes_of_a_user)
    return batches(needed, left - scratch - _ARRAYS * BLOCK), scratch


def served_by_implicit_at_a_time(problem: RecommendProblem, left: int) -> list[tuple[int, int]]:
    """The same for `implicit`: a model on paper of what it allocates by itself, never measured.

    The vectors of a batch have at most half of what the items leave, so that at least a quarter is what `implicit`
    takes for scores and lists.

    Raises:
        DeviceError: a single user does not fit, or not even the items.

    """
    items, factors = problem.items.shape
    half = (left - _FLOAT * items * factors) // _HALF
    of_a_user = _COPIES * _FLOAT * factors + _HALF * _LISTED * problem.k
    return batches(bytes_before(_owned(problem), _OWNED, of_a_user), half - _HALF * _FLOAT * items)


def _owned(problem: RecommendProblem) -> np.ndarray:
    """int64[q]: items of each who asks."""
    return np.diff(problem.owned.indptr)[problem.asked].astype(np.int64)
