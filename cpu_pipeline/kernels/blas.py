"""BLAS under threads of our own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_LOCK = threading.Lock()
_HELD: list[threadpool_limits] = []
"""One for each block at work; only the first holds BLAS, and the last to end lets it go."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, for the whole process, while our threads call it.

    Threads of its own would fight with ours and change its sums. Blocks may overlap on several threads: the setting
    found by the first is restored by the last.
    """
    with _LOCK:
        _HELD.append(_HELD[0] if _HELD else threadpool_limits(1, "blas"))
    try:
        yield
    finally:
        with _LOCK:
            held = _HELD.pop()
            if not _HELD:
                held.restore_original_limits()
