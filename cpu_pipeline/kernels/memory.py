"""Reads at plain addresses, for compiled loops.

Numba counts references to an array each time that it is passed on, which in a loop over items costs more than the
work, and cannot take a list of arrays of different types. An address has neither trouble; whoever passes it keeps its
owner alive and the reads within bounds.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numba.np.numpy_support import carray


def _reader(machine_type: ir.Type, result: types.Type) -> Any:
    """An intrinsic from an address, which need not be aligned, to the number there."""

    @intrinsic
    def read(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], machine_type.as_pointer())
            return builder.load(pointer, align=1)

        return result(types.intp), generate

    return read


uint8_at = _reader(ir.IntType(8), types.uint8)
int32_at = _reader(ir.IntType(32), types.int32)
uint64_at = _reader(ir.IntType(64), types.uint64)
float64_at = _reader(ir.DoubleType(), types.float64)


@intrinsic
def _pointer(typing_context: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.intp), generate


@njit(inline="always")
def array_at(address: int, length: int, dtype: Any) -> np.ndarray:
    """The ``length`` numbers at an address, as an array."""
    return carray(_pointer(address), (length,), dtype)  # pyright: ignore[reportCallIssue] - an intrinsic has no context
