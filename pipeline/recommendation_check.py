"""Lists of recommended items against exact ones: by what they must never hold, and by score, place by place.

Two items may have nearly the same score, so that rounding decides which comes first. What is compared is therefore not
which items are in a list, but the exact scores of the items that are in it.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .item_vectors import ItemVectors

CHECKED_RECORDS = 1024
"""Records, spread over all, whose scores are checked; the form of the lists is checked on all."""
NO_ITEM = -1
"""What an empty place holds: all items of the catalogue that the record does not have are before it."""
_BLOCK_BYTES = 1 << 26


@dataclass(frozen=True)
class RecommendationReference:
    """What the k best new items of n records are checked against.

    owned: canonical CSR, n x m, what each record has.
    rows: int64[c], the records whose scores are checked.
    users: float64[c, factors], their exact vectors.
    items: float64[m, factors].
    best: float64[c, k], the highest exact scores of items that they do not have, in order; NaN where there are no more.
    """

    owned: sp.csr_matrix
    rows: np.ndarray
    users: np.ndarray
    items: np.ndarray
    best: np.ndarray

    @classmethod
    def of(cls, recommender: ItemVectors, owned: sp.csr_matrix, k: int) -> "RecommendationReference":
        """From CSR n x m of what records have: folded in exactly, all items scored, in float64."""
        records = owned.shape[0]
        rows = np.linspace(0, max(0, records - 1), min(records, CHECKED_RECORDS)).astype(np.int64)
        checked = sp.csr_matrix(owned[rows])
        users, items = recommender.exact_users(checked), recommender.vectors.astype(np.float64)
        best = np.full((len(rows), k), np.nan)
        block = max(1, _BLOCK_BYTES // (8 * max(1, len(items))))
        for start in range(0, len(rows), block):
            part = slice(start, start + block)
            scores = users[part] @ items.T
            scores[checked[part].nonzero()] = -np.inf
            highest = -np.sort(-scores, axis=1)[:, :k]
            best[part, : highest.shape[1]] = np.where(np.isfinite(highest), highest, np.nan)
        return cls(owned, rows, users, items, best)

    def error(self, recommended: np.ndarray, scores: np.ndarray) -> float:
        """The largest difference of a score, relative to the longest item's length times that of the record's vector.

        That is what an item's score can at most be, and what rounding is in proportion to. Infinity where the form is
        wrong: of another shape, an item out of range, repeated or one that the record has, an empty place before the
        end or where an item is left, scores that are not finite or not in order.

        Args:
            recommended: int[n, k], `NO_ITEM` where a place is empty.
            scores: float[n, k]; what an empty place has is not looked at.

        """
        shape = self.owned.shape[0], self.best.shape[1]
        if recommended.shape != shape or scores.shape != shape or not self._well_formed(recommended, scores):
            return float("inf")
        lists = recommended[self.rows]
        filled = lists != NO_ITEM
        exact = np.einsum("nkf,nf->nk", self.items[np.where(filled, lists, 0)], self.users)
        lengths = np.linalg.norm(self.users, axis=1) * np.linalg.norm(self.items, axis=1).max(initial=0)
        largest = np.where(lengths > 0, lengths, 1)[:, None]
        differences = np.abs(exact - self.best), np.abs(exact - scores[self.rows])
        return max(float(np.max(each / largest, where=filled, initial=0)) for each in differences)

    def _well_formed(self, recommended: np.ndarray, scores: np.ndarray) -> bool:
        left = self.owned.shape[1] - np.diff(self.owned.indptr)
        filled = np.arange(recommended.shape[1]) < left[:, None]
        if not are_lists(recommended, filled, self.owned) or not np.isfinite(scores[filled]).all():
            return False
        return bool(((scores[:, 1:] <= scores[:, :-1]) | ~filled[:, 1:]).all())


def are_lists(lists: np.ndarray, filled: np.ndarray, owned: sp.csr_matrix, barred: np.ndarray | None = None) -> bool:
    """Whether lists are as long as they can be, and have nothing twice, owned, barred or unknown in them.

    Args:
        lists: int[n, k], `NO_ITEM` where a list has ended.
        filled: bool[n, k], the places that must have an item.
        owned: CSR, n x m, what nobody is to be shown of their own.
        barred: int[b], items that nobody is to be shown.

    """
    if np.shape(lists) != filled.shape or lists.dtype.kind != "i" or ((lists != NO_ITEM) != filled).any():
        return False
    records, items = owned.shape
    listed = lists[filled]
    if ((listed < 0) | (listed >= items)).any() or (barred is not None and np.isin(listed, barred).any()):
        return False
    ordered = np.sort(lists, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NO_ITEM)).any():
        return False
    pairs = (np.arange(records)[:, None] * np.int64(items) + lists)[filled]
    has = np.repeat(np.arange(records), np.diff(owned.indptr)) * np.int64(items) + owned.indices
    return not np.isin(pairs, has).any()
