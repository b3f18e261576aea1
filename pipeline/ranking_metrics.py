"""How good lists of recommendations are, against what users really chose.

An item is relevant to a user or it is not. Means are over the users to whom something is relevant; lists of the others
count for coverage and novelty alone. k is the length of lists that was asked for. A list may be shorter, since there
were no more items to recommend: its empty places are misses, as in trec_eval (https://github.com/usnistgov/trec_eval),
so that a shorter list never looks better for being short, and k may be larger than the catalogue. Textbook: Manning,
Raghavan and Schütze, "Introduction to information retrieval", 2008, chapter 8.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .errors import InputError

_USERS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class RankingMetrics:
    """Means over ``users``, the number of users with relevant items, all between 0 and 1 but novelty.

    precision: relevant items in the list, divided by k.
    recall: relevant items in the list, divided by all that are relevant to the user.
    ndcg: sum of 1 / log2(1 + rank) over the relevant items in the list, divided by that of the best possible list of k
        (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002, binary gain).
    mean_average_precision: precision at the rank of each relevant item in the list, their sum divided by the number of
        relevant items or by k if that is less, so that the best possible list has 1.
    mean_reciprocal_rank: 1 / rank of the first relevant item, 0 where there is none in the list (Voorhees, "The TREC-8
        question answering track report", 1999).
    hit_rate: share of users with a relevant item in the list.
    coverage: share of the catalogue that is in a list (Herlocker et al., "Evaluating collaborative filtering
        recommender systems", 2004, section 4.1).
    novelty: mean over all places of all lists of -log2 of the item's share of users in training, in bits (Vargas and
        Castells, "Rank and relevance in novelty and diversity metrics for recommender systems", 2011); an item that
        nobody has counts as if one user had it. 0 where all lists are empty.
    """

    users: int
    precision: float
    recall: float
    ndcg: float
    mean_average_precision: float
    mean_reciprocal_rank: float
    hit_rate: float
    coverage: float
    novelty: float

    def by_name(self, k: int) -> dict[str, float]:
        """The metrics of lists of k under names such as ``ndcg@10``, NDCG first."""
        return {
            f"ndcg@{k}": self.ndcg,
            f"recall@{k}": self.recall,
            f"precision@{k}": self.precision,
            f"map@{k}": self.mean_average_precision,
            f"mrr@{k}": self.mean_reciprocal_rank,
            f"hit_rate@{k}": self.hit_rate,
            f"coverage@{k}": self.coverage,
            f"novelty@{k}": self.novelty,
        }


@dataclass(frozen=True)
class UserMetrics:
    """The same for each user with relevant items, float64[u] each, in the order of ``users`` (int64[u], rows)."""

    users: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    ndcg: np.ndarray
    average_precision: np.ndarray
    reciprocal_rank: np.ndarray
    hit: np.ndarray


def ranking_metrics(recommended: np.ndarray, relevant: sp.csr_matrix, training: sp.csr_matrix) -> RankingMetrics:
    """All metrics of the users' lists.

    Args:
        recommended: int32[n, k], items by rank; -1 where a list has ended.
        relevant: CSR, n x m; an entry that is not 0 is a relevant item, such as one held out (`splits.hold_out`).
        training: CSR, n' x m, what the model learned from, for novelty.

    Raises:
        InputError: shapes differ, an item is not in the catalogue, a list goes on after -1 or has an item twice, or
            nothing is relevant to anyone.

    """
    per_user = user_metrics(recommended, relevant)
    if not len(per_user.users):
        raise InputError("no user has a relevant item, so there is nothing to judge by; hold more out")
    if training.shape[1] != relevant.shape[1]:
        raise InputError(f"training has {training.shape[1]:,} items and the lists are of {relevant.shape[1]:,}")
    places = np.bincount(recommended[recommended >= 0], minlength=relevant.shape[1])
    owners = np.maximum(np.bincount(training.indices[training.data != 0], minlength=len(places)), 1)
    bits = -np.log2(owners / max(1, training.shape[0]))
    return RankingMetrics(
        users=len(per_user.users),
        precision=float(per_user.precision.mean()),
        recall=float(per_user.recall.mean()),
        ndcg=float(per_user.ndcg.mean()),
        mean_average_precision=float(per_user.average_precision.mean()),
        mean_reciprocal_rank=float(per_user.reciprocal_rank.mean()),
        hit_rate=float(per_user.hit.mean()),
        coverage=float(np.mean(places > 0)),
        novelty=float(places @ bits / max(1, places.sum())),
    )


def user_metrics(recommended: np.ndarray, relevant: sp.csr_matrix) -> UserMetrics:
    """The metrics of each user's list, to compare two models user by user; arguments and errors as above."""
    if recommended.ndim != 2 or recommended.shape[0] != relevant.shape[0] or recommended.shape[1] == 0:
        raise InputError(f"lists of shape {recommended.shape} for {relevant.shape[0]:,} users: give int32[users, k]")
    relevant = sp.csr_matrix(relevant, copy=True)
    relevant.sum_duplicates()
    relevant.eliminate_zeros()
    count = np.diff(relevant.indptr)
    parts = []
    for start in range(0, max(1, len(count)), _USERS_AT_ONCE):
        rows = slice(start, start + _USERS_AT_ONCE)
        _check_lists(recommended[rows], start, relevant.shape[1])
        judged = np.flatnonzero(count[rows])
        hits = _hits(recommended[rows], relevant[rows])[judged]
        parts.append(_from_hits(start + judged, hits, count[rows][judged]))
    return UserMetrics(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _hits(recommended: np.ndarray, relevant: sp.csr_matrix) -> np.ndarray:
    """bool[n, k]: whether the item is relevant, by looking its pair of row and column up among those in order."""
    items = relevant.shape[1]
    row = np.arange(len(recommended))
    pairs = np.repeat(row, np.diff(relevant.indptr)) * items + relevant.indices
    wanted = row[:, None] * items + recommended
    found = np.append(pairs, -1)[np.searchsorted(pairs, wanted)]
    return (found == wanted) & (recommended >= 0)


def _from_hits(users: np.ndarray, hits: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, ...]:
    """The fields of `UserMetrics` from hits, bool[u, k], and the number of relevant items, [u], of each user."""
    k = hits.shape[1]
    rank = np.arange(1, k + 1)
    discount = 1 / np.log2(1 + rank)
    best = np.minimum(count, k)
    found = hits.sum(axis=1)
    precision_at_rank = np.cumsum(hits, axis=1) / rank
    ndcg = hits @ discount / np.cumsum(discount)[best - 1]
    average_precision = np.einsum("uk,uk->u", precision_at_rank, hits) / best
    reciprocal_rank = np.where(found > 0, 1 / (1 + hits.argmax(axis=1)), 0.0)
    return users, found / k, found / count, ndcg, average_precision, reciprocal_rank, (found > 0).astype(np.float64)


def _check_lists(recommended: np.ndarray, first: int, items: int) -> None:
    """Refuse lists that are none; ``first`` is the row that they begin with, for the message."""
    ordered = np.sort(recommended, axis=1)
    wrong = {
        f"an item outside of the catalogue of {items:,}": (recommended < -1) | (recommended >= items),
        "an item after the list has ended with -1": (recommended[:, 1:] >= 0) & (recommended[:, :-1] < 0),
        "an item twice": (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0),
    }
    for what, where in wrong.items():
        if where.any():
            raise InputError(f"the list of user {first + int(where.any(axis=1).argmax())} has {what}")
