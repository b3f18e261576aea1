"""Copies between the host and the device, counted in bytes and time, and phases of a run without them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..pipeline.stopwatch import Stopwatch

TO_DEVICE, TO_HOST = "to device", "to host"


class CountingCupy:
    """The module `cupy`, whose copies to the device are counted; in its place wherever it is passed in.

    bytes: of all copies since `reset`, by direction. What a kernel takes by value is not counted.
    """

    def __init__(self, cupy: Any) -> None:
        """Take the module."""
        self._cupy, self._watch = cupy, Stopwatch()
        self.reset()

    def __getattr__(self, name: str) -> Any:
        """All but what is counted."""
        return getattr(self._cupy, name)

    def reset(self) -> None:
        """Forget what was counted."""
        self.bytes = {TO_DEVICE: 0, TO_HOST: 0}
        self._watch.seconds.update({TO_DEVICE: 0.0, TO_HOST: 0.0})

    @property
    def seconds(self) -> dict[str, float]:
        """Of all copies since `reset`, by direction."""
        return dict(self._watch.seconds)

    @contextmanager
    def copying(self, direction: str, size: int) -> Iterator[None]:
        """Time the block, which copies so many bytes; what the device has to do before is not its time."""
        self.synchronize()
        with self._watch.phase(direction):
            yield
            self.synchronize()
        self.bytes[direction] += size

    def synchronize(self) -> None:
        """Wait for the device."""
        self._cupy.cuda.Device().synchronize()

    def asarray(self, values: Any, dtype: Any = None) -> Any:
        """As `cupy.asarray`."""
        if not isinstance(values, np.ndarray):
            return self._cupy.asarray(values, dtype=dtype)
        with self.copying(TO_DEVICE, values.nbytes):
            return self._cupy.asarray(values, dtype=dtype)

    def asnumpy(self, values: Any) -> np.ndarray:
        """As `cupy.asnumpy`, of an array of the device."""
        with self.copying(TO_HOST, values.nbytes):
            return self._cupy.asnumpy(values)


class DevicePhases:
    """Seconds of phases, each until the device is done, and of the copies in them, which are phases of their own."""

    def __init__(self, cupy: CountingCupy, names: Sequence[str]) -> None:
        """Take the module that the phases compute with, and the phases, in whatever order they come."""
        self._cupy, self._names = cupy, names
        self.reset()

    def reset(self) -> None:
        """Begin another run."""
        self._seconds = dict.fromkeys(self._names, 0.0)
        self._cupy.reset()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the block but for its copies; what a phase does batch by batch adds up."""
        start, before = time.perf_counter(), sum(self._cupy.seconds.values())
        yield
        self._cupy.synchronize()
        copies = sum(self._cupy.seconds.values()) - before
        self._seconds[name] += time.perf_counter() - start - copies

    @property
    def seconds(self) -> dict[str, float]:
        """The phases in order, then the copies."""
        return {**self._seconds, **self._cupy.seconds}
