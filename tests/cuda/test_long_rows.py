"""Rows of ALS whose entries blocks share, emulated: against dense solvers in float64, every access watched."""

import numpy as np
import pytest
import scipy.sparse as sp
from technobench.gpu_pipeline import als_parts
from technobench.gpu_pipeline.als_kernels import Cholesky, ConjugateGradients
from technobench.gpu_pipeline.als_parts import LONG_ROW, MOST_SLICES, SLICE_ENTRIES, Part, most_slices, slices_of
from technobench.gpu_pipeline.als_slices import SliceSums
from technobench.gpu_pipeline.als_tile import MOST_SHARED_BYTES, MOST_SHARED_FACTORS
from technobench.gpu_pipeline.device_als import gram
from technobench.gpu_pipeline.device_rows import DeviceRows
from technobench.pipeline.errors import DeviceError

from .factor_checks import (
    assert_rows,
    least_scratch_of,
    long_rows_of,
    rows_of_lengths,
    share_short_rows,
    solved,
    solver_of,
)
from .standin import StandIn

SOLVERS = {"3 steps": {"steps": 3}, "all steps": {}, "cholesky": {"cholesky": True}}


@pytest.fixture
def short(monkeypatch):
    share_short_rows(monkeypatch)


@pytest.fixture
def shared_rows(monkeypatch):
    """How many rows each launch shared."""
    scratch, found = SliceSums.scratch, []

    def seen(sums, part, scratch_bytes):
        for rows in scratch(sums, part, scratch_bytes):
            found.append(len(rows.order))
            yield rows

    monkeypatch.setattr(SliceSums, "scratch", seen)
    return found


@pytest.mark.parametrize("how", SOLVERS.values(), ids=SOLVERS)
@pytest.mark.parametrize("factors", [1, 2, 63, 64, 65, 127, 128, 129])
def test_rows_of_any_number_of_factors(cupy, short, shared_rows, factors, how):
    """Just below, at and above what a block has to itself, one of all entries; scratch for the longest alone."""
    assert_rows(cupy, long_rows_of(), factors, **how)
    assert shared_rows == ([1, 1] if factors <= MOST_SHARED_FACTORS else [])


@pytest.mark.parametrize("how", SOLVERS.values(), ids=SOLVERS)
def test_rows_at_the_true_threshold(cupy, shared_rows, how):
    lengths = [0, LONG_ROW - 1, LONG_ROW + 1, LONG_ROW, 3 * LONG_ROW, 5]
    assert_rows(cupy, rows_of_lengths(lengths, 3 * LONG_ROW), 16, blocks=9, **how)
    assert shared_rows == [2]


@pytest.mark.parametrize("how", SOLVERS.values(), ids=SOLVERS)
def test_entries_of_no_more_confidence_than_others(cupy, short, shared_rows, how):
    """All that they add is what is wanted of them."""
    strengths = long_rows_of()
    strengths.data[::3] = 1e-30
    strengths.data[strengths.indptr[4] :] = 1e-30
    assert_rows(cupy, strengths, 9, **how)
    assert shared_rows == [1, 1]


@pytest.mark.parametrize("kernel_of", [lambda cupy: ConjugateGradients(cupy, 9, 3), lambda cupy: Cholesky(cupy, 9)])
def test_many_long_rows_give_the_same_bits_however_many_at_a_time(compiler, short, shared_rows, kernel_of):
    """And in any order of threads and blocks."""
    strengths = rows_of_lengths(np.random.default_rng(3).integers(0, 90, 60), 90)
    generator = np.random.default_rng(4)
    vectors, own = (generator.normal(size=(n, 9)).astype(np.float32) for n in (90, 60))
    answers = set()
    for seed, blocks in ((0, 1), (1, 3), (2, 1000)):
        cupy = StandIn(seed=seed)
        kernel = kernel_of(cupy)
        scratch_bytes = blocks * least_scratch_of(kernel, strengths)
        solver, others = solver_of(cupy, kernel, strengths, 4.0, np.full(60, 0.5), scratch_bytes), cupy.asarray(vectors)
        found, rest = solver.run(others, gram(cupy, others), cupy.asarray(own))
        answers.add((found.get().tobytes(), float(rest)))
    assert len(answers) == 1
    long = int((np.diff(strengths.indptr) > als_parts.LONG_ROW).sum())
    assert sum(shared_rows) == 3 * long and shared_rows[-1] == long and 30 < len(shared_rows) < 2 * long


@pytest.mark.parametrize("how", SOLVERS.values(), ids=SOLVERS)
@pytest.mark.parametrize("factors", [3, 70])
def test_no_access_is_out_of_bounds_or_a_race(checked_cupy, short, factors, how):
    assert_rows(checked_cupy, long_rows_of(), factors, blocks=2, **how)


@pytest.mark.parametrize("alpha", [1e3, 1e5])
def test_confidences_far_apart(cupy, short, shared_rows, alpha):
    """What float32 leaves out of the triangle's solution is taken from the entries."""
    strengths = rows_of_lengths([90, 40, 60], 90)
    strengths.data[::3] *= 1e-3
    others = np.random.default_rng(4).normal(size=(90, 24)).astype(np.float32)
    kernel, on_device = Cholesky(cupy, 24), cupy.asarray(others)
    solver = solver_of(cupy, kernel, strengths, alpha, np.full(3, 0.5), 9 * least_scratch_of(kernel, strengths))
    found, _ = solver.run(on_device, gram(cupy, on_device), cupy.zeros((3, 24), np.float32))
    expected = solved(strengths, others.astype(np.float64), alpha, np.full(3, 0.5))
    np.testing.assert_allclose(found.get(), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert shared_rows == [3]


def test_slices_are_of_all_long_rows_and_few():
    cupy, lengths = StandIn(), [3, LONG_ROW + 1, 0, LONG_ROW, 2 * SLICE_ENTRIES + 1]
    matrix = rows_of_lengths(lengths, max(lengths))
    part = Part.of(cupy, DeviceRows.copied(cupy, matrix, 0, len(lengths)))
    assert part.slices is not None and part.slices.rows == 2
    np.testing.assert_array_equal(part.order.get()[:2], [4, 1])
    np.testing.assert_array_equal(part.slices.firsts.get(), [0, 3, 5])
    np.testing.assert_array_equal(part.slices.owners.get(), [0, 0, 0, 1, 1])
    assert 5 <= most_slices(sum(lengths)) <= 8
    np.testing.assert_array_equal(slices_of(np.array([10**5, 10**9])), [-(-(10**5) // SLICE_ENTRIES), MOST_SLICES])


def test_rows_that_share_nothing_need_no_scratch(cupy, short, shared_rows):
    """Those of a part that is made so, and any without a long one."""
    matrix = long_rows_of()
    rows = DeviceRows.copied(cupy, matrix, 0, matrix.shape[0])
    assert Part.of(cupy, rows, shares=False).slices is None
    assert ConjugateGradients(cupy, 9, 3).least_scratch_bytes(als_parts.LONG_ROW) == 0
    assert_rows(cupy, rows_of_lengths([als_parts.LONG_ROW] * 3, 50), 9, blocks=0)
    assert shared_rows == []


def test_a_row_that_has_not_enough_scratch_is_refused(cupy, short):
    strengths = long_rows_of()
    kernel = ConjugateGradients(cupy, 9, 3)
    solver = solver_of(cupy, kernel, strengths, 4.0, np.full(7, 0.5), least_scratch_of(kernel, strengths) - 1)
    others = cupy.zeros((strengths.shape[1], 9), np.float32)
    with pytest.raises(DeviceError):
        solver.run(others, gram(cupy, others), cupy.zeros((7, 9), np.float32))


@pytest.mark.parametrize("factors", [4, 64, MOST_SHARED_FACTORS])
def test_what_a_block_holds(factors):
    """A tile beside the triangle, and the vectors of a row beside it."""
    sums = SliceSums(StandIn(), factors)
    assert max(sums.shared_bytes, sums._tile.shared_bytes) <= MOST_SHARED_BYTES


def test_nothing_but_long_rows(cupy, short, shared_rows):
    assert_rows(cupy, sp.csr_matrix(np.ones((3, 70), np.float32)), 9, blocks=3)
    assert shared_rows == [3]
