"""The best items of each user by the product of their vectors, exactly, without ever holding all scores."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import InputError
from ..pipeline.score_rounding import at_least, lengths_of, rounding_bound
from .recommendation_lists import RecommendationLists

if TYPE_CHECKING:
    from .kernels.top_k import Searched

_USERS_AT_ONCE = 256
_WORD = 64
_FIRST_TILE, _LEAST_SCORES, _GROWTH = 2 * _WORD, 1024, 8
"""Tiles double in size up to so many times the first, so that few items are scored where the first ones are enough. The
first has as many items, and more for few users: a tile of fewer scores takes less time than to call what works on it.
"""


class TopItems(NamedTuple):
    """Recommendations.

    items: int32[n, k], by rank; -1 where a list has ended.
    scores: float32[n, k], of each place; -inf where a list has ended.
    """

    items: np.ndarray
    scores: np.ndarray

    @classmethod
    def empty(cls, users: int, k: int) -> "TopItems":
        """Lists that have ended before they began, to be filled."""
        return cls(np.full((users, k), -1, np.int32), np.full((users, k), -np.inf, np.float32))


class TopK:
    """The k items of the highest scores for any users.

    A score is the product of two float32 vectors, summed in float64 over the factors in order. Equal scores: the lower
    item number comes first. Lists are exact, and the same for any number of users and threads.

    *How.* Scores of tiles of users and items are computed in float32 by BLAS, and what can be among the best by the
    bound of their rounding error (Higham, *Accuracy and stability of numerical algorithms*, 2002, section 3.1) is
    scored again in float64. Items are in the order of their lengths: since a score is at most the product of both
    lengths, a user is done when no item left is long enough (Teflioudi, Gemulla, *Exact and approximate maximum inner
    product search with LEMP*, 2016, section 3). Where lengths are even that never happens, and costs nothing.

    *Memory.* 8 bytes for each number in ``item_vectors``, of which 4 are the caller's own array if that is contiguous
    float32, and 20 for each item. A call needs the lists, 8 k bytes a user, and for each thread a tile of 1 MB and for
    each of 256 users 12 (k + 128) bytes of candidates, a bit for each item and 4 bytes for each factor.
    """

    def __init__(self, item_vectors: np.ndarray) -> None:
        """Take float32[m, factors], finite, neither of them 0; other types are converted.

        Raises:
            InputError: the shape is another, or a number is not finite.

        """
        self._vectors = _checked(item_vectors, "item_vectors")
        if not len(self._vectors):
            raise InputError("item_vectors are empty; there must be an item to recommend")
        lengths = _lengths(self._vectors, "item")
        order = np.argsort(-lengths, kind="stable")
        # Of vectors between 1/2 and 1 long neither products overflow, nor are they flushed to 0 if they matter.
        self._exponent = int(np.frexp(lengths[order[0]])[1])
        scale = 2.0**-self._exponent
        self._tiled = np.zeros((-(-len(order) // _WORD) * _WORD, self.factors), np.float32)
        self._tiled[: len(order)] = np.multiply(self._vectors[order], scale, dtype=np.float64)
        self._lengths = at_least(lengths[order] * scale)
        self._order = order.astype(np.int32)
        self._position = np.empty(len(order), np.int32)
        self._position[order] = np.arange(len(order))

    @property
    def items(self) -> int:
        """How many items there are."""
        return len(self._vectors)

    @property
    def factors(self) -> int:
        """Length of a vector."""
        return self._vectors.shape[1]

    def recommend(
        self,
        user_vectors: np.ndarray,
        k: int,
        owned: sp.spmatrix | sp.sparray | None = None,
        barred: np.ndarray | None = None,
    ) -> TopItems:
        """The lists of some users.

        Args:
            user_vectors: float32[n, factors], finite; other types are converted.
            k: length of the lists, above 0; it may be beyond the number of items.
            owned: sparse n x m; items stored in a user's row, whatever the value, are left out of the user's list.
            barred: int[b], items that are left out of all lists.

        Raises:
            InputError: a shape does not fit, a number is not finite, k is not above 0, or an item is none.

        """
        from .kernels.blas import one_blas_thread
        from .kernels.threads import on_threads

        users = self._checked_users(user_vectors, k)
        lengths = _lengths(users, "user")
        pointers, indices = self._owned(owned, len(users))
        bits = self._barred(barred)
        found = TopItems.empty(len(users), k)

        def search(rows: slice) -> None:
            own = pointers[rows.start : rows.stop + 1]
            searched = self._searched(users[rows], lengths[rows], k, own, indices, bits)
            self._search(searched, min(k, self.items), TopItems(found.items[rows], found.scores[rows]))

        parts = [slice(at, min(at + _USERS_AT_ONCE, len(users))) for at in range(0, len(users), _USERS_AT_ONCE)]
        if len(parts) > 1:
            with one_blas_thread():
                on_threads(search, parts)
        elif parts:
            search(parts[0])
        return found

    def one(
        self, user_vector: np.ndarray, k: int, owned: np.ndarray | None = None, barred: np.ndarray | None = None
    ) -> TopItems:
        """The list of one user, for requests one by one: int32[k] and float32[k].

        Args:
            user_vector: float32[factors].
            k: length of the list.
            owned: int[o], the user's own items.
            barred: int[b], more items that are left out.

        Raises:
            InputError: as `recommend`.

        """
        users = self._checked_users(np.asarray(user_vector)[None], k)
        items = self._numbers(owned, "owned")
        found = TopItems.empty(1, k)
        pointers = np.array([0, len(items)], np.int32)
        searched = self._searched(users, _lengths(users, "user"), k, pointers, items, self._barred(barred))
        self._search(searched, min(k, self.items), found)
        return TopItems(found.items[0], found.scores[0])

    def precomputed(
        self,
        user_vectors: np.ndarray,
        k: int,
        owned: sp.spmatrix | sp.sparray | None = None,
        barred: np.ndarray | None = None,
        users: Sequence[Hashable] | None = None,
    ) -> RecommendationLists:
        """The lists of `recommend`, by the ids in ``users`` or by row, for retrieval alone.

        Raises:
            InputError: as `recommend`, or there are not as many ids as users, or one is there twice.

        """
        return RecommendationLists(self.recommend(user_vectors, k, owned, barred).items, users)

    def _checked_users(self, user_vectors: np.ndarray, k: int) -> np.ndarray:
        users = _checked(user_vectors, "user_vectors")
        if users.shape[1] != self.factors:
            raise InputError(f"user_vectors have {users.shape[1]} factors, item_vectors {self.factors}")
        if k < 1:
            raise InputError(f"k={k}: a list has at least one place")
        return users

    def _numbers(self, items: np.ndarray | None, name: str) -> np.ndarray:
        """int32 numbers of items."""
        if items is None or not len(items):
            return np.empty(0, np.int32)
        numbers = np.asarray(items)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() >= self.items:
            raise InputError(f"{name} must be numbers of items, from 0 to {self.items - 1}")
        return numbers.astype(np.int32)

    def _owned(self, owned: sp.spmatrix | sp.sparray | None, users: int) -> tuple[np.ndarray, np.ndarray]:
        if owned is None:
            return np.zeros(users + 1, np.int32), np.empty(0, np.int32)
        if owned.shape != (users, self.items):
            raise InputError(
                f"owned is {owned.shape}; for these vectors it must be {(users, self.items)}, users x items"
            )
        matrix = sp.csr_matrix(owned)
        return matrix.indptr, matrix.indices

    def _barred(self, barred: np.ndarray | None) -> np.ndarray:
        """uint64[words], a bit for each position that nobody is shown."""
        bits = np.zeros(len(self._tiled), np.uint8)
        bits[self.items :] = 1
        bits[self._position[self._numbers(barred, "barred")]] = 1
        return np.packbits(bits, bitorder="little").view(np.uint64)

    def _searched(
        self,
        users: np.ndarray,
        lengths: np.ndarray,
        k: int,
        pointers: np.ndarray,
        owned: np.ndarray,
        barred: np.ndarray,
    ) -> "Searched":
        from .kernels.top_k import Searched, capacity, hide

        n, room = len(users), capacity(min(k, self.items))
        exponents = np.frexp(lengths)[1]
        lengths = at_least(np.ldexp(lengths, -exponents))
        hidden = np.tile(barred, (n, 1))
        hide(pointers, owned, self._position, hidden)
        return Searched(
            vectors=users,
            scales=np.ldexp(1.0, -exponents - self._exponent),
            lengths=lengths,
            bounds=rounding_bound(lengths, self._lengths[0], self.factors),
            hidden=hidden,
            values=np.empty((n, room)),
            items=np.empty((n, room), np.int32),
            counts=np.zeros(n, np.int64),
            leasts=np.full(n, -np.inf),
        )

    def _search(self, searched: "Searched", k: int, found: TopItems) -> None:
        from .kernels.top_k import search_tile, take_first, write_lists

        for user in np.flatnonzero(searched.lengths == 0):
            take_first(searched, int(user), self._position, k)
        rows = np.flatnonzero(searched.lengths)
        users = (searched.vectors[rows] * np.ldexp(searched.scales[rows], self._exponent)[:, None]).astype(np.float32)
        width = max(_FIRST_TILE, _LEAST_SCORES // max(1, len(rows)) // _WORD * _WORD)
        start, widest = 0, _GROWTH * width
        tile = np.empty(len(rows) * min(widest, len(self._tiled)), np.float32)
        while start < self.items and len(rows):
            stop = min(start + width, len(self._tiled))
            reach = self._lengths[stop] if stop < self.items else -np.inf
            some = tile[: len(rows) * (stop - start)].reshape(len(rows), stop - start)
            np.matmul(users, self._tiled[start:stop].T, out=some)
            still_open = np.empty(len(rows), np.int64)
            left = search_tile(
                searched, rows, some, start, self._order[start:stop], self._vectors, k, reach, still_open
            )
            if left < len(rows):
                rows, users = rows[still_open[:left]], users[still_open[:left]]
            start, width = stop, min(2 * width, widest)
        write_lists(searched, self._vectors, found.items, found.scores)


def _checked(vectors: np.ndarray, name: str) -> np.ndarray:
    found = np.ascontiguousarray(vectors, np.float32)
    if found.ndim != 2 or found.shape[1] == 0:
        raise InputError(f"{name} must be float32[n, factors]; they have the shape {found.shape}")
    return found


def _lengths(vectors: np.ndarray, name: str) -> np.ndarray:
    """float64[n], the lengths of the vectors."""
    lengths = lengths_of(vectors)
    if not np.isfinite(lengths).all():
        raise InputError(f"the vector of {name} {int(np.argmin(np.isfinite(lengths)))} has NaN or infinity in it")
    return lengths
