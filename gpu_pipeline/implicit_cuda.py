"""What `implicit` needs to work on the GPU: a build with CUDA, and the RMM that this links with."""

import importlib.metadata
import re
import warnings
from types import ModuleType

from ..pipeline.errors import UnsupportedModelError
from ..pipeline.needs import Need
from ..pipeline.stages.als import AlsProblem

FIRST_RMM, LAST_RMM = (26, 2), (26, 4)
"""Releases of RMM that `implicit` 0.7.3 links with."""
RMM = "rmm-cu13"
"""Its libcublas and libcudart are of CUDA 13."""
_ADVICE = "pip install 'rmm-cu13>=26.2,<26.5', which the extra gpu-cu13 has"


def implicit_with_cuda() -> Need:
    """Need for an RMM that `implicit` links with."""

    def missing() -> str | None:
        try:
            version = importlib.metadata.version(RMM)
        except importlib.metadata.PackageNotFoundError:
            return f"package '{RMM}' is not installed, without which implicit does not work on the GPU ({_ADVICE})"
        year, month = (int(number) for number in re.findall(r"\d+", version)[:2])
        if FIRST_RMM <= (year, month) <= LAST_RMM:
            return None
        return f"implicit does not link with {RMM} {version} ({_ADVICE})"

    return Need("implicit with CUDA", missing)


def loaded() -> ModuleType:
    """The module `implicit.gpu`.

    Raises:
        UnsupportedModelError: its CUDA extension does not load; the message says why.

    """
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        import implicit.gpu
    if not (implicit.gpu.HAS_CUDA and implicit.gpu.HAS_RMM):
        reasons = "; ".join(str(each.message) for each in told) or "it says no reason"
        raise UnsupportedModelError(f"implicit's CUDA extension does not load: {reasons} ({_ADVICE})")
    return implicit.gpu


def bytes_needed(problem: AlsProblem, width: int) -> int:
    """Bytes of device memory of a fit with vectors of so many factors: a model of it, never measured.

    The matrix by users and by items; the vectors of both sides, and of each iteration a copy of them, taken by numbers;
    the Gram matrix of each side. All numbers are of 4 bytes.
    """
    users, items = problem.strengths.shape
    matrices = 2 * 2 * problem.strengths.nnz + users + items + 2
    vectors = (users + items) * (1 + width * (1 + problem.iterations))
    return 4 * (matrices + vectors + 2 * width**2)
