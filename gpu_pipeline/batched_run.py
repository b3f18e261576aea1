"""A run over rows of a matrix that are on the device when it starts, or, where they do not fit, come batch by batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..pipeline.contract import AnswerT, Prepared
from .device_memory import BLOCK, batches, bytes_before, left_to_cupy
from .device_rows import BYTES_OF_A_ROW, BYTES_OF_AN_ENTRY, DeviceRows

_ARRAYS = 4
"""Of a batch: the three of its rows, and the answer."""


def batched_run(
    cupy: Any,
    matrix: sp.csr_matrix,
    width: int,
    answer_of: Callable[[DeviceRows], Any],
    fetched: Callable[[np.ndarray], AnswerT],
    scratch_bytes: int = 0,
) -> Prepared[AnswerT]:
    """What a variant returns whose answer has one row of numbers for each row of a matrix.

    Args:
        cupy: the module.
        matrix: n x p, as `DeviceRows.check` wants it.
        width: numbers of a row of the answer.
        answer_of: rows on the device to float32[rows, width] on the device, by way of at most ``scratch_bytes`` there.
        fetched: float32[n, width] on the host to the stage's answer.
        scratch_bytes: see ``answer_of``.

    Raises:
        DeviceError: a single row does not fit.

    """
    per_row = BYTES_OF_A_ROW + 4 * width
    needed = bytes_before(np.diff(matrix.indptr), BYTES_OF_AN_ENTRY, per_row)
    split = batches(needed, left_to_cupy(cupy) - scratch_bytes - _ARRAYS * BLOCK)
    resident = DeviceRows.copied(cupy, matrix, *split[0]) if len(split) == 1 else None
    devices: set[str] = set()

    def on_device(rows: DeviceRows) -> Any:
        answer = answer_of(rows)
        devices.add("cuda" if isinstance(answer, cupy.ndarray) else "cpu")
        return answer

    def run() -> Any:
        devices.clear()
        if resident is not None:
            return on_device(resident)
        answer = np.empty((matrix.shape[0], width), np.float32)
        for first, last in split:
            # No name holds a batch: it is freed before the next one is copied.
            answer[first:last] = on_device(DeviceRows.copied(cupy, matrix, first, last)).get()
        return answer

    def fetch(answer: Any) -> AnswerT:
        return fetched(answer.get() if resident is not None else answer)

    return Prepared(
        run,
        cupy.cuda.Device().synchronize,
        fetch,
        ran_on=lambda: "cuda" if devices == {"cuda"} else "cpu",
    )
