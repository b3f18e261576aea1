"""How much device memory a variant may take, and how its work is split to fit.

Estimates are upper bounds of what is allocated at once. They leave a share unplanned, for what is in no estimate:
blocks of a pool that do not fit, and what CUDA and the libraries keep to themselves.
"""

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..pipeline.cuda_driver import driver
from ..pipeline.device_limit import device_limit
from ..pipeline.errors import DeviceError

PLANNED_SHARE = 0.9
"""Of the memory at hand."""
BLOCK = 512
"""CuPy's pool gives out multiples of so many bytes."""
MORE = (
    "end what else uses the device (nvidia-smi lists it), raise --device-memory where it is given, or use a variant on "
    "the CPU"
)


def left_to_cupy(cupy: Any) -> int:
    """Bytes to plan with for arrays of CuPy: free on the device or in CuPy's pool, and below the cap."""
    pool = cupy.get_default_memory_pool()
    free, _ = cupy.cuda.Device().mem_info
    return _planned(free + pool.free_bytes(), pool.used_bytes())


def left_to_others() -> int:
    """Bytes to plan with for a library that allocates by itself: free on the device, and below the cap.

    Raises:
        DeviceError: the device is busy or full, or there is none.

    """
    found = driver()
    if isinstance(found, str):
        raise DeviceError(found)
    return _planned(found.free_bytes(), 0)


def _planned(free: int, used: int) -> int:
    limit = device_limit()
    return int(PLANNED_SHARE * max(0, free if limit is None else min(free, limit - used)))


def allocated(*arrays: np.ndarray) -> int:
    """Bytes that arrays take on the device."""
    return sum(-(-array.nbytes // BLOCK) * BLOCK for array in arrays)


def copied(cupy: Any, arrays: Iterable[np.ndarray]) -> list[Any]:
    """Arrays on the device.

    Raises:
        DeviceError: they do not fit.

    """
    arrays = list(arrays)
    needed, left = allocated(*arrays), left_to_cupy(cupy)
    if needed > left:
        raise too_large("the model", needed, left)
    return [cupy.asarray(array) for array in arrays]


def batches(bytes_before: np.ndarray, left: int) -> list[tuple[int, int]]:
    """First and end of each batch of records, as large as fit into ``left`` bytes; one of none where there are none.

    bytes_before: int64[n + 1]: what the records before each one take together.

    Raises:
        DeviceError: a record does not fit by itself.

    """
    ends = [0]
    while ends[-1] < len(bytes_before) - 1:
        start = ends[-1]
        end = int(np.searchsorted(bytes_before, bytes_before[start] + left, side="right")) - 1
        if end <= start:
            needed = int(bytes_before[start + 1] - bytes_before[start])
            raise too_large(f"record {start}", needed, left)
        ends.append(end)
    return list(itertools.pairwise(ends)) or [(0, 0)]


def bytes_before(counts: np.ndarray, each: int, per_record: int) -> np.ndarray:
    """int64[n + 1] for `batches`: records of ``per_record`` bytes, and ``each`` for all of their counts[n] items."""
    return np.append(0, np.cumsum(counts.astype(np.int64) * each + per_record))


def too_large(what: str, needed: int, left: int) -> DeviceError:
    """The error for what takes more bytes than are left."""
    return DeviceError(
        f"{what} takes {_told(needed)} of the device's memory, of which {_told(max(0, left))} are left: {MORE}"
    )


def _told(size: int) -> str:
    return f"{size / 2**20:.1f} MiB" if size >= 1 << 20 else f"{size / 2**10:.1f} KiB"
