"""Compiled loops on several threads: plain threads around loops that let go of the interpreter's lock.

Unlike Numba's own pools they may be used from several threads at once, and after a fork.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

PartT = TypeVar("PartT")
ResultT = TypeVar("ResultT")


def thread_count() -> int:
    """Threads to use: ``NUMBA_NUM_THREADS`` where it is set, else the cores that this process may use."""
    from numba import config

    return int(config.NUMBA_NUM_THREADS)  # pyright: ignore[reportAttributeAccessIssue] - set when it is imported


def on_threads(work: Callable[[PartT], ResultT], parts: Sequence[PartT]) -> list[ResultT]:
    """``work`` of each part, in order, on at most `thread_count` threads."""
    threads = min(len(parts), thread_count())
    if threads < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


def row_slices(rows: int, parts: int) -> list[slice]:
    """At most ``parts`` slices of nearly equal length that cover ``rows`` rows; none is empty."""
    parts = min(parts, rows)
    return [slice(rows * part // parts, rows * (part + 1) // parts) for part in range(parts)]


def in_order(work: Callable[[PartT], ResultT], parts: Sequence[PartT]) -> Iterator[ResultT]:
    """As `on_threads`, but one by one: no more results wait for the caller than there are threads."""
    threads = min(len(parts), thread_count())
    if threads < 2:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[ResultT]] = deque()
        try:
            for part in parts:
                ahead.append(pool.submit(work, part))
                if len(ahead) > threads:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
