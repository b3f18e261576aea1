"""Recommendation on the CPU, all from the same vectors. Asked one by one, variants answer in a loop of single calls.

- naive: scores of all items in float64 and a full sort, a user at a time
- batched-sparse: `implicit`'s recommend, all users in one call or one user a call
- native: float32 tiles by BLAS, from which a compiled selection takes the candidates, scored again in float64
- hash-map: the lists of all users are computed in set-up, and looked up
"""

from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import package
from ..pipeline.stages.recommend import RecommendProblem, scores
from .recommendation_lists import RecommendationLists
from .top_k import TopItems, TopK

__all__ = ["RecommendationLists", "TopItems", "TopK"]


@variant(grows_with=("records", "items", "factors"))
def naive(problem: RecommendProblem) -> Prepared[np.ndarray]:
    """Scores of all items in float64 and a full sort, a user at a time."""
    users, items = problem.users.astype(np.float64), np.asfortranarray(problem.items, np.float64)
    shown = np.ones(len(items), bool)
    shown[problem.barred] = False

    def one(user: int) -> np.ndarray:
        found = scores(users[user], items)
        left = shown.copy()
        left[problem.items_of(user)] = False
        order = np.argsort(-found, kind="stable")
        return order[left[order]][: problem.k]

    return Prepared(lambda: [one(user) for user in problem.asked], fetch=lambda lists: _padded(lists, problem.k))


def _padded(lists: list[np.ndarray], k: int) -> np.ndarray:
    """int32[q, k] of lists that may be shorter."""
    found = np.full((len(lists), k), -1, np.int32)
    for row, items in zip(found, lists, strict=True):
        row[: len(items)] = items
    return found


@variant(package("implicit"))
def batched_sparse(problem: RecommendProblem) -> Prepared[np.ndarray]:
    """`implicit`: scores of some users at a time by BLAS, each row with a heap; float32 throughout."""
    from implicit.cpu.als import AlternatingLeastSquares

    from .kernels.threads import thread_count

    with threadpool_limits(1, "blas"):  # it looks for threads of BLAS when it is made, too
        model = AlternatingLeastSquares(factors=problem.users.shape[1], num_threads=thread_count())
    model.user_factors, model.item_factors = problem.users, problem.items
    owned, barred, k = problem.owned[problem.asked], problem.barred.tolist() or None, problem.k

    def every() -> list[TopItems]:
        return [TopItems(*model.recommend(problem.asked, owned, k, filter_items=barred))]

    def each() -> list[TopItems]:
        return [
            TopItems(*model.recommend(user, problem.owned[user], k, filter_items=barred))
            for user in problem.asked.tolist()
        ]

    def run() -> list[TopItems]:
        with threadpool_limits(1, "blas"):  # as it asks for
            return each() if problem.one_by_one else every()

    return Prepared(run, fetch=lambda found: _listed(found, problem))


def _listed(found: list[TopItems], problem: RecommendProblem) -> np.ndarray:
    """`implicit` fills a list that ends with items of the least score there is, and with zeros beyond the catalogue."""
    items = np.vstack([part.items for part in found])
    filled = np.vstack([part.scores for part in found]) == np.finfo(np.float32).min
    filled[:, len(problem.items) :] = True
    return np.where(filled, -1, items)


@variant(package("numba"))
def native(problem: RecommendProblem) -> Prepared[np.ndarray]:
    """Compiled: candidates from tiles of float32 scores, scored again in float64; ends early where lengths allow."""
    top = TopK(problem.items)
    top.one(problem.users[0], problem.k)  # compiles
    if problem.one_by_one:
        return Prepared(_one_by_one(top, problem))
    users, owned = problem.users[problem.asked], problem.owned[problem.asked]
    return Prepared(lambda: top.recommend(users, problem.k, owned, problem.barred).items)


def _one_by_one(top: TopK, problem: RecommendProblem) -> Callable[[], np.ndarray]:
    def one(user: int) -> np.ndarray:
        return top.one(problem.users[user], problem.k, problem.items_of(user), problem.barred).items

    return lambda: np.array([one(user) for user in problem.asked.tolist()], np.int32).reshape(-1, problem.k)


@variant(package("numba"))
def hash_map(problem: RecommendProblem) -> Prepared[np.ndarray]:
    """Lists of all users from `native` in set-up, looked up one by one: retrieval alone."""
    lists = TopK(problem.items).precomputed(problem.users, problem.k, problem.owned, problem.barred)
    asked = problem.asked.tolist()
    return Prepared(lambda: [lists[user] for user in asked], fetch=lambda found: _padded(found, problem.k))
