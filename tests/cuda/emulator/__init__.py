"""CUDA kernels on the host: the unmodified source compiled as C++, called as `cupy.RawKernel` is, on NumPy arrays.

What CUDA leaves to luck is decided by a seed or refused: the order of blocks and threads, what lies in shared memory
before it is written, threads that part at a barrier, the number and the types of arguments, which CuPy does not check.
With ``checked`` each access is watched, too (checks.cpp): its bounds, what is read before it is written, and races.
"""

import ctypes
import functools
import hashlib
import math
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from technobench.pipeline.home import home, new_file

from .source import Parameter, Signature, dynamic_shared, signatures

HERE = Path(__file__).parent
RUNTIME = ("runtime.cpp", "checks.cpp")
MOST_SHARED_BYTES = 232_448
"""A block's dynamic shared memory at most: 227 KiB, on compute capability 9.0."""
SHARED_BYTES_UNASKED = 49_152
"""What a launch may have without setting ``max_dynamic_shared_size_bytes``."""
GAP_BYTES = 4096
"""Between two arguments, so that no index a little too large meets another one."""
UNTOUCHED = 0xFF
"""In the gaps; as a number it is NaN."""

_PLAIN_FLAGS = ("-O2",)
_CHECKED_FLAGS = ("-O1", "-g", "-fsanitize=thread", "-fsanitize=bounds,alignment,shift,integer-divide-by-zero")
_FLAGS = (
    "-std=c++17",
    "-fPIC",
    "-ftls-model=local-dynamic",
    "-fno-exceptions",
    "-ffp-contract=off",
    "-Werror=frame-larger-than=32768",
)


class KernelError(AssertionError):
    """A kernel did, or was asked for, what CUDA does not define."""


class Region(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("bytes", ctypes.c_size_t), ("name", ctypes.c_char_p))


def compiler() -> str | None:
    return shutil.which("g++")


class RawModule:
    """As `cupy.RawModule`, of one source; ``seed`` is that of the order of blocks and threads."""

    def __init__(self, *, code: str, options: tuple[str, ...] = (), checked: bool = False, seed: int = 0) -> None:
        self.signatures = signatures(code)
        dynamic = dynamic_shared(code)
        self.library_path = _compiled(code, options, dynamic, tuple(self.signatures.values()), checked)
        self._library = ctypes.CDLL(str(self.library_path))
        self.dynamic = None
        if dynamic:
            self._library.dynamic_shared.restype = ctypes.c_void_p
            self.dynamic = self._library.dynamic_shared()
        self.seed = seed

    def get_function(self, name: str) -> "RawKernel":
        return RawKernel(self, self._library, self.signatures[name])


class RawKernel:
    """As `cupy.RawKernel`: ``kernel(grid, block, arguments, shared_mem=bytes)``; it is over when it returns."""

    def __init__(self, module: RawModule, library: ctypes.CDLL, signature: Signature) -> None:
        self._module, self._library, self.signature = module, library, signature
        self.max_dynamic_shared_size_bytes = SHARED_BYTES_UNASKED

    def __call__(self, grid: tuple[int, ...], block: tuple[int, ...], args: tuple, *, shared_mem: int = 0) -> None:
        self._check_launch(grid, block, shared_mem)
        values = _checked_arguments(self.signature, args)
        arena = _Arena([value for value in values if isinstance(value, np.ndarray)])
        names = [parameter.name.encode() for parameter in self.signature.parameters if parameter.pointer]
        regions = (Region * max(1, len(names)))(
            *(Region(place, array.nbytes, name) for (place, array), name in zip(arena.placed, names, strict=True))
        )
        places = iter(arena.placed)
        cells = [_cell(next(places)[0] if isinstance(value, np.ndarray) else value) for value in values]
        pointers = (ctypes.c_void_p * max(1, len(cells)))(*(cell.ctypes.data for cell in cells))
        text = ctypes.create_string_buffer(1000)
        entry = ctypes.c_void_p.in_dll(self._library, f"emulated_{self.signature.name}")
        failed = self._library.emulate(
            *(entry, pointers, regions, len(names), _three(grid), _three(block)),
            *(ctypes.c_void_p(self._module.dynamic), ctypes.c_size_t(MOST_SHARED_BYTES)),
            *(ctypes.c_size_t(shared_mem), ctypes.c_uint64(self._module.seed), text, ctypes.c_size_t(len(text))),
        )
        if failed:
            raise KernelError(f"{self.signature.name}: {self._with_lines(text.value.decode())}")
        arena.take_back([parameter for parameter in self.signature.parameters if parameter.pointer])

    def _check_launch(self, grid: tuple[int, ...], block: tuple[int, ...], shared_mem: int) -> None:
        if not all(isinstance(size, tuple) and 1 <= len(size) <= 3 for size in (grid, block)):
            raise KernelError(f"{self.signature.name}: grid and block are tuples of up to three numbers")
        if min(*grid, 1) < 1 or min(*block, 1) < 1 or grid[0] >= 2**31 or max(grid[1:], default=1) >= 2**16:
            raise KernelError(f"{self.signature.name}: no device takes a grid of {grid} blocks of {block} threads")
        if math.prod(block) > self.signature.most_threads:
            raise KernelError(f"{self.signature.name} is for {self.signature.most_threads} threads, not {block}")
        if not 0 <= shared_mem <= min(self.max_dynamic_shared_size_bytes, MOST_SHARED_BYTES):
            raise KernelError(
                f"{self.signature.name}: {shared_mem} bytes of shared memory are more than the kernel's "
                f"max_dynamic_shared_size_bytes of {self.max_dynamic_shared_size_bytes}, or than there are"
            )
        if shared_mem and not self._module.dynamic:
            raise KernelError(f"{self.signature.name} has no dynamic shared memory for {shared_mem} bytes")

    def _with_lines(self, message: str) -> str:
        """The message with lines of the source in place of the offsets that `checks.cpp` puts there."""
        return re.sub(r"<\+([0-9a-f]+)>", lambda found: _line(self._module.library_path, found[1]), message)


class _Arena:
    """Copies of arrays with gaps between them, in one memory, as arguments of a launch.

    placed: address and array of each.
    """

    def __init__(self, arrays: list[np.ndarray]) -> None:
        self.offsets, end = [], GAP_BYTES
        for array in arrays:
            self.offsets.append(end)
            end += -(-array.nbytes // 256) * 256 + GAP_BYTES
        self._memory = np.full(end + 256, UNTOUCHED, np.uint8)
        self._memory = self._memory[-self._memory.ctypes.data % 256 :][:end]
        self.arrays = arrays
        for array, copy in zip(arrays, self._copies(), strict=True):
            copy[:] = array.reshape(-1).view(np.uint8)
        self.placed = [
            (self._memory.ctypes.data + offset, array) for offset, array in zip(self.offsets, arrays, strict=True)
        ]

    def _copies(self) -> list[np.ndarray]:
        places = zip(self.offsets, self.arrays, strict=True)
        return [self._memory[offset : offset + array.nbytes] for offset, array in places]

    def take_back(self, parameters: list[Parameter]) -> None:
        """Copy what the kernel may have written; raises KernelError where it wrote between the arrays."""
        for parameter, array, copy in zip(parameters, self.arrays, self._copies(), strict=True):
            if parameter.writable:
                array.reshape(-1).view(np.uint8)[:] = copy
            copy[:] = UNTOUCHED
        if (self._memory != UNTOUCHED).any():
            raise KernelError("something was written outside of all arguments")


def _checked_arguments(signature: Signature, args: tuple) -> list[Any]:
    """Raises KernelError where number, type, layout or right to write is not what the kernel's parameters say."""
    if len(args) != len(signature.parameters):
        raise KernelError(f"{signature.name} has {len(signature.parameters)} parameters, not {len(args)}")
    for parameter, value in zip(signature.parameters, args, strict=True):
        wanted = f"{signature.name}: '{parameter.declared}'"
        if parameter.pointer != isinstance(value, np.ndarray):
            raise KernelError(f"{wanted} got {type(value).__name__}")
        if not isinstance(value, np.ndarray | np.generic) or value.dtype != parameter.dtype:
            given = getattr(value, "dtype", type(value).__name__)
            raise KernelError(f"{wanted} got {given}; it takes numpy.{np.dtype(parameter.dtype)}")
        if parameter.pointer and not value.flags.c_contiguous:
            raise KernelError(f"{wanted} got an array that is not contiguous")
    written = [v for p, v in zip(signature.parameters, args, strict=True) if p.writable]
    for k, array in enumerate(written):
        others = (value for value in args if isinstance(value, np.ndarray) and value is not array)
        if any(np.may_share_memory(array, other) for other in others) or any(array is other for other in written[:k]):
            raise KernelError(f"{signature.name}: what is written is also another argument")
    return list(args)


def _cell(value: Any) -> np.ndarray:
    """An argument where a pointer to it can be taken."""
    return np.array([value], np.uint64 if isinstance(value, int) else value.dtype)


def _three(size: tuple[int, ...]) -> Any:
    return (ctypes.c_uint * 3)(*size, *(1,) * (3 - len(size)))


def _entries(kernels: tuple[Signature, ...], dynamic: tuple[str, str] | None) -> str:
    """What the emulator calls: for each kernel a function of pointers to its arguments; and room of shared memory."""
    lines = []
    if dynamic:
        kind, name = dynamic
        lines += [
            f"alignas(16) thread_local {kind} {name}[{MOST_SHARED_BYTES} / sizeof({kind})];",
            f'extern "C" void* dynamic_shared() {{ return {name}; }}',
        ]
    for kernel in kernels:
        types = [
            each.declared[: each.declared.rindex(each.name)].replace("__restrict__", "") for each in kernel.parameters
        ]
        passed = ", ".join(f"*({kind}*)values[{place}]" for place, kind in enumerate(types))
        lines.append(f"CUDA_ON_HOST void call_{kernel.name}(void** values) {{ {kernel.name}({passed}); }}")
        lines.append(f'extern "C" void (*const emulated_{kernel.name})(void**) = call_{kernel.name};')
    return "\n".join(lines)


def _compiled(
    code: str,
    options: tuple[str, ...],
    dynamic: tuple[str, str] | None,
    kernels: tuple[Signature, ...],
    checked: bool,
) -> Path:
    """The library of a source, kept under the hash of everything that it is made of."""
    text = f'#include "cuda_on_host.h"\n#line 1 "kernel.cu"\n{code}\n#line 1 "emulator"\n{_entries(kernels, dynamic)}\n'
    flags = (*_FLAGS, *(_CHECKED_FLAGS if checked else _PLAIN_FLAGS), *options)
    digest = hashlib.sha256(repr((flags, text, _runtime_digest())).encode()).hexdigest()
    target = home() / "emulator" / f"{digest[:24]}.so"
    if not target.exists():
        with tempfile.TemporaryDirectory() as folder, new_file(target) as library:
            source, built = Path(folder) / "kernel.cu", Path(folder) / "kernel.o"
            source.write_text(text, encoding="utf-8")
            _run(compiler(), *flags, f"-I{HERE}", "-x", "c++", "-c", source, "-o", built)
            _run(compiler(), "-shared", "-Wl,-Bsymbolic", built, *_runtime(checked), "-o", library)
    return target


@functools.cache
def _runtime_digest() -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(HERE.glob("*.[hc]*")))).hexdigest()


@functools.cache
def _runtime(checked: bool) -> tuple[Path, ...]:
    """The emulator's own parts as objects, which are not instrumented."""
    objects = []
    for name in RUNTIME:
        target = home() / "emulator" / f"{Path(name).stem}-{_runtime_digest()[:16]}{'-checked' * checked}.o"
        if not target.exists():
            with new_file(target) as built:
                flags = (*_FLAGS, "-O2", *(("-DCHECKED",) if checked else ()))
                _run(compiler(), *flags, "-c", HERE / name, "-o", built)
        objects.append(target)
    return tuple(objects)


def _run(*command: Any) -> str:
    done = subprocess.run([os.fspath(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise KernelError(f"it does not compile:\n{done.stderr}")
    return done.stdout


def _line(library: Path, offset: str) -> str:
    told = subprocess.run(["addr2line", "-e", library, f"0x{offset}"], capture_output=True, text=True).stdout
    return told.strip().rpartition("/")[2].partition(" ")[0] or offset
