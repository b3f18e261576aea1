"""Fixtures of the tests of the GPU side: what they need of the machine, and stand-ins for CuPy."""

import gc
import warnings

import pytest
from technobench.gpu_pipeline import device_memory as device_memory_module
from technobench.pipeline.cuda_driver import Driver

from . import emulator
from .implicit_standin import COMPILED
from .standin import StandIn, memory


@pytest.fixture
def compiler():
    """A C++ compiler, without which nothing is emulated."""
    if emulator.compiler() is None:
        pytest.skip("no C++ compiler (program 'g++' is not on the PATH)")


@pytest.fixture
def cupy(compiler):
    """CuPy's stand-in, with fast kernels."""
    return StandIn()


@pytest.fixture
def checked_cupy(compiler):
    """CuPy's stand-in, whose kernels have every access watched."""
    return StandIn(checked=True)


@pytest.fixture
def device_memory(monkeypatch):
    """Gives the stand-in's device so many free bytes, and returns the memory, its peak set back."""
    gc.collect()

    def give(free_bytes):
        memory.peak = memory.used
        monkeypatch.setattr(memory, "total", memory.used + free_bytes)
        return memory

    return give


class _FreeDevice(Driver):
    def __init__(self, free):
        self._free = free

    def free_bytes(self):
        return self._free


@pytest.fixture
def free_device(monkeypatch):
    """Tells libraries that allocate by themselves of so many free bytes; one that asks another driver finds none."""

    def give(free_bytes):
        monkeypatch.setattr(device_memory_module, "driver", lambda: _FreeDevice(free_bytes))

    return give


@pytest.fixture
def implicit_gpu(monkeypatch, free_device):
    """`implicit.gpu` with what is compiled of it replaced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import implicit.gpu
    for name, value in COMPILED.items():
        monkeypatch.setattr(implicit.gpu, name, value, raising=False)
    free_device(1 << 30)
