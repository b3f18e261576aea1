"""Vector look-ups that Numba has no name for, as LLVM's own portable instructions: AVX2 and AVX-512 have them."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 16

_I1, _I8, _I16, _I32, _I64, _FLOAT = (
    ir.IntType(1),
    ir.IntType(8),
    ir.IntType(16),
    ir.IntType(32),
    ir.IntType(64),
    ir.FloatType(),
)
_HALF = LANES // 2
_GATHER = "llvm.masked.gather.v8i64.v8p0"


def _vector(element: ir.Type, value: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(element, _HALF), [value] * _HALF)


def _lanes(numbers: list[int]) -> ir.Constant:
    return ir.Constant(ir.VectorType(_I32, len(numbers)), numbers)


def _add_pairs(typing: Any, first: Any, second: Any, table: Any, pattern: Any, start: Any) -> Any:
    """For 16 rows from ``start``: ``first[row] += table[pattern[row], 0]; second[row] += table[pattern[row], 1]``.

    first, second: float32[rows]; table: float32[patterns, 2]; pattern: uint16[rows]; all contiguous. Both numbers of
    an entry come with one load of 8 bytes.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = [
            context.make_array(kind)(context, builder, array).data
            for kind, array in zip(signature.args[:4], arguments[:4], strict=True)
        ]
        start = arguments[4]
        address = ir.VectorType(_I64, _HALF)
        gather = builder.module.globals.get(_GATHER) or ir.Function(
            builder.module,
            ir.FunctionType(
                address, [ir.VectorType(_I8.as_pointer(), _HALF), _I32, ir.VectorType(_I1, _HALF), address]
            ),
            _GATHER,
        )
        undefined = ir.Constant(address, ir.Undefined)
        base = builder.insert_element(undefined, builder.ptrtoint(data[2], _I64), _I32(0))
        base = builder.shuffle_vector(base, undefined, _lanes([0] * _HALF))
        patterns = builder.bitcast(builder.gep(data[3], [start]), ir.VectorType(_I16, LANES).as_pointer())
        patterns = builder.load(patterns, align=2)
        halves = []
        for half in range(2):
            lanes = _lanes(list(range(half * _HALF, (half + 1) * _HALF)))
            places = builder.zext(builder.shuffle_vector(patterns, patterns, lanes), address)
            places = builder.add(base, builder.shl(places, _vector(_I64, 3)))
            places = builder.inttoptr(places, ir.VectorType(_I8.as_pointer(), _HALF))
            pair = builder.call(gather, [places, _I32(4), _vector(_I1, 1), _vector(_I64, 0)])
            halves.append(builder.bitcast(pair, ir.VectorType(_FLOAT, LANES)))
        for which, target in enumerate(data[:2]):
            looked_up = builder.shuffle_vector(*halves, _lanes(list(range(which, 2 * LANES, 2))))
            place = builder.bitcast(builder.gep(target, [start]), ir.VectorType(_FLOAT, LANES).as_pointer())
            builder.store(builder.fadd(builder.load(place, align=4), looked_up), place, align=4)
        return context.get_dummy_value()

    return types.void(first, second, table, pattern, start), generate


def _prefetch(typing: Any, array: Any, place: Any) -> Any:
    """Ask for the cache line of ``array[place]`` (one-dimensional, contiguous); a place beyond its end does no harm."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), _I8.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [_I8.as_pointer(), _I32, _I32, _I32])
        function = builder.module.globals.get("llvm.prefetch.p0") or ir.Function(
            builder.module, kind, "llvm.prefetch.p0"
        )
        builder.call(function, [address, _I32(0), _I32(3), _I32(1)])  # to read, into all caches, data
        return context.get_dummy_value()

    return types.void(array, place), generate


add_pairs: Callable[..., None] = intrinsic(_add_pairs)
prefetch: Callable[..., None] = intrinsic(_prefetch)
