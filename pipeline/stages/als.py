"""ALS: who uses what, as a sparse matrix, to a vector per user and per item (Hu, Koren, Volinsky 2008, section 4).

For users u with x_u and items i with y_i, a stored strength r_ui > 0, preference p_ui (1 where stored, else 0) and
confidence c_ui = 1 + alpha r_ui (1 where nothing is stored), the loss is the sum over *all* pairs

    sum_ui c_ui (p_ui - x_u . y_i)^2  +  sum_u lambda_u |x_u|^2  +  sum_i lambda_i |y_i|^2

and one iteration minimises it over all users, the items held, then over all items, the users held. Regularisation is

- ``plain``: lambda_u = lambda_i = lambda, as in the paper;
- ``frequency``: lambda_u = lambda (items + alpha n_u) and lambda_i = lambda (users + alpha n_i), with n the stored
  entries of the row or column (Rendle, Krichene, Zhang, Koren, *Revisiting the performance of iALS*, 2022, section
  4.2, with nu = 1 and its unobserved weight at 1 / alpha);
- ``size``: ``plain``, with lambda times the number of items, or of users where these are fewer. One lambda then does
  for small data and large, and libraries that know the paper's form alone can follow.

What libraries make of a stored value differs: to `implicit` it is c itself, to `irspack` it is alpha r. Here it is r;
each variant converts. Pairs stored twice are summed. The vector of a user or item without entries is zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, cast, get_args

import numpy as np
import scipy.sparse as sp

from ..als_reference import MOST_OPERATIONS, exact_als, operations
from ..contract import Scalar, Stage
from ..errors import InputError, UnsupportedModelError
from ..held_out import ranking_quality, split_interactions
from ..search import Range
from ..splits import hold_out

if TYPE_CHECKING:
    from ..workload import Workload

Scaling = Literal["plain", "frequency"]
AskedScaling = Literal["size", "plain", "frequency"]
REGULARIZATION = 0.04
"""The default lambda, by ``size``: at 64 factors near the best of every dataset at hand, from 1,224 x 851 up."""
_BATCH_BYTES = 1 << 26
"""Memory of one batch of the loss."""


@dataclass(frozen=True)
class AlsProblem:
    """Interactions to factorise, the hyper-parameters, and where all variants start.

    strengths: canonical CSR, users x items, float32, every stored value finite and above 0; alpha times it is finite.
    user_start, item_start: float32[users, factors] and float32[items, factors].
    held_out: CSR of the same shape, pairs that are not among the strengths, to judge the vectors by; or None.
    seed: what was drawn, was drawn by it.
    """

    strengths: sp.csr_matrix
    alpha: float
    regularization: float
    scaling: Scaling
    iterations: int
    user_start: np.ndarray
    item_start: np.ndarray
    held_out: sp.csr_matrix | None = None
    seed: int = 0

    @property
    def factors(self) -> int:
        """Length of each vector."""
        return self.item_start.shape[1]

    def extra_confidences(self) -> sp.csr_matrix:
        """CSR, users x items, float32: c - 1 = alpha r of the stored pairs."""
        return with_values(self.strengths, np.float32(self.alpha) * self.strengths.data)

    def penalties(self) -> tuple[np.ndarray, np.ndarray]:
        """float64[users], float64[items]: lambda_u and lambda_i."""
        users, items = self.strengths.shape
        user_entries = np.diff(self.strengths.indptr)
        item_entries = np.bincount(self.strengths.indices, minlength=items)
        return (
            penalties(user_entries, items, self.alpha, self.regularization, self.scaling),
            penalties(item_entries, users, self.alpha, self.regularization, self.scaling),
        )


@dataclass(frozen=True)
class AlsAnswer:
    """Vectors found.

    user_factors, item_factors: float32 or float64, users x factors and items x factors.
    losses: float64[iterations], the loss after each iteration, as the variant has it.
    """

    user_factors: np.ndarray
    item_factors: np.ndarray
    losses: np.ndarray


def with_values(matrix: sp.csr_matrix, values: np.ndarray) -> sp.csr_matrix:
    """The CSR matrix with other values [nnz] in the same places."""
    return sp.csr_matrix((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def checked_strengths(interactions: sp.spmatrix | sp.sparray, alpha: float) -> sp.csr_matrix:
    """Canonical float32 CSR of a sparse matrix of strengths, users x items; pairs stored twice are summed.

    The arrays of a matrix that is so already are not copied.

    Raises:
        InputError: a strength is NaN, infinite, zero or negative, with its user and item; or alpha times the largest
            is beyond float32.

    """
    if not sp.issparse(interactions) or interactions.ndim != 2:
        raise InputError(f"interactions are a sparse matrix, users x items; this is {type(interactions).__name__}")
    matrix = sp.csr_matrix(interactions, dtype=np.float32)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()  # SciPy sums in place, and the arrays may be the caller's
        matrix.sum_duplicates()
    least, largest = (matrix.data.min(), matrix.data.max()) if matrix.nnz else (1, 1)
    if not (least > 0 and np.isfinite(largest)):  # NaN is the least and the largest of what it is among
        wrong = np.flatnonzero(~((matrix.data > 0) & np.isfinite(matrix.data)))[0]
        user = int(np.searchsorted(matrix.indptr, wrong, side="right")) - 1
        raise InputError(
            f"the strength of user {user} and item {matrix.indices[wrong]} is {matrix.data[wrong]}; strengths must be"
            " finite and above 0 (leave the pair out where there is no interaction)"
        )
    if float(largest) * alpha > float(np.finfo(np.float32).max):
        raise InputError(f"alpha={alpha:g} times the largest strength is beyond float32; scale the strengths down")
    return matrix


def penalties(entries: np.ndarray, others: int, alpha: float, regularization: float, scaling: Scaling) -> np.ndarray:
    """float64[n]: what the squared length of each of n vectors costs.

    Args:
        entries: int[n], stored entries of the vector's row.
        others: vectors of the other side.
        alpha: confidence per strength.
        regularization: lambda.
        scaling: ``plain`` or ``frequency``.

    """
    if scaling == "plain":
        return np.full(len(entries), float(regularization))
    return regularization * (others + alpha * entries)


def refuse_frequency(scaling: Scaling, library: str) -> None:
    """For a variant by a library that has the paper's regularisation alone.

    Raises:
        UnsupportedModelError: the regularisation is by frequency.

    """
    if scaling != "plain":
        raise UnsupportedModelError(f"{library} has no regularisation by frequency; choose regularization_scaling=size")


def start(rows: int, factors: int, generator: np.random.Generator) -> np.ndarray:
    """float32[rows, factors]: normal, vectors of length about 0.1."""
    vectors = generator.standard_normal((rows, factors), np.float32)
    vectors *= np.float32(0.1 / np.sqrt(factors))
    return vectors


def loss(problem: AlsProblem, user_factors: np.ndarray, item_factors: np.ndarray) -> float:
    """The loss in float64, from the factors alone.

    The sum over all pairs of (x . y)^2 is the sum over X'X * Y'Y (the Gram trick); stored pairs are corrected one by
    one.
    """
    users, items = user_factors.astype(np.float64), item_factors.astype(np.float64)
    total = float(np.sum((users.T @ users) * (items.T @ items)))
    for own, vectors in zip(problem.penalties(), (users, items), strict=True):
        total += float(own @ np.einsum("ij,ij->i", vectors, vectors))
    rows = np.repeat(np.arange(len(users)), np.diff(problem.strengths.indptr))
    batch = max(1, _BATCH_BYTES // (16 * users.shape[1]))
    for at in range(0, len(rows), batch):
        columns = problem.strengths.indices[at : at + batch]
        products = np.einsum("ij,ij->i", users[rows[at : at + batch]], items[columns])
        confidences = 1 + problem.alpha * problem.strengths.data[at : at + batch].astype(np.float64)
        total += float(np.sum(confidences * (1 - products) ** 2 - products**2))
    return total


def als_problem(
    interactions: sp.spmatrix | sp.sparray,
    factors: int,
    regularization: float,
    alpha: float,
    iterations: int,
    seed: int,
    scaling: AskedScaling = "plain",
) -> AlsProblem:
    """The problem of a sparse matrix of strengths, users x items, with vectors to start from, drawn by the seed.

    A regularisation by ``size`` is a plain one in the problem.

    Raises:
        InputError: `checked_strengths` refuses the matrix, or a hyper-parameter is out of its range.

    """
    counts = {"factors": factors, "iterations": iterations}
    for name, value in {**counts, "regularization": regularization, "alpha": alpha}.items():
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name}={value}: must be above 0 and finite")
    if scaling not in get_args(AskedScaling):
        raise InputError(f"regularization_scaling={scaling!r}: must be one of {', '.join(get_args(AskedScaling))}")
    strengths = checked_strengths(interactions, alpha)
    if scaling == "size":
        regularization, scaling = regularization * max(1, min(strengths.shape)), "plain"
    users, items = strengths.shape
    generator = np.random.default_rng(seed)
    user_start, item_start = start(users, factors, generator), start(items, factors, generator)
    return AlsProblem(strengths, alpha, regularization, scaling, iterations, user_start, item_start, seed=seed)


class Als(Stage[AlsProblem, AlsAnswer, float]):
    """Implicit-feedback alternating least squares, learned from a part of the interactions and judged on the rest."""

    name = "als"
    order = 60
    summary = "who uses what to a vector per user and item (implicit-feedback ALS)"
    error_measure = "final loss above that of exact float64 ALS, or off from the loss reported, relative"
    # Three plain conjugate-gradient steps a row, as libraries take by default, end up to 1 % above exact rows.
    tolerance = 0.02
    kinds = ("records", "interactions", "ratings")
    parameters: ClassVar[Mapping[str, Scalar]] = {
        "factors": 64,
        "regularization": REGULARIZATION,
        "regularization_scaling": "size",
        "alpha": 10.0,
        "iterations": 15,
        "split": "share",
        "held_out": 0.2,
    }
    search: ClassVar[Mapping[str, Range]] = {
        "factors": Range(16, 128, log=True),
        "regularization": Range(0.01, 0.2, log=True),
        "alpha": Range(1, 100, log=True),
    }

    def problem(self, workload: "Workload") -> AlsProblem:
        """Interactions by user and item, of records company x technology, but for those held out.

        The workload's seed splits them, starts the vectors, and draws the users that are judged.

        Raises:
            InputError: as `als_problem` and `split_interactions`.

        """
        parameters = {**self.parameters, **workload.parameters}
        split, share, seed = str(parameters["split"]), float(parameters["held_out"]), int(parameters["seed"])
        times = None if split == "share" else workload.interaction_times()
        training, held_out = split_interactions(workload.interactions().matrix, times, split, share, seed)
        problem = als_problem(
            training,
            factors=int(parameters["factors"]),
            regularization=float(parameters["regularization"]),
            alpha=float(parameters["alpha"]),
            iterations=int(parameters["iterations"]),
            seed=seed,
            scaling=cast(AskedScaling, parameters["regularization_scaling"]),
        )
        return replace(problem, held_out=held_out)

    def fold(self, workload: "Workload", number: int, folds: int) -> AlsProblem:
        """A hold-out of its own, by chance, of what is left of each user's items without what the problem holds out.

        Hold-outs are of the same share for any number of folds: a model that learns from half of the items would be
        tuned for half of them. They are drawn one by one, so that two of them have items in common.
        """
        problem = self.problem(workload)
        if problem.held_out is None:
            raise InputError("held_out=0: nothing tells which parameters are better; hold a share out, such as 0.2")
        share = float({**self.parameters, **workload.parameters}["held_out"])
        learned, held_out = hold_out(problem.strengths, share, problem.seed + 1 + number)
        return replace(problem, strengths=learned, held_out=held_out)

    def prefix(self, problem: AlsProblem, records: int) -> AlsProblem:
        """The first users, and all items."""
        return replace(
            problem,
            strengths=problem.strengths[:records],
            user_start=problem.user_start[:records],
            held_out=None if problem.held_out is None else problem.held_out[:records],
        )

    def sizes(self, problem: AlsProblem) -> dict[str, int]:
        """Records (users), items and stored pairs to learn from."""
        records, items = problem.strengths.shape
        return {"records": records, "items": items, "non-zeros": int(problem.strengths.nnz)}

    def reference(self, problem: AlsProblem) -> float | None:
        """The final loss of ALS in float64, every row solved exactly; None beyond `MOST_OPERATIONS`.

        An answer whose loss is as low has done what so many iterations are for, however it came by it: a method that
        is better than ALS is right, too. That its vectors are those of ALS is held by tests, for exact variants.
        """
        strengths = problem.strengths
        if operations(strengths.shape, strengths.nnz, problem.factors, problem.iterations) > MOST_OPERATIONS:
            return None
        return loss(problem, *exact_als(problem))

    def error(self, problem: AlsProblem, answer: AlsAnswer, reference: float) -> float:
        """By `error_measure`: the loss is recomputed from the factors; a lower one is no error."""
        shapes = np.shape(answer.user_factors), np.shape(answer.item_factors), np.shape(answer.losses)
        if shapes != (problem.user_start.shape, problem.item_start.shape, (problem.iterations,)):
            return float("inf")
        with np.errstate(invalid="ignore", over="ignore"):  # what is no number is told by the result
            final = loss(problem, answer.user_factors, answer.item_factors)
        off = np.array([0.0, final - reference, abs(final - answer.losses[-1])])
        worst = float(off.max() / max(reference, np.finfo(np.float64).tiny))
        return worst if np.isfinite(worst) else float("inf")

    def quality(self, problem: AlsProblem, answer: AlsAnswer) -> dict[str, float]:
        """How well the vectors rank the items held out from each user: `ranking_quality`, NDCG@100 first."""
        if problem.held_out is None:
            return {}
        vectors = answer.user_factors, answer.item_factors
        return ranking_quality(*vectors, problem.strengths, problem.held_out, problem.seed)
