"""Work that is split to fit into device memory: the same answers in any number of batches, within what was planned."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from technobench.gpu_pipeline import device_memory as device_memory_module
from technobench.gpu_pipeline import predict, shap
from technobench.gpu_pipeline.device_memory import batches, left_to_cupy
from technobench.gpu_pipeline.device_rows import DeviceRows
from technobench.gpu_pipeline.xgboost_memory import explained_at_a_time, scored_at_a_time
from technobench.pipeline.device_limit import VARIABLE, device_environment, device_limit
from technobench.pipeline.errors import DeviceError, InputError
from technobench.pipeline.scoring import ScoringProblem
from technobench.pipeline.stages.predict import Predict
from technobench.pipeline.stages.shap import Shap

from .. import model_kinds
from .standin import OutOfMemoryError, StandIn

NATIVE = pytest.mark.parametrize(("module", "stage"), [(predict, Predict()), (shap, Shap())], ids=["predict", "shap"])


@given(
    sizes=st.lists(st.integers(1, 9), max_size=30),
    left=st.integers(9, 40),
)
def test_batches_are_all_rows_in_turn_and_none_could_be_larger(sizes, left):
    before = np.append(0, np.cumsum(np.array(sizes, np.int64)))
    found = batches(before, left)
    assert [row for first, last in found for row in range(first, last)] == list(range(len(sizes)))
    assert all(sum(sizes[first:last]) <= left for first, last in found)
    assert all(sum(sizes[first : last + 1]) > left for first, last in found[:-1])


@pytest.mark.parametrize("left", [6, 0, -5])
def test_a_row_that_does_not_fit_by_itself_is_refused_with_what_mends_it(left):
    with pytest.raises(DeviceError, match=r"record 1 .*--device-memory|record 0 .*--device-memory"):
        batches(np.array([0, 5, 12]), left)


def scoring_problem(records=130, kind="classes"):
    matrix = model_kinds.as_csr(model_kinds.values(records, seed=3))
    model = bytes(model_kinds.trained(kind).save_raw("ubj"))
    return ScoringProblem(matrix, tuple(f"f{column}" for column in range(5)), model)


def batches_of(monkeypatch):
    """The sizes of the batches that are copied to the device."""
    copied, found = DeviceRows.copied, []

    def seen(cupy, matrix, first, last):
        found.append(last - first)
        return copied(cupy, matrix, first, last)

    monkeypatch.setattr(DeviceRows, "copied", seen)
    return found


def bytes_of_model(module, problem, device_memory):
    """What is taken where there are no records."""
    memory = device_memory(1 << 30)
    before = memory.used
    prepared = module.native_cuda(problem.prefix(0))
    prepared.run()
    return memory.used - before


@NATIVE
@pytest.mark.parametrize("kind", ["classes", "partitioned categories"])
def test_any_cap_gives_the_same_answer_within_it(monkeypatch, cupy, device_memory, module, stage, kind):
    """The stand-in has not a byte more than is planned with: an estimate that is too low runs out of memory."""
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(device_memory_module, "PLANNED_SHARE", 1.0)
    problem = scoring_problem(kind=kind)
    model = bytes_of_model(module, problem, device_memory)
    whole = module.native_cuda(problem)
    expected = whole.fetch(whole.run())
    values = getattr(expected, "values", expected)
    del whole
    sizes, numbers = batches_of(monkeypatch), set()
    for more in (40_000, 12_000, 8000, 7000, 6000, 5000, 4000, 3000, 2000, 1000):
        sizes.clear()
        device_memory(model + more)
        try:
            prepared = module.native_cuda(problem)
        except DeviceError:
            break
        answer = prepared.fetch(prepared.run())
        assert prepared.ran_on() == "cuda"
        assert sum(sizes) == 130
        numbers.add(len(sizes))
        np.testing.assert_array_equal(getattr(answer, "values", answer), values)
        assert stage.error(problem, answer, stage.reference(problem)) <= stage.tolerance
        del prepared
    else:
        pytest.fail("no cap was refused")
    assert min(numbers) == 1 and max(numbers) >= 4


@NATIVE
def test_the_estimate_is_near_what_is_allocated(monkeypatch, cupy, device_memory, module, stage):
    """A batch is not far smaller than it could be."""
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(device_memory_module, "PLANNED_SHARE", 1.0)
    problem, sizes = scoring_problem(3000), batches_of(monkeypatch)
    model = bytes_of_model(module, problem, device_memory)
    sizes.clear()
    memory = device_memory(model + 60_000)
    before = memory.used
    prepared = module.native_cuda(problem)
    prepared.fetch(prepared.run())
    assert len(sizes) > 1
    assert 30_000 < memory.peak - before - model <= 60_000


def test_no_more_than_the_cap_is_planned_of_what_is_free(monkeypatch, cupy, device_memory):
    memory = device_memory(1 << 20)
    held = cupy.empty(1 << 17, np.uint8)
    monkeypatch.setenv(VARIABLE, str(memory.used + (1 << 18)))
    assert left_to_cupy(cupy) == int(0.9 * (1 << 18))
    monkeypatch.setenv(VARIABLE, str(1 << 30))
    assert left_to_cupy(cupy) == int(0.9 * ((1 << 20) - (1 << 17)))
    monkeypatch.setenv(VARIABLE, "1")
    assert left_to_cupy(cupy) == 0
    assert held.nbytes == 1 << 17


def test_a_cap_is_given_to_workers_and_to_cupy_and_read_back(monkeypatch):
    monkeypatch.setenv(VARIABLE, "5")
    monkeypatch.setenv(VARIABLE, device_environment(None)[VARIABLE])
    assert device_limit() is None, "no cap takes away what the harness itself was given"
    given = device_environment(16 << 30)
    assert given["CUPY_GPU_MEMORY_LIMIT"] == str(16 << 30)
    monkeypatch.setenv(VARIABLE, given[VARIABLE])
    assert device_limit() == 16 << 30
    monkeypatch.setenv(VARIABLE, "16GiB")
    with pytest.raises(InputError, match=f"{VARIABLE}=16GiB"):
        device_limit()


def test_xgboost_gets_as_many_records_as_fit(monkeypatch):
    """Any device does here, since it is XGBoost on the CPU that is asked; only what it is asked for is looked at."""
    problem = scoring_problem(400)
    model = 4 * len(problem.model)
    assert scored_at_a_time(problem, model + (1 << 20)) == [(0, 400)]
    assert len(scored_at_a_time(problem, model + 4096)) > 4
    # 3 classes of 5 columns and a bias, of 4 bytes each, and the row, all twice; and what is stored.
    row = 2 * (3 * 6 * 4 + 8) + 16 * int(np.diff(problem.matrix.indptr).max())
    assert explained_at_a_time(problem, model + 10 * row) == 10
    with pytest.raises(DeviceError, match="record 0"):
        explained_at_a_time(problem, model + row // 2)


@pytest.mark.parametrize("free", [6000, 1 << 30])
@pytest.mark.parametrize(("module", "stage"), [(predict, Predict()), (shap, Shap())], ids=["predict", "shap"])
def test_xgboost_answers_the_same_in_any_number_of_batches(monkeypatch, free_device, module, stage, free):
    problem = scoring_problem(300)
    monkeypatch.setattr(device_memory_module, "PLANNED_SHARE", 1.0)
    free_device(4 * len(problem.model) + free)
    prepared = module.xgboost_cuda(problem)
    assert stage.error(problem, prepared.fetch(prepared.run()), stage.reference(problem)) <= stage.tolerance


def test_what_the_stand_in_counts_is_what_lives(device_memory):
    cupy = StandIn()
    memory = device_memory(10 * 512)
    before = memory.used
    one = cupy.empty(513, np.uint8)
    assert memory.used - before == 1024
    part = one[:5]
    del one
    assert memory.used - before == 1024, "a view keeps what it is a view of"
    del part
    assert memory.used == before
    with pytest.raises(OutOfMemoryError):
        cupy.empty(6000, np.uint8)
