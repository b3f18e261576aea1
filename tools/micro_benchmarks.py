"""What one core of this machine can do at most, with all of them at work: the bounds of tools/engine_bounds.py.

Each bound is a loop with nothing in it but the one thing that it measures, on data that lie where the engines have
theirs at best. Time is the threads' own processor time, so that other processes count less.
"""

from collections.abc import Callable
from time import thread_time

import numpy as np
from numba import njit
from technobench.cpu_pipeline.kernels.gather import LANES, add_pairs
from technobench.cpu_pipeline.kernels.threads import on_threads, thread_count

ROWS = 1024
"""Rows of the small arrays: 4 KB of float32, so that several lie in the first cache."""
LARGE = 64 << 20
"""Bytes of the large arrays, of which no cache of a core holds a part worth counting."""


@njit(cache=True, nogil=True)
def _gather(first: np.ndarray, second: np.ndarray, table: np.ndarray, pattern: np.ndarray, repeats: int) -> None:
    for _ in range(repeats):
        for row in range(0, len(pattern), LANES):
            add_pairs(first, second, table, pattern, row)


@njit(cache=True, nogil=True)
def _gather_far(sums: np.ndarray, pairs: np.ndarray, tables: np.ndarray, pattern: np.ndarray) -> None:
    for pair in range(len(pairs)):
        first, second = sums[pairs[pair, 0]], sums[pairs[pair, 1]]
        for row in range(0, len(pattern), LANES):
            add_pairs(first, second, tables[pair], pattern, row)


@njit(cache=True, nogil=True)
def _compare_bytes(codes: np.ndarray, found: np.ndarray, repeats: int) -> None:
    for repeat in range(repeats):
        least = np.uint8(repeat)
        for row in range(len(codes)):
            found[row] |= np.uint8(1) if codes[row] >= least else np.uint8(0)


@njit(cache=True, nogil=True)
def _compare_floats(thresholds: np.ndarray, counts: np.ndarray, repeats: int) -> None:
    for repeat in range(repeats):
        value = np.float32(repeat) / np.float32(repeats)
        for place in range(len(thresholds)):
            counts[place] += np.int32(thresholds[place] <= value)


@njit(cache=True, nogil=True)
def _read(words: np.ndarray) -> int:
    total = 0
    for word in words:
        total += int(word)
    return total


@njit(cache=True, nogil=True)
def _look_up(table: np.ndarray, keys: np.ndarray) -> int:
    """Open addressing, as the native technology matrix has it, of keys that are hashes already."""
    mask, found = np.uint64(len(table) - 1), 0
    for key in keys:
        slot = (key >> np.uint64(8)) & mask
        while table[slot] != key and table[slot] != np.uint64(0):
            slot = (slot + np.uint64(1)) & mask
        found += table[slot] == key
    return found


def gathers() -> float:
    """Look-ups of 8 bytes in a table of 4 KB, each with two additions; everything in the first cache."""
    generator = np.random.default_rng(0)
    pattern = generator.integers(0, 512, ROWS).astype(np.uint16)
    table = generator.random((512, 2)).astype(np.float32)

    def work() -> None:
        first, second = np.zeros((2, ROWS), np.float32)
        _gather(first, second, table, pattern, 8000)

    return _timed(work, 8000 * ROWS)


def far_gathers() -> float:
    """The same with 1 MB of sums, which lie in the second cache, and 16 MB of tables, each used once."""
    generator = np.random.default_rng(0)
    pattern = np.minimum(generator.geometric(0.05, 4080), 511).astype(np.uint16)
    pairs = generator.permuted(np.tile(np.arange(64), (4096, 1)), axis=1)[:, :2].copy()
    tables = np.zeros((len(pairs), 512, 2), np.float32)
    sums = np.zeros((64, len(pattern)), np.float32)
    return _timed(lambda: _gather_far(sums.copy(), pairs, tables, pattern), len(pairs) * len(pattern))


def byte_comparisons() -> float:
    """Bytes compared with one byte, the answers kept."""
    codes = np.random.default_rng(0).integers(0, 256, ROWS).astype(np.uint8)
    return _timed(lambda: _compare_bytes(codes, np.zeros(ROWS, np.uint8), 100_000), 100_000 * ROWS)


def float_comparisons() -> float:
    """Floats of 128 compared with one value, each with a count."""
    thresholds = np.sort(np.random.default_rng(0).random(128)).astype(np.float32)
    return _timed(lambda: _compare_floats(thresholds, np.zeros(128, np.int32), 500_000), 500_000 * len(thresholds))


def bytes_read() -> float:
    """Bytes read from memory in order."""
    words = np.ones(LARGE // 8, np.int64)
    return _timed(lambda: _read(words), LARGE)


def bytes_written() -> float:
    """Bytes written to memory that the system hands out anew, as it does for every large answer."""
    return _timed(lambda: np.empty(LARGE // 8, np.int64).fill(1), LARGE)


def hash_look_ups() -> float:
    """Keys found in a hash table of as many names as the seed has, a quarter full."""
    generator = np.random.default_rng(0)
    names = generator.integers(1, 1 << 63, 6450).astype(np.uint64)
    table = np.zeros(1 << 15, np.uint64)
    for name in names.tolist():
        slot = (name >> 8) % len(table)
        while table[slot]:
            slot = (slot + 1) % len(table)
        table[slot] = name
    keys = generator.choice(names, 1 << 20)
    return _timed(lambda: _look_up(table, keys), len(keys))


BOUNDS: dict[str, Callable[[], float]] = {
    "gathers": gathers,
    "far gathers": far_gathers,
    "byte comparisons": byte_comparisons,
    "float comparisons": float_comparisons,
    "bytes read": bytes_read,
    "bytes written": bytes_written,
    "hash look-ups": hash_look_ups,
}
"""Each measures how many a core does in a second."""


def _timed(work: Callable[[], object], amount: int) -> float:
    """``amount`` of work a second and core, done once on every thread at a time."""

    def seconds(_: int) -> float:
        start = thread_time()
        work()
        return thread_time() - start

    return amount * thread_count() / sum(on_threads(seconds, range(thread_count())))
