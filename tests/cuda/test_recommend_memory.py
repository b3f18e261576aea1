"""Recommendation and ratings within a cap: the same answers in any number of batches, and what does not fit is told."""

import sys

import numpy as np
import pytest
from technobench.cpu_pipeline.ratings import native
from technobench.gpu_pipeline import device_memory as device_memory_module
from technobench.gpu_pipeline import ratings, recommend
from technobench.gpu_pipeline.batched_run import Batches
from technobench.gpu_pipeline.device_ratings import Fold
from technobench.gpu_pipeline.ratings_memory import planned
from technobench.gpu_pipeline.recommend_memory import served_by_implicit_at_a_time
from technobench.pipeline.errors import DeviceError
from technobench.pipeline.rating_products import PAIRS, ROWS
from technobench.pipeline.stages.ratings import rating_problem

from ..ratings_data import starred
from ..test_stage_recommend import brute_force, problem_of
from .sparse_standin import in_place_of_cupy
from .standin import StandIn


@pytest.fixture
def all_planned(monkeypatch):
    """The stand-in has not a byte more than is planned with: an estimate that is too low runs out of memory."""
    monkeypatch.setattr(device_memory_module, "PLANNED_SHARE", 1.0)


def batches_of(monkeypatch, module):
    """The sizes of the batches that a variant goes by."""
    found = []

    class Seen(Batches):
        def __init__(self, split, copied):
            found.extend(last - first for first, last in split)
            super().__init__(split, copied)

    monkeypatch.setattr(module, "Batches", Seen)
    return found


@pytest.mark.parametrize("one_by_one", [False, True])
def test_users_are_served_within_any_cap(monkeypatch, cupy, device_memory, all_planned, one_by_one):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    asked = np.random.default_rng(0).integers(90, size=60)
    problem = problem_of(users=90, asked=asked, one_by_one=one_by_one)
    expected, sizes, numbers = brute_force(problem)[0], batches_of(monkeypatch, recommend), set()
    for free in (1 << 20, 60_000, 30_000, 20_000, 10_000):
        sizes.clear()
        memory = device_memory(free)
        try:
            prepared = recommend.native_cuda(problem)
        except DeviceError as refused:
            assert "--device-memory" in str(refused)
            break
        answer = prepared.fetch(prepared.run())
        assert prepared.ran_on() == "cuda" and memory.peak <= memory.total
        assert sum(sizes) == 60
        numbers.add(len(sizes))
        np.testing.assert_array_equal(answer, expected)
        del prepared
    else:
        pytest.fail("no cap was refused")
    assert min(numbers) == 1 and max(numbers) >= 4


def test_items_that_do_not_fit_are_refused(monkeypatch, cupy, device_memory):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    device_memory(8000)
    with pytest.raises(DeviceError, match=r"the model takes 11\.0 KiB .*--device-memory"):
        recommend.native_cuda(problem_of())


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("free", [1 << 20, 40_000, 27_000])
def test_implicit_serves_as_many_as_fit(monkeypatch, implicit_gpu, free_device, free, one_by_one):
    free_device(free)
    problem, sizes = problem_of(one_by_one=one_by_one), batches_of(monkeypatch, recommend)
    prepared = recommend.implicit_cuda(problem)
    np.testing.assert_array_equal(prepared.fetch(prepared.run()), brute_force(problem)[0])
    assert (len(sizes) == 1) == (free > 40_000) and sum(sizes) == 30


def test_what_implicit_is_taken_to_need():
    """The vectors in half of what is left, twice 200 scores and lists of 10 in what is then left of that half."""
    problem = problem_of(share=0.0)
    user = 2 * 4 * 7 + 2 * 32 * 10
    left = 4 * 200 * 7 + 2 * (2 * 4 * 200 + 10 * user)
    assert served_by_implicit_at_a_time(problem, left) == [(0, 10), (10, 20), (20, 30)]
    assert served_by_implicit_at_a_time(problem, left + 40 * user) == [(0, 30)]
    with pytest.raises(DeviceError, match=r"record 0 takes .*--device-memory"):
        served_by_implicit_at_a_time(problem, 4 * 200 * 7)


DATA = starred(40, 30, 420)


def least_planned(problem):
    """Bytes left, below which the ratings are refused."""
    folds = [Fold.of(DATA.of(split.train), DATA.of(split.test)) for split in problem.splits()]
    refused, enough = 0, 1 << 30
    while enough - refused > 1:
        left = (refused + enough) // 2
        try:
            planned(problem.model, folds, left)
            enough = left
        except DeviceError:
            refused = left
    return enough


@pytest.mark.parametrize("name", ["slope-one", "knn-basic", "knn-z-score", "knn-baseline", "nmf"])
def test_ratings_are_estimated_within_any_cap(monkeypatch, device_memory, all_planned, name):
    in_place_of_cupy(monkeypatch, StandIn())
    given = {"similarity": "pearson"} if name.startswith("knn") else {"epochs": 3} if name == "nmf" else {}
    problem = rating_problem(DATA, name, 3, 7, {"seed": 7, **given})
    expected, plans, least = native(problem).run(), [], least_planned(problem) + 8 * len(DATA)
    monkeypatch.setattr(ratings, "planned", lambda *given: plans.append(planned(*given)) or plans[-1])
    for free in (1 << 33, least + 60_000, least + 9000, least):
        memory = device_memory(free)
        prepared = ratings.cupy(problem)
        answer = prepared.fetch(prepared.run())
        assert prepared.ran_on() == "cuda" and memory.peak <= memory.total
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-12)
        del prepared
    device_memory(least - 1)
    with pytest.raises(DeviceError, match=r"a fold of 280 ratings, without its sums, takes .*--device-memory"):
        ratings.cupy(problem)
    assert plans[0] == (True, ROWS, PAIRS)
    if name == "nmf":
        assert not plans[-1].resident
    else:
        assert plans[-1][1] == 1 < plans[1][1], "as few rows at a time as there can be"


def test_a_fold_is_numbered_on_the_host_and_copied_as_it_is():
    cupy = StandIn()
    fold = Fold.of(DATA, starred(70, 50, 30))
    found = fold.on(cupy)
    for name in ("users", "items", "ratings", "asked_users", "asked_items"):
        assert isinstance(getattr(fold, name), np.ndarray)
        np.testing.assert_array_equal(getattr(found, name).get(), getattr(fold, name))
