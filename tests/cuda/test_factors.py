"""ALS and top-k lists on the device, emulated: against dense solvers and full sorts, every access watched."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from technobench.cpu_pipeline import als as cpu_als
from technobench.cpu_pipeline.implicit_als import fit
from technobench.gpu_pipeline import als, device_als, device_memory, device_top_k, implicit_cuda, recommend
from technobench.gpu_pipeline.als_kernels import Cholesky, ConjugateGradients
from technobench.gpu_pipeline.als_tile import Tile
from technobench.gpu_pipeline.device_rows import DeviceRows
from technobench.pipeline.errors import DeviceError, UnsupportedModelError
from technobench.pipeline.stages.als import Als, als_problem
from technobench.pipeline.stages.recommend import Recommend

from ..test_stage_recommend import brute_force, cases, problem_of
from .factor_checks import assert_lists, assert_rows, near_ties, solver_of, strengths_of
from .standin import StandIn

CASES = cases()


def normal(rows, factors, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, factors)).astype(np.float32)


def problem(factors=7, scaling="plain", users=40, items=25, iterations=4):
    regularization = 1.0 if scaling == "plain" else 0.02
    return als_problem(strengths_of(users, items, 0.2), factors, regularization, 4.0, iterations, 1, scaling)


def run(module, name, task):
    """Set-up, run and fetch as the harness calls them."""
    prepared = getattr(module, name)(task)
    answer = prepared.run()
    prepared.sync()
    assert prepared.ran_on() == "cuda"
    return prepared.fetch(answer)


@pytest.mark.parametrize("steps", [1, 3, 1000])
@pytest.mark.parametrize("factors", [1, 2, 7, 64, 65, 129, 260])
def test_rows_of_any_number_of_factors(cupy, factors, steps):
    """From a few entries to more than a tile holds."""
    assert_rows(cupy, strengths_of(4, 100, 0.2), factors, steps)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 12),
    columns=st.integers(1, 90),
    share=st.sampled_from([0.0, 0.1, 1.0]),
    factors=st.integers(1, 90),
    steps=st.sampled_from([1, 3, 1000]),
)
def test_any_rows_in_any_order_of_threads(compiler, seed, rows, columns, share, factors, steps):
    assert_rows(StandIn(seed=seed), strengths_of(rows, columns, share, seed), factors, steps, seed=seed)


@pytest.mark.parametrize("factors", [3, 40, 520])
@pytest.mark.parametrize("shape", [(1, 1), (3, 110)])
def test_no_access_of_a_row_is_out_of_bounds_or_a_race(checked_cupy, shape, factors):
    assert_rows(checked_cupy, strengths_of(*shape, 0.2), factors, steps=2)


def test_rows_of_one_lambda(cupy):
    assert_rows(cupy, strengths_of(9, 50, 0.2), 12, penalties=np.full(9, 0.7))


@pytest.mark.parametrize("kernel_of", [lambda cupy: ConjugateGradients(cupy, 65, 3), lambda cupy: Cholesky(cupy, 65)])
def test_the_same_bits_in_every_order_of_threads(compiler, kernel_of):
    matrix, vectors, own = strengths_of(9, 120, 0.4), normal(120, 65), normal(9, 65, 1)
    answers = []
    for seed in range(3):
        cupy = StandIn(seed=seed)
        others, rows = cupy.asarray(vectors), solver_of(cupy, kernel_of(cupy), matrix, 4.0, np.full(9, 0.5))
        found, rest = rows.run(others, device_als.gram(cupy, others), cupy.asarray(own))
        answers.append((found.get().tobytes(), float(rest)))
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 200])
def test_gram_is_the_product(rows):
    cupy, vectors = StandIn(), normal(rows, 5)
    found = device_als.gram(cupy, cupy.asarray(vectors))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.get(), vectors.astype(np.float64).T @ vectors, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (4, 30), (30, 4)])
def test_a_matrix_by_columns(shape):
    cupy, matrix = StandIn(), strengths_of(*shape, 0.3)
    found = device_als.transposed(cupy, DeviceRows.copied(cupy, matrix, 0, shape[0]), shape[1])
    expected = sp.csr_matrix(matrix.T)
    assert found.indices.dtype == np.int32 and found.indptr.dtype == np.int64
    np.testing.assert_array_equal(found.indptr.get(), expected.indptr)
    np.testing.assert_array_equal(found.indices.get(), expected.indices)
    np.testing.assert_array_equal(found.data.get(), expected.data)


@pytest.mark.parametrize(("factors", "scaling"), [(5, "frequency"), (33, "plain")])
def test_als_variants_are_right_and_do_what_the_cpu_does(monkeypatch, cupy, factors, scaling):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    task, stage = problem(factors, scaling), Als()
    reference = stage.reference(task)
    for name, exact, most in (("native_cuda", False, stage.tolerance), ("native_cuda_exact", True, 1e-5)):
        answer, twin = run(als, name, task), fit(task, exact)
        assert stage.error(task, answer, reference) <= most
        np.testing.assert_allclose(answer.losses, twin.losses, rtol=1e-4)
        np.testing.assert_allclose(answer.user_factors, twin.user_factors, atol=2e-3)
        assert not answer.user_factors[1].any(), "a user without entries"


def test_als_on_nothing_at_all(monkeypatch, cupy):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    for shape in ((0, 3), (3, 2)):
        task = als_problem(sp.csr_matrix(shape, dtype=np.float32), 4, 0.1, 4.0, 2, 1)
        answer = run(als, "native_cuda", task)
        assert answer.user_factors.shape == (shape[0], 4) and not answer.item_factors.any()
        np.testing.assert_array_equal(answer.losses, 0)


def test_a_prepared_run_starts_from_the_same_vectors_each_time(monkeypatch, cupy):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    prepared = als.native_cuda(problem())
    assert prepared.ran_on() == "cpu", "nothing has run"
    first, second = (prepared.fetch(prepared.run()) for _ in range(2))
    np.testing.assert_array_equal(first.losses, second.losses)


@pytest.mark.parametrize(
    ("users", "items", "factors", "k"),
    [(1, 1, 1, 1), (3, 6, 7, 9), (5, 255, 3, 10), (4, 513, 33, 1), (3, 2500, 5, 300), (2, 300, 8, 300)],
)
def test_lists_are_those_of_a_full_sort(cupy, checked_cupy, users, items, factors, k):
    for device in (cupy, checked_cupy):
        assert_lists(device, normal(users, factors), normal(items, factors, 1), k, barred=sorted({0, items - 1}))


def test_scores_that_float32_does_not_tell_apart(cupy):
    assert_lists(cupy, *near_ties(6, 1500), 20)


def test_more_equal_scores_than_a_buffer_holds(checked_cupy):
    users, items = normal(3, 4), normal(4, 4, 1)
    assert_lists(checked_cupy, users, np.tile(items, (900, 1)), 12)
    assert_lists(checked_cupy, np.zeros_like(users), np.tile(items, (900, 1)), 12)


@pytest.mark.parametrize("scale", [1e-44, 1e-30, 1e18, 1e37])
def test_vectors_of_any_length(cupy, scale):
    users, items = normal(4, 6), normal(400, 6, 1)
    users[1] *= 1e-20
    users[2] *= 1e-42
    users[3, :4] *= 1e-40
    assert_lists(cupy, users, (items * scale).astype(np.float32), 8)


def test_users_that_are_served_some_at_a_time(cupy):
    assert_lists(cupy, normal(8, 5), normal(90, 5, 1), 6, scratch_bytes=512 + 3 * 4 * 90)


@pytest.mark.parametrize("case", CASES)
def test_the_recommend_variant_gives_the_lists_of_brute_force(monkeypatch, cupy, case):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    np.testing.assert_array_equal(run(recommend, "native_cuda", CASES[case]), brute_force(CASES[case])[0])


def test_what_does_not_fit_is_refused(monkeypatch):
    Tile.of(2032)
    with pytest.raises(UnsupportedModelError, match="choose at most 2032 factors"):
        Tile.of(2100)
    with pytest.raises(UnsupportedModelError, match="at most 1024 places"):
        device_top_k.DeviceTopK(StandIn(), normal(1100, 2), 1025)
    monkeypatch.setenv("CUPY_TF32", "1")
    with pytest.raises(UnsupportedModelError, match="unset it"):
        device_top_k.DeviceTopK(StandIn(), normal(9, 2), 3)


@pytest.mark.parametrize("factors", [5, 32, 40])
def test_implicit_does_what_it_does_on_the_cpu(implicit_gpu, factors):
    """The same alpha, start and steps; its vectors are longer by zeros."""
    task = problem(factors)
    answer, twin = run(als, "implicit_cuda", task), cpu_als.batched_sparse(task)
    expected = twin.fetch(twin.run())
    np.testing.assert_allclose(answer.user_factors, expected.user_factors, atol=1e-3)
    np.testing.assert_allclose(answer.item_factors, expected.item_factors, atol=1e-3)
    np.testing.assert_allclose(answer.losses, expected.losses, rtol=1e-4)


def test_implicit_is_refused_what_does_not_fit(monkeypatch, implicit_gpu, free_device):
    task = problem()
    needed = implicit_cuda.bytes_needed(task, 32)
    monkeypatch.setattr(device_memory, "PLANNED_SHARE", 1.0)
    # Both matrices; 65 vectors of 32 numbers to start from and after each of 4 iterations, and as many numbers.
    assert needed == 4 * (2 * 2 * task.strengths.nnz + 67 + 65 * (5 * 32 + 1) + 2 * 32 * 32)
    free_device(needed)
    run(als, "implicit_cuda", task)
    free_device(needed - 1)
    with pytest.raises(DeviceError, match=r"implicit, which does not split its work, takes .*--device-memory"):
        als.implicit_cuda(task)


def test_implicit_says_what_it_does_not_do(implicit_gpu):
    for task, match in (
        (problem(scaling="frequency"), "frequency"),
        (problem(1025), "1024 factors"),
        (als_problem(sp.csr_matrix((3, 2), dtype=np.float32), 4, 0.1, 4.0, 2, 1), "empty"),
    ):
        with pytest.raises(UnsupportedModelError, match=match):
            als.implicit_cuda(task)


@pytest.mark.parametrize("case", CASES)
def test_implicit_s_lists_are_right(implicit_gpu, case):
    task, stage = CASES[case], Recommend()
    answer = run(recommend, "implicit_cuda", task)
    assert stage.error(task, answer, stage.reference(task)) <= stage.tolerance


def test_implicit_without_its_extension_says_why(monkeypatch, implicit_gpu):
    import implicit.gpu

    monkeypatch.setattr(implicit.gpu, "HAS_CUDA", False)
    for prepare, task in ((als.implicit_cuda, problem()), (recommend.implicit_cuda, problem_of())):
        with pytest.raises(UnsupportedModelError, match=r"does not load.*pip install 'rmm-cu13>=26.2,<26.5'"):
            prepare(task)


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({}, "not installed"),
        ({"rmm-cu13": "26.4.0"}, None),
        ({"rmm-cu12": "26.4.0"}, "package 'rmm-cu13' is not installed"),
        ({"rmm-cu13": "26.10.1"}, r"not link with rmm-cu13 26.10.1"),
    ],
)
def test_the_rmm_that_implicit_links_with(monkeypatch, installed, expected):
    def version(name):
        if name not in installed:
            raise implicit_cuda.importlib.metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(implicit_cuda.importlib.metadata, "version", version)
    told = implicit_cuda.implicit_with_cuda().missing()
    assert told is None if expected is None else expected in told
