"""Bits of a word, for compiled loops: instructions that Numba has no name for."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _trailing_zeros(_typing: Any, _word: Any) -> Any:
    """Index of the lowest bit that is set in a uint64; the word is not 0."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), generate


trailing_zeros: Callable[..., int] = intrinsic(_trailing_zeros)


def _above(_typing: Any, scores: Any, _first: Any, _limit: Any) -> Any:
    """Which of the 64 float32 scores from ``first`` are above a limit, as bits of a uint64; all 64 must be there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = ir.VectorType(ir.FloatType(), 64)
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        start = builder.bitcast(builder.gep(array.data, [arguments[1]]), lanes.as_pointer())
        undefined, zeros = ir.Constant(lanes, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
        limit = builder.insert_element(undefined, arguments[2], ir.Constant(ir.IntType(32), 0))
        limits = builder.shuffle_vector(limit, undefined, zeros)
        return builder.bitcast(builder.fcmp_ordered(">", builder.load(start, align=4), limits), ir.IntType(64))

    return types.uint64(scores, types.int64, types.float32), generate


above: Callable[..., int] = intrinsic(_above)
