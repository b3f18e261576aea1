"""Fixtures of the tests of the GPU side: what they need of the machine, and stand-ins for CuPy."""

import gc

import pytest

from . import emulator
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
