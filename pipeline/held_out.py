"""What a split holds out from the learning of who uses what, and how well vectors rank it.

A user's list are the items that the user does not have in training, by the product of their vectors with the user's.
"""

import numpy as np
import scipy.sparse as sp

from .errors import InputError
from .ranking_metrics import ranking_metrics
from .splits import Split, by_time, hold_out, leave_last_out

MOST_JUDGED = 5_000
"""Users that rankings are judged on; where there are more, so many are drawn, the same for every variant. A mean over
them has a standard error of 1.4 % of the standard deviation between users.
"""
_SCORE_BYTES = 1 << 25
"""Of the scores that are there at once."""


def split_interactions(
    matrix: sp.csr_matrix, times: np.ndarray | None, how: str, share: float, seed: int
) -> tuple[sp.csr_matrix, sp.csr_matrix | None]:
    """What to learn from, and what is held out, which is None where the share is 0.

    Args:
        matrix: CSR, users x items, at most one entry per pair.
        times: int64[entries], when the last of each pair's interactions was, in the order of the entries; or None.
        how: ``share`` of each user's items by chance, ``last`` item of each user (by chance where times are not known),
            or ``time``: the latest ``share`` of all pairs.
        share: from 0 to below 1; ``last`` takes no notice of it but for 0.
        seed: of what is left to chance.

    Raises:
        InputError: no such split, a share out of its range, or a split by time of pairs without times.

    """
    if how not in ("share", "last", "time"):
        raise InputError(f"split={how!r}: must be one of share, last, time")
    if share == 0:
        return matrix, None
    if how == "share":
        return hold_out(matrix, share, seed)
    if how == "time" and times is None:
        raise InputError("split=time: this dataset has no times; use split=share or split=last")
    users = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    split = by_time(times, share) if how == "time" and times is not None else leave_last_out(users, times, seed)
    return _parts(matrix, users, split)


def _parts(matrix: sp.csr_matrix, users: np.ndarray, split: Split) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """The entries at the places of either part."""
    train, test = (
        sp.csr_matrix((matrix.data[at], (users[at], matrix.indices[at])), shape=matrix.shape)
        for at in (split.train, split.test)
    )
    return train, test


def top_items(user_vectors: np.ndarray, item_vectors: np.ndarray, owned: sp.csr_matrix, k: int) -> np.ndarray:
    """int32[n, k]: the items of the highest products that a user does not own, best first; -1 where there are no more.

    Items of equal products come by number, but which of them are the last of a list is left open.

    Args:
        user_vectors: float[n, factors].
        item_vectors: float[items, factors].
        owned: CSR, n x items.
        k: at least 1.

    """
    users, items = owned.shape
    length = min(k, items)
    found = np.full((users, k), -1, np.int32)
    block = max(1, _SCORE_BYTES // (item_vectors.itemsize * max(1, items)))
    for start in range(0, users if length else 0, block):
        rows = slice(start, start + block)
        scores = user_vectors[rows] @ item_vectors.T
        scores[np.repeat(np.arange(len(scores)), np.diff(owned[rows].indptr)), owned[rows].indices] = -np.inf
        best = np.sort(np.argpartition(-scores, length - 1, axis=1)[:, :length], axis=1)
        chosen = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-chosen, axis=1, kind="stable")
        ended = np.take_along_axis(chosen, order, axis=1) == -np.inf
        found[rows, :length] = np.where(ended, -1, np.take_along_axis(best, order, axis=1))
    return found


def ranking_quality(
    user_vectors: np.ndarray,
    item_vectors: np.ndarray,
    training: sp.csr_matrix,
    held_out: sp.csr_matrix,
    seed: int,
    k: int = 100,
) -> dict[str, float]:
    """`RankingMetrics` of lists of k, NDCG first, by names such as ``ndcg@100``.

    Users without anything to learn from have no vector, and are not judged, as those of whom nothing is held out; of
    more than `MOST_JUDGED` so many are drawn. Coverage is by the lists of those judged.

    Args:
        user_vectors: float[users, factors], finite.
        item_vectors: float[items, factors], finite.
        training: CSR, users x items, what the vectors were learned from.
        held_out: CSR of the same shape.
        seed: draws the users.
        k: length of the lists.

    Returns:
        Nothing where no user can be judged.

    """
    judged = np.flatnonzero((np.diff(held_out.indptr) > 0) & (np.diff(training.indptr) > 0))
    if len(judged) > MOST_JUDGED:
        judged = np.sort(np.random.default_rng(seed).choice(judged, MOST_JUDGED, replace=False))
    if not len(judged):
        return {}
    lists = top_items(user_vectors[judged], item_vectors, training[judged], k)
    return ranking_metrics(lists, held_out[judged], training).by_name(k)
