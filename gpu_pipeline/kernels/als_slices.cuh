// Rows of ALS whose entries are shared among blocks: what their slices come to, added in order. als_slices.cu sums a slice.
#pragma once
#include "als_triangle.cuh"

constexpr int AT_ONCE = 8;  // numbers of a triangle that a thread adds side by side: so many reads do not wait for each other

// Sums over each of a row's slices, those of its first slice first.
//
// values: double[count], z'S'WS z - 2 z'S'c. products: float[count, width], S'c - S'WS z. triangles: of S'WS.
struct Slices {
    const double* values;
    const float* products;
    int count;
};

// Fills `partial`, float[groups, width], with parts of the products' sum; returns the values' to every thread. Each warp
// takes the latter for itself.
__device__ __forceinline__ double add_slices(const Slices& slices, int width, int groups, float* partial) {
    for (int slot = threadIdx.x; slot < groups * width; slot += THREADS) {
        float sum = 0;
        for (int slice = slot / width; slice < slices.count; slice += groups) {
            sum += slices.products[(long long)slice * width + slot % width];
        }
        partial[slot] = sum;
    }
    double value = 0;
    for (int slice = threadIdx.x % WARP; slice < slices.count; slice += WARP) value += slices.values[slice];
    return sum_of_warp(value);
}

// Fills `triangle` with the sum of `count` of so many numbers, which lie one behind the other. Ends without a barrier.
__device__ __forceinline__ void add_triangles(const float* triangles, int count, int numbers, float* triangle) {
    for (int start = threadIdx.x; start < numbers; start += AT_ONCE * THREADS) {
        float sums[AT_ONCE] = {};
        for (int slice = 0; slice < count; slice++) {
            const float* own = triangles + (long long)slice * numbers;
            for (int k = 0; k < AT_ONCE; k++) {
                int at = start + k * THREADS;
                if (at < numbers) sums[k] += own[at];
            }
        }
        for (int k = 0; k < AT_ONCE; k++) {
            int at = start + k * THREADS;
            if (at < numbers) triangle[at] = sums[k];
        }
    }
}
