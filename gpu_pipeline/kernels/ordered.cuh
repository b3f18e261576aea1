// Floats where CuPy compiles with -ftz=true, which takes the smallest ones for 0 in comparisons and conversions.
#pragma once

// A number as an integer of the same order, -0 as 0.
__device__ __forceinline__ int ordered(float value) {
    int bits = __float_as_int(value);
    return bits >= 0 ? bits : (int)(0x80000000u - (unsigned)bits);
}

// The number of an integer that is `ordered`.
__device__ __forceinline__ float number_of(int place) {
    return __int_as_float(place >= 0 ? place : (int)(0x80000000u - (unsigned)place));
}

// The same number in float64.
__device__ __forceinline__ double widened(float value) {
    int bits = __float_as_int(value), fraction = bits & 0x7fffff;
    if ((bits & 0x7f800000) != 0) return value;
    return (bits < 0 ? -fraction : fraction) * 1.401298464324817e-45;  // 2^-149
}
