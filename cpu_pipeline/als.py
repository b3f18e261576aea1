"""ALS on the CPU. All variants start from the stage's vectors.

- naive: dense NumPy in float64, a user at a time: the normal equations as they are written
- implicit-cholesky: `implicit`, every row exactly
- batched-sparse: `implicit`, three conjugate-gradient steps a row, its default
- irspack: `irspack`, the same in Eigen
- native-exact: every row exactly, by conjugate gradients in coordinates where they need few steps
- native: three steps of the same
- native-momentum: the same with momentum; `ImplicitALS` is this for use by itself
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import package
from ..pipeline.stages.als import AlsAnswer, AlsProblem, loss, refuse_frequency, with_values
from .implicit_als import MOMENTUM, ALSModel, ImplicitALS, fit
from .peers.needs import peer

if TYPE_CHECKING:
    from implicit.cpu.als import AlternatingLeastSquares

__all__ = ["ALSModel", "ImplicitALS"]

Factors = tuple[np.ndarray, np.ndarray]


def _threads() -> int:
    from .kernels.threads import thread_count

    return thread_count()


def _answer(problem: AlsProblem, history: list[Factors]) -> AlsAnswer:
    """The last factors; the losses are computed here, outside of the timed run, from all of them."""
    return AlsAnswer(*history[-1], np.array([loss(problem, *factors) for factors in history]))


@variant(grows_with=("records", "items"))
def naive(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """Dense NumPy in float64, a user at a time: x = (Y'CY + lambda I)^-1 Y'C p over all items.

    It stands for the formula typed in as the paper gives it, with every zero of the matrix multiplied.
    """
    strengths, transposed = problem.strengths, sp.csr_matrix(problem.strengths.T)
    user_penalties, item_penalties = problem.penalties()

    def solve(rows: sp.csr_matrix, others: np.ndarray, penalties: np.ndarray) -> np.ndarray:
        found = np.zeros((rows.shape[0], others.shape[1]))
        for row in range(len(found)):
            strength = rows[row].toarray()[0].astype(np.float64)
            weighted = others * (1 + problem.alpha * strength)[:, None]
            ridge = penalties[row] * np.eye(others.shape[1])
            found[row] = np.linalg.solve(weighted.T @ others + ridge, weighted.T @ (strength > 0))
        return found

    def run() -> list[Factors]:
        users, items = problem.user_start.astype(np.float64), problem.item_start.astype(np.float64)
        history = []
        for _ in range(problem.iterations):
            users = solve(strengths, items, user_penalties)
            items = solve(transposed, users, item_penalties)
            history.append((users, items))
        return history

    return Prepared(run, fetch=lambda history: _answer(problem, history))


def _of_implicit(problem: AlsProblem, use_cg: bool) -> Prepared[AlsAnswer]:
    """`implicit` takes stored values as c itself; its own alpha stays 1, and it leaves users without entries at 0."""
    from implicit.cpu.als import AlternatingLeastSquares

    refuse_frequency(problem.scaling, "implicit")
    extra = problem.extra_confidences()
    confidences = with_values(extra, 1 + extra.data)

    def run() -> list[Factors]:
        history: list[Factors] = []
        with threadpool_limits(1, "blas"):  # as it asks for
            model = AlternatingLeastSquares(
                factors=problem.factors,
                regularization=problem.regularization,
                iterations=problem.iterations,
                use_cg=use_cg,
                num_threads=_threads(),
            )
            model.user_factors, model.item_factors = problem.user_start.copy(), problem.item_start.copy()
            model.fit(confidences, show_progress=False, callback=_keeps(model, history))
        return history

    return Prepared(run, fetch=lambda history: _answer(problem, history))


def _keeps(model: "AlternatingLeastSquares", history: list[Factors]) -> Callable[..., None]:
    """Copies the factors after each iteration: `implicit`'s own loss would cost it time."""

    def keep(*_: Any) -> None:
        history.append((model.user_factors.copy(), model.item_factors.copy()))

    return keep


@variant(package("implicit"))
def implicit_cholesky(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """`implicit` with its Cholesky solver: every row exactly."""
    return _of_implicit(problem, use_cg=False)


@variant(package("implicit"))
def batched_sparse(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """`implicit` as it comes: three conjugate-gradient steps a row from the last iteration's vector."""
    return _of_implicit(problem, use_cg=True)


@variant(peer("irspack"))
def irspack(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """`irspack`'s iALS core, three conjugate-gradient steps a row, its default."""
    from irspack.recommenders import _ials_core as core

    weight, power = (1.0, 0.0) if problem.scaling == "plain" else (1 / problem.alpha, 1.0)
    extra = problem.extra_confidences() if problem.scaling == "plain" else problem.strengths
    # Its loss is ours times the weight of a pair that is not stored; with a power of 0, as alpha r and weight 1.
    model = core.IALSModelConfigBuilder().set_K(problem.factors).set_loss_type(core.ORIGINAL)
    model = model.set_alpha0(weight).set_reg(problem.regularization).set_nu(power).set_init_stdev(0.0).build()
    how = core.IALSSolverConfigBuilder().set_n_threads(_threads()).set_solver_type(core.CG).set_max_cg_steps(3).build()
    strengths = sp.csr_matrix(extra)

    def run() -> list[Factors]:
        trainer = core.IALSTrainer(model, strengths)
        trainer.user, trainer.item = problem.user_start, problem.item_start
        history = []
        for _ in range(problem.iterations):
            trainer.step(how)
            history.append((np.array(trainer.user), np.array(trainer.item)))
        return history

    return Prepared(run, fetch=lambda history: _answer(problem, history))


def _native(problem: AlsProblem, exact: bool = False, momentum: float = 0.0) -> Prepared[AlsAnswer]:
    def run() -> AlsAnswer:
        model = fit(problem, exact, momentum)
        return AlsAnswer(model.user_factors, model.item_factors, model.losses)

    ImplicitALS(factors=1, iterations=1).fit(sp.identity(2, format="csr"))  # compiles
    return Prepared(run)


@variant(package("numba"))
def native_exact(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """Compiled, conjugate gradients in the coordinates of `native`, until every row is solved to float32."""
    return _native(problem, exact=True)


@variant(package("numba"))
def native(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """Compiled, three conjugate-gradient steps a row in coordinates where Y'Y + lambda is 1: no dense product."""
    return _native(problem)


@variant(package("numba"))
def native_momentum(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """The same with momentum on the items: a lower loss sooner."""
    return _native(problem, momentum=MOMENTUM)
