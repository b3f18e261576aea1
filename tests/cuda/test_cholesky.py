"""ALS by normal equations on the device, emulated: against dense solvers in float64, every access watched."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from technobench.gpu_pipeline import als
from technobench.gpu_pipeline.als_kernels import Cholesky
from technobench.gpu_pipeline.als_tile import FEWEST_TILE_ENTRIES, MOST_SHARED_FACTORS
from technobench.gpu_pipeline.device_als import gram
from technobench.pipeline.als_reference import exact_als
from technobench.pipeline.stages.als import Als, als_problem

from .factor_checks import assert_rows, solved, solver_of, strengths_of
from .standin import StandIn


@pytest.mark.parametrize("factors", [1, 4, 7, 64, 128, 129])
def test_rows_of_any_number_of_factors(cupy, factors):
    """From a few entries to more than a tile holds, and fewer blocks at a time than there are rows."""
    assert_rows(cupy, strengths_of(4, 100, 0.2), factors, cholesky=True, blocks=3)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 12),
    columns=st.integers(1, 90),
    share=st.sampled_from([0.0, 0.1, 1.0]),
    factors=st.integers(1, 90),
    alpha=st.sampled_from([0.1, 4.0, 40.0]),
)
def test_any_rows_in_any_order_of_threads(compiler, seed, rows, columns, share, factors, alpha):
    assert_rows(
        StandIn(seed=seed), strengths_of(rows, columns, share, seed), factors, alpha=alpha, seed=seed, cholesky=True
    )


@pytest.mark.parametrize("factors", [3, 132])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 110)])
def test_no_access_of_a_row_is_out_of_bounds_or_a_race(checked_cupy, rows, columns, factors):
    assert_rows(checked_cupy, strengths_of(rows, columns, 0.2), factors, cholesky=True, blocks=2)


def test_rows_of_one_lambda(cupy):
    assert_rows(cupy, strengths_of(9, 50, 0.2), 12, penalties=np.full(9, 0.7), cholesky=True)


@pytest.mark.parametrize("alpha", [1e3, 1e5])
def test_confidences_far_apart(cupy, alpha):
    """The condition of the equations is the greatest confidence: a second solution adds what float32 left out."""
    generator = np.random.default_rng(4)
    strengths = strengths_of(6, 60, 0.3)
    strengths.data[::3] *= 1e-3
    others = generator.normal(size=(60, 24)).astype(np.float32)
    own, on_device = np.zeros((6, 24), np.float32), cupy.asarray(others)
    solver = solver_of(cupy, Cholesky(cupy, 24), strengths, alpha, np.full(6, 0.5))
    found, _ = solver.run(on_device, gram(cupy, on_device), cupy.asarray(own))
    expected = solved(strengths, others.astype(np.float64), alpha, np.full(6, 0.5))
    np.testing.assert_allclose(found.get(), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("factors", [1, 64, MOST_SHARED_FACTORS, MOST_SHARED_FACTORS + 1])
def test_what_a_block_holds(factors):
    """A tile of entries beside the triangle, where this lies in shared memory."""
    kernel = Cholesky(StandIn(), factors)
    assert kernel._tile.entries >= FEWEST_TILE_ENTRIES
    assert kernel._tile.shared_bytes <= 40 << 10
    assert (kernel.least_scratch_bytes(1) == 0) == (factors <= MOST_SHARED_FACTORS)


@pytest.mark.parametrize(("factors", "scaling"), [(5, "frequency"), (33, "plain")])
def test_the_variant_gives_the_vectors_of_exact_als(monkeypatch, cupy, factors, scaling):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    regularization = 1.0 if scaling == "plain" else 0.02
    task = als_problem(strengths_of(40, 25, 0.2), factors, regularization, 4.0, 4, 1, scaling)
    prepared = als.native_cuda_cholesky(task)
    answer = prepared.fetch(prepared.run())
    users, items = exact_als(task)
    assert prepared.ran_on() == "cuda"
    assert Als().error(task, answer, Als().reference(task)) <= 1e-6
    np.testing.assert_allclose(answer.user_factors, users, atol=1e-4)
    np.testing.assert_allclose(answer.item_factors, items, atol=1e-4)
    assert not answer.user_factors[1].any(), "a user without entries"


def test_nothing_at_all(monkeypatch, cupy):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    for shape in ((0, 3), (3, 2)):
        task = als_problem(sp.csr_matrix(shape, dtype=np.float32), 4, 0.1, 4.0, 2, 1)
        prepared = als.native_cuda_cholesky(task)
        answer = prepared.fetch(prepared.run())
        assert answer.user_factors.shape == (shape[0], 4) and not answer.item_factors.any()
