"""What records are recommended, in everyday code and by `implicit`; `recommender` is the native way."""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from ..pipeline.item_vectors import ItemVectors
from ..pipeline.stages.als import refuse_frequency, with_values
from .top_k import TopItems

Recommend = Callable[[sp.csr_matrix], TopItems]
"""From CSR of ones, n x m, what records have, to the best of what they have not."""


def one_at_a_time(items: ItemVectors, k: int) -> Recommend:
    """Dense NumPy in float64, a record at a time: the normal equations as they are written, and all scores sorted."""
    vectors = items.vectors.astype(np.float64)
    ridge = np.eye(vectors.shape[1])

    def recommend(owned: sp.csr_matrix) -> TopItems:
        found, penalties = TopItems.empty(owned.shape[0], k), items.penalties(owned)
        for row in range(len(penalties)):
            has = owned[row].toarray()[0].astype(np.float64)
            weighted = vectors * (1 + items.alpha * has)[:, None]
            user = np.linalg.solve(weighted.T @ vectors + penalties[row] * ridge, weighted.T @ has)
            scores = np.where(has > 0, -np.inf, vectors @ user)
            best = np.argsort(-scores, kind="stable")[: min(k, int(np.sum(has == 0)))]
            found.items[row, : len(best)], found.scores[row, : len(best)] = best, scores[best]
        return found

    return recommend


def by_implicit(items: ItemVectors, k: int) -> Recommend:
    """`implicit` folds a batch in with its Cholesky solver, and picks the best with what records have filtered out.

    Raises:
        UnsupportedModelError: the regularisation is by frequency.

    """
    from implicit.cpu.als import AlternatingLeastSquares

    from .kernels.threads import thread_count

    refuse_frequency(items.scaling, "implicit")
    count, factors = items.vectors.shape
    with threadpool_limits(1, "blas"):  # as it asks for
        model = AlternatingLeastSquares(factors, regularization=items.regularization, num_threads=thread_count())
    model.item_factors = items.vectors

    def recommend(owned: sp.csr_matrix) -> TopItems:
        found, places = TopItems.empty(owned.shape[0], k), min(k, count)
        if owned.shape[0] == 0 or places == 0:
            return found
        extra = items.confidences(owned)
        users = np.arange(owned.shape[0])
        with threadpool_limits(1, "blas"):
            model.user_factors = model.recalculate_user(users, with_values(extra, 1 + extra.data))
            best, scores = model.recommend(users, extra, N=places)
        filled = scores > np.finfo(np.float32).min  # what it gives to the items that it filters out
        found.items[:, :places], found.scores[:, :places] = (
            np.where(filled, best, -1),
            np.where(filled, scores, -np.inf),
        )
        return found

    return recommend
