"""ALS on the GPU. All variants start from the stage's vectors.

- implicit-cuda: `implicit` on the GPU, three conjugate-gradient steps a row
- native-cuda-cholesky: every row exactly, by its normal equations, in the coordinates of the CPU's `native-exact`
- native-cuda-exact: every row to float32, by the steps of `native-exact`: on paper a half to a third of the operations
- native-cuda: three steps of the same, as the CPU's `native`
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..pipeline.contract import Prepared, variant
from ..pipeline.errors import UnsupportedModelError
from ..pipeline.needs import cuda_device, cuda_package, package
from ..pipeline.stages.als import AlsAnswer, AlsProblem, loss, refuse_frequency, with_values
from .als_kernels import UNTIL_SOLVED, Cholesky, ConjugateGradients, RowKernel
from .als_memory import AlsMemory
from .als_parts import Part
from .device_als import DeviceRowSolver, PartsFromHost, gram, transposed
from .device_memory import left_to_others, too_large
from .device_rows import DeviceRows
from .evidence import Evidence
from .implicit_cuda import bytes_needed, implicit_with_cuda, loaded

_STEPS = 3
_WARP = 32
_MOST_THREADS = 1024


@variant(package("implicit"), implicit_with_cuda(), cuda_device(), device="cuda")
def implicit_cuda(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """`implicit` on the GPU: three conjugate-gradient steps a row; the loss is computed outside of the run.

    It ignores its own alpha in a fit and takes stored values as c. A thread has a factor each, and sums over them are
    right for whole warps alone: vectors are filled up with zeros, which stay zeros.
    """
    gpu = loaded()
    from implicit.gpu.als import AlternatingLeastSquares

    refuse_frequency(problem.scaling, "implicit")
    filling = -problem.factors % _WARP
    if problem.factors + filling > _MOST_THREADS:
        raise UnsupportedModelError(f"implicit has at most {_MOST_THREADS} factors on the GPU; choose fewer")
    if not problem.strengths.nnz:
        raise UnsupportedModelError("implicit takes no empty matrix to the GPU")
    extra = problem.extra_confidences()
    confidences = with_values(extra, 1 + extra.data)
    starts = [np.pad(vectors, [(0, 0), (0, filling)]) for vectors in (problem.user_start, problem.item_start)]
    needed, left = bytes_needed(problem, problem.factors + filling), left_to_others()
    if needed > left:
        raise too_large("implicit, which does not split its work,", needed, left)
    every = [np.arange(len(vectors), dtype=np.int32) for vectors in starts]
    last: list[Any] = []

    def run() -> list[tuple[Any, Any]]:
        model = AlternatingLeastSquares(
            factors=problem.factors + filling, regularization=problem.regularization, iterations=problem.iterations
        )
        model.user_factors, model.item_factors = map(gpu.Matrix, starts)
        last.clear()

        def keep(*_: Any) -> None:  # by rows: it has no other copy on the device
            last.append((model.user_factors[every[0]], model.item_factors[every[1]]))

        model.fit(confidences, show_progress=False, callback=keep)
        return list(last)

    def fetch(history: list[tuple[Any, Any]]) -> AlsAnswer:
        def on_host(vectors: Any) -> np.ndarray:
            return vectors.to_numpy()[:, : problem.factors]

        found = [(on_host(users), on_host(items)) for users, items in history]
        return AlsAnswer(*found[-1], np.array([loss(problem, *pair) for pair in found]))

    def where() -> str:
        return "cuda" if last and isinstance(last[-1][0], gpu.Matrix) else "cpu"

    return Prepared(run, fetch=fetch, ran_on=where)


def _native(problem: AlsProblem, kernel_of: Callable[[Any], RowKernel]) -> Prepared[AlsAnswer]:
    """Strengths and the vectors to start from lie on the device when the set-up is over, the answer after a run.

    Strengths that do not fit beside the vectors come part by part in a run (`AlsMemory`).
    """
    import cupy

    strengths, (user_penalties, item_penalties) = problem.strengths, problem.penalties()
    confidence = strengths.nnz + problem.alpha * float(strengths.data.sum(dtype=np.float64))
    kernel = kernel_of(cupy)
    memory = AlsMemory.of(cupy, problem, kernel)
    matrix = DeviceRows.copied(cupy, strengths, 0, strengths.shape[0]) if memory.whole else None
    starts = cupy.asarray(problem.user_start), cupy.asarray(problem.item_start)
    costs = cupy.asarray(user_penalties)
    evidence = Evidence(cupy)

    def sides() -> tuple[Iterable[Part], Iterable[Part]]:
        if matrix is not None:
            by_items = transposed(cupy, matrix, strengths.shape[1])
            return [Part.of(cupy, matrix)], [Part.of(cupy, by_items)]
        by_items = sp.csr_matrix(strengths.T)
        return PartsFromHost(cupy, strengths, memory.users), PartsFromHost(cupy, by_items, memory.items)

    def run() -> tuple[Any, Any, Any]:
        evidence.reset()
        users, items = starts
        user_rows, item_rows = (
            DeviceRowSolver(cupy, kernel, parts, problem.alpha, penalties, memory.scratch_bytes)
            for parts, penalties in zip(sides(), (user_penalties, item_penalties), strict=True)
        )
        losses = cupy.empty(problem.iterations, np.float64)
        for iteration in range(problem.iterations):
            users, _ = user_rows.run(items, gram(cupy, items), users)
            items, rest = item_rows.run(users, gram(cupy, users), items)
            lengths = (users * users).sum(axis=1, dtype=np.float64)
            losses[iteration] = rest + confidence + (costs * lengths).sum()
        evidence.see(users, items)
        return users, items, losses

    def fetch(answer: tuple[Any, Any, Any]) -> AlsAnswer:
        return AlsAnswer(*(each.get() for each in answer))

    return Prepared(run, cupy.cuda.Device().synchronize, fetch, ran_on=evidence.ran_on)


@variant(cuda_package("cupy"), cuda_device(), device="cuda")
def native_cuda_cholesky(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """A block a row or a slice, the normal equations in shared memory, in coordinates where float32 does for them."""
    return _native(problem, lambda cupy: Cholesky(cupy, problem.factors))


@variant(cuda_package("cupy"), cuda_device(), device="cuda")
def native_cuda_exact(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """A block a row or a slice, conjugate gradients in shared memory until every row is solved to float32."""
    return _native(problem, lambda cupy: ConjugateGradients(cupy, problem.factors, UNTIL_SOLVED))


@variant(cuda_package("cupy"), cuda_device(), device="cuda")
def native_cuda(problem: AlsProblem) -> Prepared[AlsAnswer]:
    """A block a row or a slice, three conjugate-gradient steps in coordinates where Y'Y + lambda is 1."""
    return _native(problem, lambda cupy: ConjugateGradients(cupy, problem.factors, _STEPS))
