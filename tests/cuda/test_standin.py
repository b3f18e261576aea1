"""The stand-in for CuPy: it computes what NumPy computes, and refuses what CuPy refuses."""

import importlib.util

import numpy as np
import pytest

from .cupy_names import CUPY_NAMES, NDARRAY_NAMES
from .sparse_standin import csr_matrix
from .standin import Array, NotOnTheDevice, StandIn

cupy = StandIn()


def on_device(*values):
    return cupy.asarray(np.array(values))


def test_array_code_gives_what_numpy_gives():
    x = np.array([3, 1, 2, 3], np.int32)
    on = cupy.asarray(x)
    for name in ("cumsum", "sort", "argsort", "flatnonzero", "bincount", "unique"):
        np.testing.assert_array_equal(getattr(cupy, name)(on).get(), getattr(np, name)(x))
    np.testing.assert_array_equal((2 * on - on // 2)[on > 1].get(), (2 * x - x // 2)[x > 1])
    np.testing.assert_array_equal(on.reshape(2, 2).T.get(), x.reshape(2, 2).T)
    assert isinstance(on.sum(), cupy.ndarray) and int(on.sum()) == 9, "no sum leaves the device by itself"
    assert on.astype(cupy.float32).dtype == np.float32


def test_an_array_is_a_copy_and_what_it_gives_back_is_one():
    x = np.zeros(3)
    on = cupy.asarray(x)
    x[0], on.get()[1] = 1, 1
    assert on.tolist() == [0, 0, 0]


REFUSED = {
    "NumPy makes it an array": lambda: np.asarray(on_device(1)),
    "a function of NumPy": lambda: np.concatenate([on_device(1), on_device(2)]),
    "a NumPy operand": lambda: on_device(1, 2) + np.ones(2),
    "a NumPy operand before it": lambda: np.ones(2) + on_device(1, 2),
    "a NumPy argument": lambda: cupy.searchsorted(on_device(1, 2), np.ones(2)),
    "a NumPy array among others": lambda: cupy.concatenate([on_device(1, 2), np.ones(2)]),
    "a NumPy argument by name": lambda: cupy.where(on_device(True), x=np.ones(1), y=on_device(1)),
    "strings": lambda: cupy.asarray(np.array(["a"])),
    "objects": lambda: cupy.asarray(np.array([None])),
    "an array of repeats": lambda: cupy.repeat(on_device(1, 2), on_device(1, 2)),
    "an index out of bounds": lambda: on_device(1, 2)[on_device(0, 2)],
    "integers in a sparse matrix": lambda: csr_matrix((on_device(1), on_device(0), on_device(0, 1)), (1, 1)),
    "int8 in a sparse matrix": lambda: csr_matrix((on_device(1).astype("int8"), on_device(0), on_device(0, 1)), (1, 1)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cupy_refuses_or_leaves_to_luck_is_refused(what):
    with pytest.raises(TypeError):
        REFUSED[what]()


def test_a_place_assigned_to_twice_is_refused():
    x = on_device(1, 2, 3)
    x[on_device(0, 2)] = 5
    assert x.tolist() == [5, 2, 5]
    with pytest.raises(NotOnTheDevice, match="twice"):
        x[on_device(1, 1)] = 5


def test_numbers_that_a_sparse_matrix_can_hold():
    for dtype in (bool, np.float32, np.float64, np.complex64):
        csr_matrix((on_device(1).astype(dtype), on_device(0), on_device(0, 1)), (1, 1))


@pytest.mark.parametrize("name", ["busday_count", "char", "recarray", "fft"])
def test_names_that_cupy_has_not_are_refused(name):
    with pytest.raises(AttributeError, match=name):
        getattr(cupy, name)
    with pytest.raises(AttributeError, match="setfield"):
        on_device(1).setfield(1, int)


def test_memory_that_was_never_written_is_nan():
    assert np.isnan(cupy.empty(3, np.float32).get()).all()
    assert (cupy.empty((2, 2), np.int32).get() == -1).all()
    assert isinstance(cupy.empty(0), Array)


def test_the_names_are_those_of_the_cupy_that_is_installed():
    if importlib.util.find_spec("cupy") is None:
        pytest.skip("package 'cupy' is not installed")
    import cupy as real

    assert sorted(CUPY_NAMES - set(dir(real))) == []
    assert sorted(NDARRAY_NAMES - set(dir(real.ndarray))) == []
