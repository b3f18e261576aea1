// The normal equations of a row of ALS: the lower triangle of S'WS, W of c - 1, by squares of 4 x 4.
#pragma once
#include "als_entries.cuh"

constexpr int SIDE = 4;     // of a square of the triangle, which a thread takes at a time
constexpr int ACROSS = 16;  // threads of a block side by side, each of 16 rows of them

// Of the lower triangle, whose rows lie one behind the other.
template <class Number> __device__ __forceinline__ Number* row_of(Number* triangle, int row) {
    return triangle + row * (row + 1) / 2;
}

// Four numbers one behind the other that begin at a multiple of 16 bytes.
__device__ __forceinline__ void four(const float* from, float (&numbers)[SIDE]) {
    float4 read = *(const float4*)from;
    numbers[0] = read.x, numbers[1] = read.y, numbers[2] = read.z, numbers[3] = read.w;
}

// Fills the weights c - 1 of a tile of entries, from `first` on.
__device__ __forceinline__ void set_weights(const Entries& row, int first, int count) {
    for (int entry = threadIdx.x; entry < count; entry += THREADS) {
        row.weights[entry] = row.alpha * row.strengths[first + entry];
    }
}

// Adds the weighted entries of a tile to the triangle, which begins with the first one.
__device__ __forceinline__ void add_squares(const Entries& row, int first, int count, float* triangle) {
    for (int down = threadIdx.x / ACROSS * SIDE; down < row.width; down += THREADS / ACROSS * SIDE) {
        for (int across = threadIdx.x % ACROSS * SIDE; across <= down; across += ACROSS * SIDE) {
            float sums[SIDE][SIDE] = {};
            for (int entry = 0; entry < count; entry++) {
                const float* vector = row.tile + entry * row.stride;
                float weight = row.weights[entry], left[SIDE], right[SIDE];
                four(vector + down, left);
                four(vector + across, right);
                for (int i = 0; i < SIDE; i++) {
                    for (int j = 0; j < SIDE; j++) sums[i][j] += weight * left[i] * right[j];
                }
            }
            for (int i = 0; i < SIDE; i++) {
                float* own = row_of(triangle, down + i);
                for (int j = 0; j < SIDE && across + j <= down + i; j++) {
                    own[across + j] = (first > 0 ? own[across + j] : 0.0f) + sums[i][j];
                }
            }
        }
    }
}
