"""Recommendation on the GPU, all from the same vectors. Asked one by one, variants answer in a loop of single calls.

- implicit-cuda: `implicit` on the GPU, all users in one call or one user a call
- native-cuda: float32 scores by CuPy, a selection by strands, what is near the k-th best scored again in float64
"""

from typing import Any

import numpy as np

from ..pipeline.contract import Prepared, variant
from ..pipeline.needs import cuda_device, package
from ..pipeline.stages.recommend import RecommendProblem
from .device_top_k import DeviceTopK, Hidden
from .implicit_cuda import implicit_with_cuda, loaded

_FILTERED = np.nextafter(np.finfo(np.float32).min, np.float32(0))
"""The score that `implicit` gives to items that it leaves out."""


@variant(package("implicit"), implicit_with_cuda(), cuda_device(), device="cuda")
def implicit_cuda(problem: RecommendProblem) -> Prepared[np.ndarray]:
    """`implicit` on the GPU: scores by cuBLAS, RAFT's selection; float32 throughout, lists on the host."""
    gpu = loaded()
    from implicit.gpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors=problem.users.shape[1])
    model.user_factors, model.item_factors = gpu.Matrix(problem.users), gpu.Matrix(problem.items)
    # Beyond the catalogue it lays the lists out by another width than that of the array that they come back in.
    k = min(problem.k, len(problem.items))
    barred = problem.barred.tolist() or None
    parts = [problem.asked[[row]] for row in range(len(problem.asked))] if problem.one_by_one else [problem.asked]
    owned = [problem.owned[users] for users in parts]

    def run() -> list[tuple[np.ndarray, np.ndarray]]:
        return [model.recommend(*request, N=k, filter_items=barred) for request in zip(parts, owned, strict=True)]

    def fetch(found: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        items, scores = (np.vstack(each) for each in zip(*found, strict=True))
        listed = np.where(scores > _FILTERED, items, -1).astype(np.int32)
        return np.pad(listed, [(0, 0), (0, problem.k - k)], constant_values=-1)

    return Prepared(run, fetch=fetch, ran_on=lambda: "cuda" if isinstance(model.item_factors, gpu.Matrix) else "cpu")


@variant(package("cupy", "cupy-cuda12x"), cuda_device(), device="cuda")
def native_cuda(problem: RecommendProblem) -> Prepared[np.ndarray]:
    """float32 scores by CuPy, a selection without a sort, candidates scored again in float64: exact lists."""
    import cupy

    top = DeviceTopK(cupy, problem.items, problem.k)
    users = top.users(problem.users[problem.asked])
    hidden = Hidden.of(cupy, problem.owned[problem.asked], problem.barred)
    last: list[Any] = []

    def one(row: int) -> np.ndarray:
        """The list is on the host before the next user asks."""
        last[:] = [top.lists(users.part(row, row + 1), hidden.part(row, row + 1))]
        return last[0].get()

    def every() -> Any:
        last[:] = [top.lists(users, hidden)]
        return last[0]

    def where() -> str:
        return "cuda" if last and isinstance(last[0], cupy.ndarray) else "cpu"

    if problem.one_by_one:
        return Prepared(lambda: [one(row) for row in range(len(problem.asked))], fetch=np.vstack, ran_on=where)
    return Prepared(every, cupy.cuda.Device().synchronize, lambda lists: lists.get(), ran_on=where)
