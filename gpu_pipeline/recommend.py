"""Recommendation on the GPU, all from the same vectors. Asked one by one, variants answer in a loop of single calls.

- implicit-cuda: `implicit` on the GPU, all users in one call or one user a call
- native-cuda: float32 scores by CuPy, a selection by strands, what is near the k-th best scored again in float64
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import cuda_device, cuda_package, package
from ..pipeline.stages.recommend import RecommendProblem
from .batched_run import Batches, run_in_batches
from .device_memory import copied, left_to_cupy, left_to_others
from .device_top_k import DeviceTopK, Hidden, Users
from .evidence import Evidence
from .implicit_cuda import implicit_with_cuda, loaded
from .recommend_memory import served_at_a_time, served_by_implicit_at_a_time

_FILTERED = np.nextafter(np.finfo(np.float32).min, np.float32(0))
"""The score that `implicit` gives to items that it leaves out."""


@variant(package("implicit"), implicit_with_cuda(), cuda_device(), device="cuda")
def implicit_cuda(problem: RecommendProblem) -> Prepared[np.ndarray]:
    """`implicit` on the GPU: scores by cuBLAS, RAFT's selection; float32 throughout, lists on the host.

    Raises:
        DeviceError: the items, or a single user, do not fit into the device's memory.

    """
    gpu = loaded()
    from implicit.gpu.als import AlternatingLeastSquares

    split = served_by_implicit_at_a_time(problem, left_to_others())
    model = AlternatingLeastSquares(factors=problem.users.shape[1])
    model.item_factors = gpu.Matrix(problem.items)
    users, owned = problem.users[problem.asked], problem.owned[problem.asked]
    # Beyond the catalogue it lays the lists out by another width than that of the array that they come back in.
    k = min(problem.k, len(problem.items))
    barred = problem.barred.tolist() or None

    def requests(first: int, last: int) -> tuple[Any, list[tuple[np.ndarray, Any]]]:
        """The users' vectors on the device, and of each request the users among them and what these have."""
        every, has = np.arange(last - first), owned[first:last]
        each = [(every[[row]], has[[row]]) for row in every] if problem.one_by_one else [(every, has)]
        return gpu.Matrix(users[first:last]), each

    def answered(batch: tuple[Any, list[tuple[np.ndarray, Any]]]) -> list[tuple[np.ndarray, np.ndarray]]:
        model.user_factors = batch[0]
        return [model.recommend(*request, N=k, filter_items=barred) for request in batch[1]]

    given = Batches(split, requests)

    def run() -> list[tuple[np.ndarray, np.ndarray]]:
        return [found for _, every in given.answers(answered) for found in every]

    def fetch(found: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        items, scores = (np.vstack(each) for each in zip(*found, strict=True))
        listed = np.where(scores > _FILTERED, items, -1).astype(np.int32)
        return np.pad(listed, [(0, 0), (0, problem.k - k)], constant_values=-1)

    return Prepared(run, fetch=fetch, ran_on=lambda: "cuda" if isinstance(model.item_factors, gpu.Matrix) else "cpu")


@variant(cuda_package("cupy"), cuda_device(), device="cuda")
def native_cuda(problem: RecommendProblem) -> Prepared[np.ndarray]:
    """float32 scores by CuPy, a selection without a sort, candidates scored again in float64: exact lists.

    Raises:
        UnsupportedModelError: as `DeviceTopK`.
        DeviceError: the items, or a single user, do not fit into the device's memory.

    """
    import cupy

    top = DeviceTopK(cupy, problem.items, problem.k)
    (barred,) = copied(cupy, [problem.barred.astype(np.int32)])
    split, scratch_bytes = served_at_a_time(problem, top, left_to_cupy(cupy))
    vectors, owned = np.ascontiguousarray(problem.users[problem.asked]), problem.owned[problem.asked]

    def batch(first: int, last: int) -> tuple[Users, Hidden]:
        return top.users(cupy.asarray(vectors[first:last])), Hidden.of(cupy, owned[first:last], barred)

    def lists(served: tuple[Users, Hidden]) -> Any:
        return top.lists(*served, scratch_bytes).items

    given = Batches(split, batch)
    if problem.one_by_one:
        return _one_by_one(cupy, given, lists)
    return run_in_batches(cupy, given, np.empty((0, problem.k), np.int32), lists, lambda found: found)


def _one_by_one(
    cupy: Any, given: Batches[tuple[Users, Hidden]], lists: Callable[[tuple[Users, Hidden]], Any]
) -> Prepared[np.ndarray]:
    """A list is on the host before the next user asks."""
    evidence = Evidence(cupy)

    def each(served: tuple[Users, Hidden]) -> list[np.ndarray]:
        users, hidden = served
        found = []
        for row in range(len(users.vectors)):
            items = lists((users.part(row, row + 1), hidden.part(row, row + 1)))
            evidence.see(items)
            found.append(items.get())
        return found

    def run() -> list[np.ndarray]:
        evidence.reset()
        return [one for _, every in given.answers(each) for one in every]

    return Prepared(run, fetch=np.vstack, ran_on=evidence.ran_on)
