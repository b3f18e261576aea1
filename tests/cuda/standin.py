"""A strict stand-in for `cupy`: arrays of the host that behave as the device's do, and refuse what CuPy refuses.

`StandIn` takes the place of the module. What it computes NumPy computes; its kernels run in the emulator.
It is stricter than CuPy where that leaves an answer to luck: indices out of bounds, which wrap there, repeated ones in
an assignment, memory that nothing was written to.
"""

import operator
import weakref
from types import ModuleType
from typing import Any

import numpy as np

from . import emulator
from .cupy_names import CUPY_NAMES, NDARRAY_NAMES


class NotOnTheDevice(TypeError):
    """CuPy would refuse this, or answer by luck."""


def _on_host(value: Any) -> Any:
    """NumPy's view of an operand."""
    if isinstance(value, Array):
        return value._values
    if isinstance(value, np.ndarray):
        raise NotOnTheDevice(f"a NumPy array of {value.dtype} among CuPy's: copy it with cupy.asarray first")
    if isinstance(value, str | bytes):
        raise NotOnTheDevice("CuPy has no strings")
    if isinstance(value, tuple | list):
        return type(value)(map(_on_host, value))
    return value


def _on_device(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return Array(np.asarray(value))
    if isinstance(value, tuple | list):
        return type(value)(map(_on_device, value))
    return value


def _checked_dtype(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "biufc":
        raise NotOnTheDevice(f"CuPy has no arrays of {values.dtype}")
    return values


class OutOfMemoryError(MemoryError):
    """As `cupy.cuda.memory.OutOfMemoryError`."""


class Memory:
    """Bytes of all arrays that live, as CuPy's pool counts them: views take none, blocks are of 512 bytes.

    What NumPy takes within a function is not seen.
    """

    BLOCK = 512

    def __init__(self) -> None:
        self.used, self.peak, self.total = 0, 0, 1 << 40
        self._owners: set[int] = set()

    def count(self, values: np.ndarray) -> None:
        owner = values
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if id(owner) in self._owners or not owner.nbytes:
            return
        size = -(-owner.nbytes // self.BLOCK) * self.BLOCK
        if self.used + size > self.total:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes (allocated so far: {self.used:,} bytes)")
        self.used += size
        self.peak = max(self.peak, self.used)
        self._owners.add(id(owner))
        weakref.finalize(owner, self._freed, id(owner), size)

    def _freed(self, owner: int, size: int) -> None:
        self._owners.discard(owner)
        self.used -= size

    def used_bytes(self) -> int:
        return self.used

    def free_bytes(self) -> int:
        """The pool keeps nothing that is free."""
        return 0

    def free_all_blocks(self) -> None:
        """So nothing is given back."""


memory = Memory()
"""There is one device."""


class Array:
    """As `cupy.ndarray`."""

    __array_ufunc__ = None
    __hash__ = None

    def __init__(self, values: np.ndarray) -> None:
        self._values = _checked_dtype(values)
        memory.count(self._values)

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise NotOnTheDevice("Implicit conversion to a NumPy array is not allowed: use .get()")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in NDARRAY_NAMES:
            raise AttributeError(f"cupy.ndarray has no '{name}'")
        found = getattr(self._values, name)
        if callable(found):
            return lambda *values, **named: _on_device(found(*map(_on_host, values), **_named(named)))
        return _on_device(found) if isinstance(found, np.ndarray) else found

    def get(self) -> np.ndarray:
        return self._values.copy()

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> "Array":
        self._check_index(index, written=False)
        return Array(np.asarray(self._values[_on_host(index)]))

    def __setitem__(self, index: Any, value: Any) -> None:
        self._check_index(index, written=True)
        self._values[_on_host(index)] = _on_host(value)

    def _check_index(self, index: Any, written: bool) -> None:
        for axis, each in enumerate(index if isinstance(index, tuple) else (index,)):
            if isinstance(each, Array) and each.dtype.kind in "iu" and each.size:
                places, size = each._values, self._values.shape[axis]
                if places.min() < -size or places.max() >= size:
                    raise NotOnTheDevice(f"indices beyond the {size} of an axis: CuPy wraps them and says nothing")
                if written and len(np.unique(places % size)) < places.size:
                    raise NotOnTheDevice("an index is assigned to twice: CuPy leaves which value stays to luck")


def _operator(name: str) -> Any:
    apply = getattr(operator, name)

    def operate(one: Array, *others: Any) -> Any:
        return _on_device(np.asarray(apply(one._values, *map(_on_host, others))))

    return operate


def _reflected(name: str) -> Any:
    apply = getattr(operator, name)
    return lambda one, other: _on_device(np.asarray(apply(_on_host(other), one._values)))


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "lshift",
    "rshift",
    "and_",
    "or_",
    "xor",
):
    setattr(Array, f"__{_name.rstrip('_')}__", _operator(_name))
    setattr(Array, f"__r{_name.rstrip('_')}__", _reflected(_name))
for _name in ("eq", "ne", "lt", "le", "gt", "ge", "neg", "invert", "abs"):
    setattr(Array, f"__{_name}__", _operator(_name))
for _kind in (bool, int, float):
    setattr(Array, f"__{_kind.__name__}__", lambda array, kind=_kind: kind(array._values))


def _named(named: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name; types of numbers and how to search are not arrays' values, and no sort but a stable one is."""
    if named.get("kind", "stable") != "stable":
        raise NotOnTheDevice(f"CuPy sorts stably, and knows no kind={named['kind']!r}")
    return {name: value if name in ("dtype", "side", "kind") else _on_host(value) for name, value in named.items()}


class _Kernel:
    """A kernel that takes arrays of the stand-in."""

    def __init__(self, kernel: emulator.RawKernel) -> None:
        self._kernel = kernel

    def __call__(self, grid: tuple, block: tuple, args: tuple, *, shared_mem: int = 0) -> None:
        self._kernel(grid, block, tuple(map(_on_host, args)), shared_mem=shared_mem)


class _Module:
    def __init__(self, module: emulator.RawModule) -> None:
        self._module = module

    def get_function(self, name: str) -> _Kernel:
        return _Kernel(self._module.get_function(name))


class _Device:
    @property
    def mem_info(self) -> tuple[int, int]:
        return memory.total - memory.used, memory.total

    def synchronize(self) -> None:
        """Everything is over when it returns."""


class _Cuda:
    Device = _Device


class _Linalg:
    @staticmethod
    def eigh(values: Array) -> tuple[Array, Array]:
        return _on_device(tuple(np.linalg.eigh(_on_host(values))))


class StandIn:
    """In the place of the module `cupy`; ``checked`` and ``seed`` are the emulator's."""

    ndarray = Array
    cuda = _Cuda
    linalg = _Linalg

    def __init__(self, checked: bool = False, seed: int = 0) -> None:
        self._how = {"checked": checked, "seed": seed}

    def get_default_memory_pool(self) -> Memory:
        return memory

    def RawModule(self, *, code: str, options: tuple[str, ...] = ()) -> _Module:
        return _Module(emulator.RawModule(code=code, options=options, **self._how))

    def asarray(self, values: Any, dtype: Any = None) -> Array:
        if isinstance(values, Array):
            return values if dtype is None else values.astype(dtype)
        return Array(_checked_dtype(np.array(values, dtype=dtype, order="C")))

    array = asarray

    def asnumpy(self, values: Any) -> np.ndarray:
        return values.get() if isinstance(values, Array) else values

    def empty(self, shape: Any, dtype: Any = float) -> Array:
        values = np.empty(shape, dtype)
        values.reshape(-1).view(np.uint8)[:] = emulator.UNTOUCHED
        return Array(values)

    def argsort(self, values: Array, kind: str = "stable") -> Array:
        """Stable, as CuPy's is without being asked; it knows no other kind."""
        if kind != "stable":
            raise NotOnTheDevice(f"cupy.argsort knows no kind={kind!r}")
        return Array(np.argsort(values._values, kind="stable"))

    def repeat(self, values: Array, repeats: Any, axis: int | None = None) -> Array:
        if isinstance(repeats, Array | np.ndarray):
            raise NotOnTheDevice("cupy.repeat takes no array of repeats")
        return Array(np.repeat(values._values, repeats, axis))

    def bincount(self, values: Array, weights: Array | None = None, minlength: int = 0) -> Array:
        if not values.size:
            raise NotOnTheDevice("cupy.bincount of no numbers fails before CuPy 14: it takes their maximum")
        return Array(np.bincount(values._values, None if weights is None else weights._values, minlength))

    def __getattr__(self, name: str) -> Any:
        if name not in CUPY_NAMES:
            raise AttributeError(f"cupy has no '{name}'")
        found = getattr(np, name)
        if isinstance(found, ModuleType):
            raise AttributeError(f"the stand-in has no '{name}' yet")
        if isinstance(found, type) or not callable(found):
            return found
        return lambda *values, **named: _on_device(found(*map(_on_host, values), **_named(named)))
