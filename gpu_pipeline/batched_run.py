"""A run over rows that are on the device when it starts, or, where they do not fit, come batch by batch."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np
import scipy.sparse as sp

from ..pipeline.contract import AnswerT, Prepared
from .device_memory import BLOCK, batches, bytes_before, left_to_cupy
from .device_rows import BYTES_OF_A_ROW, BYTES_OF_AN_ENTRY, DeviceRows
from .evidence import Evidence

BatchT = TypeVar("BatchT")
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

    def rows(first: int, last: int) -> DeviceRows:
        return DeviceRows.copied(cupy, matrix, first, last)

    return run_in_batches(cupy, Batches(split, rows), np.empty((0, width), np.float32), answer_of, fetched)


class Batches(Generic[BatchT]):
    """Batches of n rows on the device; one that is all of them stays there, others are copied when their turn comes.

    whole: that one, or None. rows: n.
    """

    def __init__(self, split: list[tuple[int, int]], copied: Callable[[int, int], BatchT]) -> None:
        """Take first and end of each batch, and what copies one to the device."""
        self._split, self._copied = split, copied
        self.rows = split[-1][1]
        self.whole = copied(*split[0]) if len(split) == 1 else None

    def answers(self, answer_of: Callable[[BatchT], AnswerT]) -> Iterator[tuple[slice, AnswerT]]:
        """The rows of each batch, and its answer, which is to be on the host: the device has room for one batch."""
        for first, last in self._split:
            # No name holds a batch: it is freed before the next one is copied.
            yield slice(first, last), answer_of(self._copied(first, last) if self.whole is None else self.whole)


def run_in_batches(
    cupy: Any,
    given: Batches[BatchT],
    none: np.ndarray,
    answer_of: Callable[[BatchT], Any],
    fetched: Callable[[np.ndarray], AnswerT],
) -> Prepared[AnswerT]:
    """What a variant returns whose answer has one row of numbers for each row of what it is given.

    Args:
        cupy: the module.
        given: the rows.
        none: [0, width], the answer to no rows, on the host.
        answer_of: a batch to [rows, width] of the same type on the device.
        fetched: [n, width] on the host to the stage's answer.

    """
    evidence = Evidence(cupy)

    def on_device(batch: BatchT) -> Any:
        answer = answer_of(batch)
        evidence.see(answer)
        return answer

    def run() -> Any:
        evidence.reset()
        if given.whole is not None:
            return on_device(given.whole)
        answer = np.empty((given.rows, none.shape[1]), none.dtype)
        for rows, part in given.answers(lambda batch: on_device(batch).get()):
            answer[rows] = part
        return answer

    def fetch(answer: Any) -> AnswerT:
        return fetched(answer if given.whole is None else answer.get())

    return Prepared(run, cupy.cuda.Device().synchronize, fetch, ran_on=evidence.ran_on)
