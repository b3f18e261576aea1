"""The stage als: every variant against dense float64 ALS, refused input, and an error that catches wrong answers."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from technobench.pipeline.errors import InputError, UnsupportedModelError
from technobench.pipeline.stages.als import Als, AlsAnswer, als_problem, checked_strengths, loss

from .variants import answer_of, variants_of

VARIANTS = {name: variant for name, variant in variants_of("als").items() if variant.missing() is None}
EXACT = ["implicit-cholesky", "native-exact"]
PLAIN_ONLY = ["implicit-cholesky", "batched-sparse"]
STAGE = Als()


def interactions(users=60, items=35, density=0.2, seed=0):
    generator = np.random.default_rng(seed)
    stored = generator.random((users, items)) < density
    stored[[3, -1]] = False
    stored[:, [0, 7]] = False
    return sp.csr_matrix(stored * generator.uniform(0.2, 3, stored.shape))


def problem_of(matrix=None, factors=7, regularization=0.5, alpha=4.0, iterations=6, seed=1, scaling="plain"):
    matrix = interactions() if matrix is None else matrix
    return als_problem(matrix, factors, regularization, alpha, iterations, seed, scaling)


def dense_loss(problem, users, items):
    """The definition, pair by pair."""
    strengths = problem.strengths.toarray().astype(np.float64)
    total = np.sum((1 + problem.alpha * strengths) * ((strengths > 0) - users @ items.T) ** 2)
    for stored, vectors in ((strengths > 0, users), (strengths.T > 0, items)):
        weight = stored.shape[1] + problem.alpha * stored.sum(axis=1) if problem.scaling == "frequency" else 1
        total += np.sum(problem.regularization * weight * (vectors**2).sum(axis=1))
    return total


def test_the_ladder_is_there():
    assert {"naive", "implicit-cholesky", "batched-sparse", "irspack", "native-exact", "native"} <= set(
        variants_of("als")
    )


def test_by_size_is_plain_with_lambda_for_each_item_or_user_where_these_are_fewer():
    for matrix in (interactions(), sp.csr_matrix(interactions().T)):
        problem = problem_of(matrix, regularization=0.25, scaling="size")
        assert (problem.scaling, problem.regularization) == ("plain", 0.25 * min(matrix.shape))
    nothing = problem_of(sp.csr_matrix((0, 3)), regularization=0.25, scaling="size")
    assert nothing.regularization == 0.25


@pytest.mark.parametrize("scaling", ["plain", "frequency"])
def test_loss_is_the_definition(scaling):
    problem = problem_of(scaling=scaling, regularization=0.02)
    generator = np.random.default_rng(2)
    users, items = generator.normal(size=(60, 7)), generator.normal(size=(35, 7))
    assert loss(problem, users, items) == pytest.approx(dense_loss(problem, users, items), rel=1e-12)


@pytest.mark.parametrize("scaling", ["plain", "frequency"])
@pytest.mark.parametrize("factors", [1, 7, 65])
def test_reference_is_dense_als(factors, scaling):
    """The reference has two ways to solve a row, by its length; dense normal equations have one."""
    problem = problem_of(factors=factors, scaling=scaling, regularization=0.05)
    answer = answer_of(VARIANTS["naive"], problem)
    assert STAGE.reference(problem) == pytest.approx(dense_loss(problem, *(answer.user_factors, answer.item_factors)))


@pytest.mark.parametrize("scaling", ["plain", "frequency"])
@pytest.mark.parametrize("factors", [1, 7, 65])
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_variant_is_right(name, factors, scaling):
    problem = problem_of(factors=factors, scaling=scaling, regularization=5.0 if scaling == "plain" else 0.05)
    if scaling == "frequency" and name in PLAIN_ONLY:
        with pytest.raises(UnsupportedModelError, match="regularization_scaling"):
            VARIANTS[name].prepare(problem)
        return
    answer = answer_of(VARIANTS[name], problem)
    assert STAGE.error(problem, answer, STAGE.reference(problem)) <= STAGE.tolerance
    assert not answer.user_factors[[3, -1]].any() and not answer.item_factors[[0, 7]].any()
    assert np.all(np.isfinite(answer.losses)) and answer.losses[-1] < answer.losses[0]


@pytest.mark.parametrize("factors", [1, 7, 65])
@pytest.mark.parametrize("name", EXACT)
def test_exact_variants_have_the_vectors_of_dense_als(name, factors):
    problem = problem_of(factors=factors)
    exact, answer = answer_of(VARIANTS["naive"], problem), answer_of(VARIANTS[name], problem)
    scale = np.abs(exact.item_factors).max()
    assert np.abs(answer.item_factors - exact.item_factors).max() <= 5e-4 * scale
    np.testing.assert_allclose(answer.losses, exact.losses, rtol=1e-5)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_variant_on_one_interaction_and_on_none(name):
    one = sp.csr_matrix(([2.0], ([1], [2])), shape=(3, 4))
    for matrix in (one, sp.csr_matrix((3, 4))):
        problem = problem_of(matrix, factors=2, iterations=3)
        answer = answer_of(VARIANTS[name], problem)
        assert STAGE.error(problem, answer, STAGE.reference(problem)) <= STAGE.tolerance
        assert np.count_nonzero(answer.user_factors.any(axis=1)) == matrix.nnz


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_a_run_can_be_repeated(name):
    prepared = VARIANTS[name].prepare(problem_of(iterations=2))
    first, second = prepared.fetch(prepared.run()), prepared.fetch(prepared.run())
    np.testing.assert_allclose(first.losses, second.losses, rtol=1e-5)


def test_repeated_pairs_are_summed_and_the_callers_matrix_stays():
    repeated = sp.csr_matrix((np.array([1.0, 2.0, 4.0], np.float32), [1, 1, 0], [0, 3]), shape=(1, 2))
    np.testing.assert_array_equal(checked_strengths(repeated, 1.0).toarray(), [[4, 3]])
    assert repeated.nnz == 3


def test_strengths_that_need_no_change_are_not_copied():
    matrix = interactions().astype(np.float32)
    checked = checked_strengths(matrix, 1.0)
    assert np.shares_memory(checked.data, matrix.data) and np.shares_memory(checked.indices, matrix.indices)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, -np.inf])
def test_strengths_that_are_no_strengths_are_refused(value):
    matrix = interactions()
    matrix.data[matrix.indptr[5] + 1] = value
    with pytest.raises(InputError, match=r"user 5 and item \d+ is"):
        problem_of(matrix)


@pytest.mark.parametrize(
    "wrong", [{"factors": 0}, {"iterations": 0}, {"regularization": 0.0}, {"alpha": np.nan}, {"scaling": "some"}]
)
def test_hyper_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        problem_of(**wrong)


def test_confidence_beyond_float32_is_refused():
    with pytest.raises(InputError, match="beyond float32"):
        problem_of(sp.csr_matrix([[1e30]]), alpha=1e20)


def test_what_is_no_sparse_matrix_is_refused():
    with pytest.raises(InputError, match="sparse matrix"):
        problem_of(np.ones((2, 2)))


def test_error_catches_wrong_answers():
    problem = problem_of()
    reference = STAGE.reference(problem)
    right = answer_of(VARIANTS["naive"], problem)
    assert STAGE.error(problem, right, reference) <= 1e-12
    moved = right.item_factors.copy()
    moved[[4, 5]] = moved[[5, 4]]
    assert STAGE.error(problem, replace(right, item_factors=moved), reference) > STAGE.tolerance
    boasted = right.losses * 0.9
    assert STAGE.error(problem, replace(right, losses=boasted), reference) > STAGE.tolerance
    other_alpha = answer_of(VARIANTS["naive"], replace(problem, alpha=1.0))
    assert STAGE.error(problem, other_alpha, reference) > STAGE.tolerance
    for value in (np.nan, np.inf):
        broken = right.user_factors.copy()
        broken[2, 1] = value
        assert STAGE.error(problem, replace(right, user_factors=broken), reference) == np.inf
        assert STAGE.error(problem, replace(right, losses=right.losses * value), reference) == np.inf
    short = AlsAnswer(right.user_factors[:-1], right.item_factors, right.losses)
    assert STAGE.error(problem, short, reference) == np.inf


def problem_on(matrix, **parameters):
    """The stage's problem on a workload of the matrix, whose pairs came in the order of its entries."""
    workload = SimpleNamespace(
        interactions=lambda: SimpleNamespace(matrix=matrix),
        interaction_times=lambda: np.arange(matrix.nnz),
        parameters={"seed": 3, **parameters},
    )
    return STAGE.problem(workload)


def used():
    return sp.csr_matrix((interactions().toarray() > 0).astype(np.float32))


@pytest.mark.parametrize(("split", "most"), [("share", 0.2), ("last", 1 / 3), ("time", 0.2)])
def test_problem_is_the_workloads_interactions_but_for_those_held_out(split, most):
    matrix = used()
    problem = problem_on(matrix, split=split)
    assert problem.strengths.dtype == np.float32 and problem.user_start.shape == (60, STAGE.parameters["factors"])
    assert abs(problem.strengths + problem.held_out - matrix).nnz == 0
    assert problem.strengths.multiply(problem.held_out).nnz == 0 and 0 < problem.held_out.nnz <= most * matrix.nnz
    whole = problem_on(matrix, split=split, held_out=0.0)
    assert abs(whole.strengths - matrix).nnz == 0 and whole.held_out is None


def test_prefix_is_the_first_users_with_what_is_held_out_from_them():
    problem = problem_on(used())
    first = STAGE.prefix(problem, 10)
    assert STAGE.sizes(first) == {"records": 10, "items": 35, "non-zeros": problem.strengths[:10].nnz}
    np.testing.assert_array_equal(first.user_start, problem.user_start[:10])
    assert abs(first.held_out - problem.held_out[:10]).nnz == 0


def test_quality_tells_vectors_that_know_the_users_from_others():
    """Users of two kinds use the items of their kind."""
    kinds = np.arange(60)[:, None] % 2 == np.arange(40) % 2
    matrix = sp.csr_matrix(kinds * (np.random.default_rng(0).random(kinds.shape) < 0.8), dtype=np.float32)
    problem = problem_on(matrix, factors=4, regularization=1.0, iterations=3)
    answer = answer_of(VARIANTS["naive"], problem)
    quality = STAGE.quality(problem, answer)
    assert next(iter(quality)) == "ndcg@100" and quality["recall@100"] == 1, "there are fewer than 100 items"
    strangers = replace(answer, user_factors=np.roll(answer.user_factors, 1, axis=0))
    assert STAGE.quality(problem, strangers)["ndcg@100"] < quality["ndcg@100"] - 0.2
    assert STAGE.quality(replace(problem, held_out=None), answer) == {}


def test_there_is_no_reference_where_it_would_take_too_long():
    problem = problem_of(factors=2)
    assert STAGE.reference(replace(problem, iterations=10**9)) is None
