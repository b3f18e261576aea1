"""Reads at plain addresses, for compiled loops.

Numba counts references to an array each time that it is passed on, which in a loop over items costs more than the
work, and cannot take a list of arrays of different types. An address has neither trouble; whoever passes it keeps its
owner alive and the reads within bounds.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


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
