"""ALS in parts that fit into device memory: the same bits for any number of them, within what was planned."""

import sys

import numpy as np
import pytest
import scipy.sparse as sp
from technobench.gpu_pipeline import als, als_memory
from technobench.gpu_pipeline import device_memory as device_memory_module
from technobench.gpu_pipeline.als_kernels import Cholesky, ConjugateGradients
from technobench.gpu_pipeline.als_memory import AlsMemory
from technobench.gpu_pipeline.als_slices import SliceSums
from technobench.gpu_pipeline.device_rows import DeviceRows
from technobench.pipeline.errors import DeviceError
from technobench.pipeline.stages.als import Als, als_problem

from .factor_checks import share_short_rows, strengths_of


@pytest.fixture
def unshared(monkeypatch, cupy):
    """All of the stand-in's memory is planned with: an estimate that is too low runs out of it."""
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(device_memory_module, "PLANNED_SHARE", 1.0)
    return cupy


@pytest.fixture
def copied_rows(monkeypatch):
    """How many rows each part has that is copied to the device."""
    copied, found = DeviceRows.copied, []

    def seen(cupy, matrix, first, last):
        found.append(last - first)
        return copied(cupy, matrix, first, last)

    monkeypatch.setattr(DeviceRows, "copied", seen)
    return found


@pytest.fixture
def shared_bytes(monkeypatch):
    """Scratch that each call had for the rows that blocks share."""
    scratch, found = SliceSums.scratch, []

    def seen(sums, part, scratch_bytes):
        for rows in scratch(sums, part, scratch_bytes):
            found.append(sum(each.size * each.dtype.itemsize for each in rows.sums))
            yield rows

    monkeypatch.setattr(SliceSums, "scratch", seen)
    return found


def problem(factors=3, users=50, items=36, iterations=2):
    return als_problem(strengths_of(users, items, 0.6), factors, 1.0, 4.0, iterations, 1)


def answer_of(variant, task):
    prepared = getattr(als, variant)(task)
    answer = prepared.fetch(prepared.run())
    assert prepared.ran_on() == "cuda"
    return answer


def bits(answer):
    return [each.tobytes() for each in (answer.user_factors, answer.item_factors, answer.losses)]


@pytest.mark.parametrize("shares", [False, True])
@pytest.mark.parametrize("variant", ["native_cuda", "native_cuda_cholesky"])
def test_any_cap_gives_the_same_bits_within_it(
    monkeypatch, unshared, device_memory, copied_rows, shared_bytes, variant, shares
):
    """Of rows that a block has to itself, and of some that blocks share, whose scratch is a quarter of what is left."""
    if shares:
        share_short_rows(monkeypatch)
    task, stage = problem(), Als()
    device_memory(1 << 30)
    expected = answer_of(variant, task)
    assert stage.error(task, expected, stage.reference(task)) <= stage.tolerance
    vectors, matrices = als_memory._vectors(50, 36, 4), als_memory._matrices(50, 36, task.strengths.nnz)
    least = ConjugateGradients(unshared, 3, 3).least_scratch_bytes(36)
    numbers = set()
    for share in (1.0, 0.1, 0.04, 0.02, 0.0):
        copied_rows.clear()
        shared_bytes.clear()
        room = int(share * matrices) * 4 // 3 + 1 if shares else int(share * matrices)
        memory = device_memory(vectors + room)
        before = memory.used
        try:
            answer = answer_of(variant, task)
        except DeviceError as refused:
            assert ("record" in str(refused) or shares) and "--device-memory" in str(refused)
            break
        assert bits(answer) == bits(expected)
        assert memory.peak - before <= vectors + room
        assert max(shared_bytes, default=0) <= max(room // 4, least)
        assert bool(shared_bytes) == shares
        assert sum(copied_rows) == (50 if share == 1 else 2 * (50 + 36)), "once, or in each half iteration"
        numbers.add(len(copied_rows))
    else:
        pytest.fail("no cap was refused")
    assert min(numbers) == 1 and max(numbers) >= 12


def test_triangles_that_do_not_fit_are_few_at_a_time(unshared, device_memory):
    task = problem(130, users=6, items=5, iterations=1)
    expected = bits(answer_of("native_cuda_cholesky", task))
    triangle = Cholesky(unshared, 130).least_scratch_bytes(5)
    assert triangle == 4 * 132 * 133 // 2
    vectors, matrices = als_memory._vectors(6, 5, 132), als_memory._matrices(6, 5, task.strengths.nnz)
    for triangles in (1, 3):
        device_memory(vectors + matrices + triangles * triangle)
        assert bits(answer_of("native_cuda_cholesky", task)) == expected


def test_vectors_that_do_not_fit_are_refused(unshared, device_memory):
    task = problem()
    device_memory(als_memory._vectors(50, 36, 4) - 1)
    with pytest.raises(DeviceError, match=r"ALS has of 3 factors for 50 users and 36 items takes .*--device-memory"):
        als.native_cuda(task)


@pytest.mark.parametrize("share", [0.05, 0.9])
def test_the_estimate_is_near_what_is_allocated(unshared, device_memory, share):
    """Of vectors mostly, and of the matrix mostly; each row has few entries, or nearly all of them."""
    users, items = (1000, 40) if share == 0.05 else (60, 500)
    stored = np.random.default_rng(2).random((users, items)) < share
    task = als_problem(sp.csr_matrix(stored, dtype=np.float32), 16, 1.0, 4.0, 1, 1)
    needed = als_memory._vectors(users, items, 16) + als_memory._matrices(users, items, task.strengths.nnz)
    scratch = needed // 3 if share == 0.9 else 0  # of slices, of which there are few
    memory = device_memory(needed + scratch)
    before = memory.used
    answer_of("native_cuda", task)
    assert 0.4 * needed < memory.peak - before <= needed + scratch


def test_a_matrix_that_fits_lies_on_the_device(unshared, device_memory):
    task = problem()
    for kernel in (ConjugateGradients(unshared, 3, 3), Cholesky(unshared, 3)):
        vectors = als_memory._vectors(50, 36, kernel.width)
        matrices = als_memory._matrices(50, 36, task.strengths.nnz)
        device_memory(vectors + matrices)
        assert AlsMemory.of(unshared, task, kernel).whole
        device_memory(vectors + matrices - 1)
        split = AlsMemory.of(unshared, task, kernel)
        assert not split.whole and split.users[-1][1] == 50 and split.items[-1][1] == 36
