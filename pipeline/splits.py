"""Splits into what a model may learn from and what it is judged on; pure functions, the same for a seed everywhere.

Random choices are `numpy.random.RandomState`'s, whose stream NumPy keeps the same in all versions (NEP 19).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .errors import InputError


@dataclass(frozen=True)
class Split:
    """Positions of interactions in their list, int64; each is in one of the two.

    train: to learn from. test: to be judged on.
    """

    train: np.ndarray
    test: np.ndarray


def k_folds(interactions: int, folds: int = 5, seed: int = 0) -> Iterator[Split]:
    """Each interaction is in the test part of one fold: shuffled, then cut into folds whose sizes differ by at most 1.

    Folds, and the order within them, are those of Surprise's ``KFold(n_splits=folds, random_state=seed)``. A user or
    item whose interactions are all in the test part is unknown to that fold's model.

    Raises:
        InputError: fewer than two folds, or fewer interactions than folds.

    """
    if not 2 <= folds <= interactions:
        raise InputError(f"{folds} folds of {interactions:,} interactions: use 2 folds or more, and no empty ones")
    order = np.arange(interactions)
    np.random.RandomState(seed).shuffle(order)
    ends = np.cumsum([len(part) for part in np.array_split(order, folds)])
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        yield Split(np.concatenate([order[:start], order[end:]]), order[start:end])


def leave_last_out(users: np.ndarray, timestamps: np.ndarray | None = None, seed: int = 0) -> Split:
    """The last interaction of each user is in the test part, or one by chance where times are not known.

    Among a user's interactions of the same second, chance decides, so that the order of a file tells nothing. Users of
    one interaction keep it to learn from. Both parts are in ascending order.

    Args:
        users: int[n], 0 and up.
        timestamps: [n], any order; None where they are not known.
        seed: of the choices left to chance.

    """
    chance = np.random.RandomState(seed).random_sample(len(users))
    order = np.lexsort((chance, users) if timestamps is None else (chance, timestamps, users))
    last = order[np.flatnonzero(np.diff(users[order], append=-1))]
    is_test = np.zeros(len(users), bool)
    is_test[last[np.bincount(users)[users[last]] > 1]] = True
    return _split(is_test)


def by_time(timestamps: np.ndarray, share: float = 0.2) -> Split:
    """The latest interactions are in the test part: those after the time up to which 1 - ``share`` of all happened.

    Interactions of the same second are on the same side, so that the test part may be smaller than its share, and is
    empty where all are of one second. Users and items that are new after that time are in the test part alone; it is
    the model's to deal with them. Both parts are in ascending order.

    Raises:
        InputError: the share is not between 0 and 1, or there are no interactions.

    """
    _check_share(share)
    if not len(timestamps):
        raise InputError("no interactions to split by time")
    return _split(timestamps > np.quantile(timestamps, 1 - share, method="inverted_cdf"))


def hold_out(matrix: sp.csr_matrix, share: float = 0.2, seed: int = 0) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """A share of each user's items, by chance, is held out for judging rankings.

    Of a user's n items ``share * n``, rounded down, are held out, so that users with fewer than 1 / ``share`` items
    keep all of them, and are not judged.

    Args:
        matrix: CSR, users x items, at most one entry per pair.
        share: of each user's items that are held out.
        seed: of the choice.

    Returns:
        What to learn from and what is held out, of the shape and type of ``matrix``; their sum is ``matrix``.

    Raises:
        InputError: the share is not between 0 and 1.

    """
    _check_share(share)
    lengths = np.diff(matrix.indptr)
    user = np.repeat(np.arange(matrix.shape[0]), lengths)
    order = np.lexsort((np.random.RandomState(seed).random_sample(matrix.nnz), user))
    place = np.arange(matrix.nnz) - matrix.indptr[:-1][user]
    is_held = np.zeros(matrix.nnz, bool)
    # A product next to a whole number is that number: 0.29 * 100 is 28.999999999999996 in floating point.
    is_held[order] = place < np.floor(share * lengths + 1e-9)[user]
    return _entries(matrix, ~is_held), _entries(matrix, is_held)


def _entries(matrix: sp.csr_matrix, kept: np.ndarray) -> sp.csr_matrix:
    before = np.concatenate([[0], np.cumsum(kept)])
    parts = (matrix.data[kept], matrix.indices[kept], before[matrix.indptr].astype(matrix.indptr.dtype))
    return sp.csr_matrix(parts, shape=matrix.shape)


def _split(is_test: np.ndarray) -> Split:
    return Split(np.flatnonzero(~is_test), np.flatnonzero(is_test))


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise InputError(f"a share of {share:g} to test on: must be between 0 and 1")
