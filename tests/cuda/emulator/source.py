"""What a CUDA source says about its kernels, read from its text: names, parameters, bounds, dynamic shared memory."""

import re
from dataclasses import dataclass

import numpy as np

SCALARS = {
    "bool": np.bool_,
    "char": np.int8,
    "signed char": np.int8,
    "unsigned char": np.uint8,
    "short": np.int16,
    "unsigned short": np.uint16,
    "int": np.int32,
    "unsigned": np.uint32,
    "unsigned int": np.uint32,
    "long long": np.int64,
    "unsigned long long": np.uint64,
    "float": np.float32,
    "double": np.float64,
}
_OF_VECTORS = {"float": np.float32, "int": np.int32, "uint": np.uint32}
VECTORS = {f"{kind}{size}": dtype for kind, dtype in _OF_VECTORS.items() for size in (2, 4)}
"""Of these an array has the scalars, so many times as many."""

_KERNEL = re.compile(r'extern "C" __global__ void (?:__launch_bounds__\(([^)]*)\) )?(\w+)\(([^)]*)\)')
_CONSTANT = re.compile(r"constexpr (?:int|unsigned) (\w+) = (\d+);")
_DYNAMIC = re.compile(r"extern __shared__ ([\w ]+?) (\w+)\[\];")


@dataclass(frozen=True)
class Parameter:
    """A kernel's parameter; ``dtype`` is that of the scalar, or of the array behind a pointer."""

    name: str
    declared: str
    dtype: type[np.generic]
    pointer: bool
    writable: bool


@dataclass(frozen=True)
class Signature:
    """A kernel: its parameters, and the most threads of a block that it is compiled for."""

    name: str
    parameters: tuple[Parameter, ...]
    most_threads: int


def _plain(source: str) -> str:
    without_comments = re.sub(r"/\*.*?\*/|//[^\n]*", " ", source, flags=re.DOTALL)
    return re.sub(r"\s+", " ", without_comments).replace("( ", "(").replace(" )", ")")


def signatures(source: str) -> dict[str, Signature]:
    """The kernels of a source by name.

    Raises:
        ValueError: there is none, or a parameter's type is not known here.

    """
    plain = _plain(source)
    constants = dict(_CONSTANT.findall(plain))
    found = {
        name: Signature(name, tuple(map(_parameter, listed.split(","))), _most_threads(bounds, constants))
        for bounds, name, listed in _KERNEL.findall(plain)
    }
    if len(found) != plain.count("__global__") or not found:
        raise ValueError('each kernel is to be declared as: extern "C" __global__ void name(parameters)')
    return found


def dynamic_shared(source: str) -> tuple[str, str] | None:
    """Type and name of the array of dynamic shared memory, or None where no kernel has one.

    Raises:
        ValueError: there are several, which would be one memory by several names.

    """
    found = set(_DYNAMIC.findall(_plain(source)))
    if len(found) > 1:
        raise ValueError(f"one name for dynamic shared memory, not {sorted(found)}")
    return found.pop() if found else None


def _most_threads(bounds: str, constants: dict[str, str]) -> int:
    most = bounds.split(",")[0].strip()
    return int(constants.get(most, most) or 1024)


def _parameter(declared: str) -> Parameter:
    words = declared.replace("*", " * ").split()
    pointer = "*" in words
    kind = " ".join(word for word in words[:-1] if word not in {"const", "__restrict__", "*"})
    known = {**SCALARS, **VECTORS} if pointer else SCALARS
    if kind not in known:
        raise ValueError(f"parameter '{declared.strip()}': a type that the emulator does not know")
    return Parameter(words[-1], declared.strip(), known[kind], pointer, pointer and "const" not in words)
