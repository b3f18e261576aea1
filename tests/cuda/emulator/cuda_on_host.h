// The names of CUDA C++ for a host compiler: a kernel's source is compiled as it is, after this header.
//
// One block at a time, each of its threads a fibre; runtime.cpp runs them. What is not here is not emulated, and does
// not compile.
#pragma once

#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
// A thread_local variable is static in a function, may be declared `extern` without a size, and lies in a segment whose
// bounds the runtime can find: what `__shared__` needs. It is marked as used, or else what is written to and never read
// would be dropped, and what is read and never written would be 0.
#define __shared__ __attribute__((used)) thread_local
// Of the header's functions the instrumented build is to see the calls, not the accesses inside.
#define CUDA_ON_HOST static inline __attribute__((no_sanitize("thread", "undefined"), unused))

struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x = 1, y = 1, z = 1; };
#define CUDA_VECTORS(type, name) \
    struct alignas(2 * sizeof(type)) name##2 { type x, y; }; \
    struct alignas(4 * sizeof(type) < 16 ? 4 * sizeof(type) : 16) name##4 { type x, y, z, w; }; \
    CUDA_ON_HOST name##2 make_##name##2(type x, type y) { return {x, y}; } \
    CUDA_ON_HOST name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
CUDA_VECTORS(float, float)
CUDA_VECTORS(int, int)
CUDA_VECTORS(unsigned, uint)

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

namespace cuda_on_host {
// Waits for all threads of the block. `line` tells one barrier from another.
void block_barrier(int line);
// Waits for the lanes in `mask`, at the same place; returns what each lane brought, by lane.
const uint64_t* warp_barrier(unsigned mask, uint64_t brought, int line);
int lane();
// Tells the race check of an access that is atomic.
void atomic_access(const volatile void* address, int bytes);

template <class T> CUDA_ON_HOST uint64_t packed(T value) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof(T));
    return bits;
}
template <class T> CUDA_ON_HOST T unpacked(uint64_t bits) {
    T value;
    memcpy(&value, &bits, sizeof(T));
    return value;
}
// The value of lane `source` where that is inside of the caller's segment of `width` lanes, else the caller's own.
template <class T> CUDA_ON_HOST T shuffled(unsigned mask, T value, int source, bool inside, int line) {
    const uint64_t* brought = warp_barrier(mask, packed(value), line);
    return inside && (mask >> (source & 31) & 1) ? unpacked<T>(brought[source & 31]) : value;
}
template <class T, class Change> CUDA_ON_HOST T exchanged(T* address, Change change) {
    atomic_access(address, sizeof(T));
    T old = *address;
    *address = change(old);
    return old;
}
}  // namespace cuda_on_host

CUDA_ON_HOST void __syncthreads(int line = __builtin_LINE()) { cuda_on_host::block_barrier(line); }
CUDA_ON_HOST void __syncwarp(unsigned mask = ~0u, int line = __builtin_LINE()) {
    cuda_on_host::warp_barrier(mask, 0, line);
}
template <class T>
CUDA_ON_HOST T __shfl_sync(unsigned mask, T value, int from, int width = 32, int line = __builtin_LINE()) {
    int segment = cuda_on_host::lane() & ~(width - 1);
    return cuda_on_host::shuffled(mask, value, segment + (from & (width - 1)), true, line);
}
template <class T>
CUDA_ON_HOST T __shfl_down_sync(unsigned mask, T value, int by, int width = 32, int line = __builtin_LINE()) {
    int lane = cuda_on_host::lane(), source = lane + by;
    return cuda_on_host::shuffled(mask, value, source, (lane & (width - 1)) + by < width, line);
}
template <class T>
CUDA_ON_HOST T __shfl_up_sync(unsigned mask, T value, int by, int width = 32, int line = __builtin_LINE()) {
    int lane = cuda_on_host::lane(), source = lane - by;
    return cuda_on_host::shuffled(mask, value, source, (lane & (width - 1)) >= by, line);
}
template <class T>
CUDA_ON_HOST T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, int line = __builtin_LINE()) {
    int lane = cuda_on_host::lane(), source = lane ^ bits;
    return cuda_on_host::shuffled(mask, value, source, (source & ~(width - 1)) <= (lane & ~(width - 1)), line);
}
CUDA_ON_HOST unsigned __ballot_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
    const uint64_t* brought = cuda_on_host::warp_barrier(mask, predicate != 0, line);
    unsigned votes = 0;
    for (int lane = 0; lane < 32; lane++) votes |= mask >> lane & 1 ? (unsigned)brought[lane] << lane : 0u;
    return votes;
}
CUDA_ON_HOST int __any_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
    return __ballot_sync(mask, predicate, line) != 0;
}
CUDA_ON_HOST int __all_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
    return __ballot_sync(mask, predicate, line) == mask;
}

template <class T> CUDA_ON_HOST T atomicAdd(T* address, T value) {
    return cuda_on_host::exchanged(address, [=](T old) { return T(old + value); });
}
template <class T> CUDA_ON_HOST T atomicMax(T* address, T value) {
    return cuda_on_host::exchanged(address, [=](T old) { return old < value ? value : old; });
}
template <class T> CUDA_ON_HOST T atomicCAS(T* address, T expected, T value) {
    return cuda_on_host::exchanged(address, [=](T old) { return old == expected ? value : old; });
}

// Instrumented, unlike the others: it is an access of the kernel's own.
template <class T> static inline __attribute__((always_inline)) T __ldg(const T* address) { return *address; }

CUDA_ON_HOST int __popc(unsigned bits) { return __builtin_popcount(bits); }
CUDA_ON_HOST int __clz(int bits) { return bits ? __builtin_clz(bits) : 32; }
CUDA_ON_HOST int __ffs(int bits) { return __builtin_ffs(bits); }
CUDA_ON_HOST int __float_as_int(float value) { return __builtin_bit_cast(int, value); }
CUDA_ON_HOST float __int_as_float(int bits) { return __builtin_bit_cast(float, bits); }
CUDA_ON_HOST float __fdividef(float one, float other) { return one / other; }
// Not from <math.h>, which takes longer to compile than a kernel.
#define CUDA_MATH(name) CUDA_ON_HOST float name##f(float value) { return __builtin_##name##f(value); }
CUDA_MATH(sqrt)
CUDA_MATH(exp)
CUDA_MATH(log)
CUDA_MATH(fabs)
CUDA_MATH(floor)
CUDA_ON_HOST float rsqrtf(float value) { return 1.0f / sqrtf(value); }
CUDA_ON_HOST float fmaf(float one, float other, float added) { return __builtin_fmaf(one, other, added); }
CUDA_ON_HOST float fminf(float one, float other) { return __builtin_fminf(one, other); }
CUDA_ON_HOST float fmaxf(float one, float other) { return __builtin_fmaxf(one, other); }
template <class T> CUDA_ON_HOST bool isnan(T value) { return __builtin_isnan(value); }
template <class T> CUDA_ON_HOST bool isfinite(T value) { return __builtin_isfinite(value); }
template <class T> CUDA_ON_HOST T min(T one, T other) { return other < one ? other : one; }
template <class T> CUDA_ON_HOST T max(T one, T other) { return one < other ? other : one; }
