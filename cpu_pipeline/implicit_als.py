"""The native ALS: a model of who uses what that is fitted, folded in and brought up to date."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from ..pipeline.errors import InputError
from ..pipeline.stages.als import (
    REGULARIZATION,
    AlsProblem,
    AskedScaling,
    Scaling,
    als_problem,
    checked_strengths,
    penalties,
)
from .row_solver import RowSolver, gram

_STEPS = 3
"""Conjugate-gradient steps a row. Two cost a quarter less, and can end above the loss of three plain ones."""
_STEPS_EXACT = 1000
"""Rows are solved long before (`kernels.conjugate_gradients`): about ten steps where confidences are about ten."""
MOMENTUM = 0.4
"""0.5 needs as many iterations for a loss, or one less, and ranked worse there on one of two datasets
(`tools/compare_als.py`).
"""


@dataclass(frozen=True)
class ALSModel:
    """Vectors of users and items, and what is needed to find more.

    user_factors, item_factors: float32[users, factors], float32[items, factors].
    losses: float64[iterations], the loss after each (`technobench.pipeline.stages.als`); empty after an update.
    """

    user_factors: np.ndarray
    item_factors: np.ndarray
    losses: np.ndarray
    regularization: float
    alpha: float
    scaling: Scaling

    @property
    def loss(self) -> float:
        """The loss of the fit; NaN after an update."""
        return float(self.losses[-1]) if len(self.losses) else float("nan")

    def fold_in_users(self, rows: sp.spmatrix | sp.sparray) -> np.ndarray:
        """float32[n, factors]: the best vectors for new users, the items held.

        Args:
            rows: sparse n x items, the strengths of each new user.

        Raises:
            InputError: a strength is refused, or there are not as many columns as items.

        """
        return self._fold_in(rows, self.item_factors, "items")

    def fold_in_items(self, rows: sp.spmatrix | sp.sparray) -> np.ndarray:
        """float32[n, factors]: the best vectors for new items, the users held.

        Args:
            rows: sparse n x users, one row for each new item.

        Raises:
            InputError: a strength is refused, or there are not as many columns as users.

        """
        return self._fold_in(rows, self.user_factors, "users")

    def update(self, interactions: sp.spmatrix | sp.sparray, changed: sp.spmatrix | sp.sparray) -> "ALSModel":
        """The model after some interactions came, went or changed, without a refit.

        Vectors of users in a changed pair are found anew with the items held, then those of items in one with the
        users held; all others stay. It costs what the rows of the changed pairs cost, and a pass over the entries.

        Args:
            interactions: sparse users x items, *all* strengths as they are now; rows and columns may have been added.
            changed: sparse of the same shape; the pairs stored in it have changed, whatever its values.

        Raises:
            InputError: a strength is refused, a user or item has gone, or the shapes differ.

        """
        strengths = checked_strengths(interactions, self.alpha)
        if changed.shape != strengths.shape:
            raise InputError(
                f"changed is {changed.shape}, the interactions are {strengths.shape}; both are users x items"
            )
        pairs = sp.coo_matrix(changed)
        users, items = np.unique(pairs.row), np.unique(pairs.col)
        grown = replace(
            self,
            user_factors=_grown(self.user_factors, strengths.shape[0], "users"),
            item_factors=_grown(self.item_factors, strengths.shape[1], "items"),
            losses=np.zeros(0),
        )
        grown.user_factors[users] = grown.fold_in_users(strengths[users])
        grown.item_factors[items] = grown.fold_in_items(strengths[:, items].T)
        return grown

    def _fold_in(self, rows: sp.spmatrix | sp.sparray, others: np.ndarray, names: str) -> np.ndarray:
        from .kernels.blas import one_blas_thread

        strengths = checked_strengths(rows, self.alpha)
        if strengths.shape[1] != len(others):
            raise InputError(f"the rows have {strengths.shape[1]} columns, the model {len(others)} {names}")
        entries = np.diff(strengths.indptr)
        costs = penalties(entries, len(others), self.alpha, self.regularization, self.scaling)
        found = np.zeros((len(entries), others.shape[1]), np.float32)
        with one_blas_thread():
            RowSolver.of(strengths, self.alpha, costs).run(_STEPS_EXACT, others, gram(others), found)
        return found


def _grown(vectors: np.ndarray, rows: int, names: str) -> np.ndarray:
    """A copy with zeros for new rows."""
    if rows < len(vectors):
        raise InputError(
            f"the model has {len(vectors)} {names}, the interactions {rows}; keep those without any, empty"
        )
    return np.pad(vectors, [(0, rows - len(vectors)), (0, 0)])


class ImplicitALS:
    """Alternating least squares on implicit feedback; the loss is that of `technobench.pipeline.stages.als`.

    Work is cut in the same way at any number of threads: on one kind of processor, a seed's result is the same to the
    last bit. While a fit is at work, BLAS has one thread in the whole process.

    A fit of n pairs, u users and m items holds 16 n bytes, 8 of them the caller's if that is a canonical CSR matrix of
    float32, and 8 u + 16 m bytes a factor.
    """

    def __init__(
        self,
        factors: int = 64,
        regularization: float = REGULARIZATION,
        alpha: float = 10.0,
        iterations: int = 15,
        seed: int = 0,
        scaling: AskedScaling = "size",
        exact: bool = False,
        momentum: float = MOMENTUM,
    ) -> None:
        """Take the hyper-parameters.

        Args:
            factors: length of the vectors.
            regularization: lambda, by ``scaling``.
            alpha: c = 1 + alpha r.
            iterations: of users, then items.
            seed: draws the vectors to start from.
            scaling: of the regularisation, ``size``, ``plain`` or ``frequency``.
            exact: solve every row, instead of going three conjugate-gradient steps from the last iteration's vector.
            momentum: users are found for items that have gone on by this share of their way since the last iteration:
                a lower loss after as many iterations. 0 is plain ALS; 0.5 and more may overshoot.

        Raises:
            InputError: the momentum is out of [0, 1); `fit` tells of the others.

        """
        self.factors, self.regularization, self.alpha = factors, regularization, alpha
        self.iterations, self.seed = iterations, seed
        self.scaling: AskedScaling = scaling
        self.exact, self.momentum = exact, momentum
        if not 0 <= momentum < 1:
            raise InputError(f"momentum={momentum}: must be at least 0 and below 1")

    def fit(self, interactions: sp.spmatrix | sp.sparray) -> ALSModel:
        """Fit users x items, each stored value a strength above 0; pairs stored twice are summed.

        Raises:
            InputError: a strength or a hyper-parameter is refused.

        """
        problem = als_problem(
            interactions, self.factors, self.regularization, self.alpha, self.iterations, self.seed, self.scaling
        )
        return _improve(problem, problem.user_start, problem.item_start, self.exact, self.momentum)


def fit(problem: AlsProblem, exact: bool = False, momentum: float = 0.0) -> ALSModel:
    """Fit a problem of the stage, from its start, which stays as it is; see `ImplicitALS`."""
    return _improve(problem, problem.user_start.copy(), problem.item_start.copy(), exact, momentum)


def _improve(problem: AlsProblem, users: np.ndarray, items: np.ndarray, exact: bool, momentum: float) -> ALSModel:
    """All iterations; the vectors, float32, are changed in place."""
    from .kernels.blas import one_blas_thread

    strengths, alpha = problem.strengths, problem.alpha
    user_penalties, item_penalties = problem.penalties()
    user_rows = RowSolver.of(strengths, alpha, user_penalties)
    item_rows = RowSolver.of(sp.csr_matrix(strengths.T), alpha, item_penalties)
    confidence = strengths.nnz + alpha * float(strengths.data.sum(dtype=np.float64))
    steps, earlier, losses = _STEPS_EXACT if exact else _STEPS, None, np.empty(problem.iterations)
    with one_blas_thread():
        items_gram = gram(items)
        for iteration in range(problem.iterations):
            users_gram, _ = user_rows.run(steps, items, items_gram, users)
            items_gram, rest = item_rows.run(steps, users, users_gram, items)
            lengths = np.einsum("ij,ij->i", users, users, dtype=np.float64)
            losses[iteration] = rest + confidence + user_penalties @ lengths
            if momentum > 0 and iteration + 1 < problem.iterations:
                found, rose = items.copy(), iteration > 0 and losses[iteration] > losses[iteration - 1]
                if earlier is not None and not rose:  # where the loss rose it overshot: begin anew
                    items += np.float32(momentum) * (items - earlier)
                    items_gram = gram(items)
                earlier = found
    return ALSModel(users, items, losses, problem.regularization, problem.alpha, problem.scaling)
