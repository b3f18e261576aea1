// Rows of a CSR matrix to the 8-bit codes of pipeline/threshold_codes.py, in the shared memory of one block.
#pragma once

#include "ordered.cuh"

// Thresholds from `first` to `last`, ascending, that are not above a value; all of them `ordered`.
__device__ __forceinline__ int count_not_above(const int* __restrict__ thresholds, int first, int last, int value) {
    int low = first;
    while (low < last) {
        int middle = (low + last) >> 1;
        if (thresholds[middle] <= value) low = middle + 1;
        else last = middle;
    }
    return low - first;
}

// Fills `codes`, a row of `words` * 4 bytes for each of `tile_rows` rows: those of the matrix from `first` on, and beyond
// its n rows some with no values.
//
// What is not stored, and NaN, is missing. A block's threads share the rows evenly, so that tile_rows is a power of two
// and no more than they are. No row may store a column twice.
//
// columns_of, offsets: as in ThresholdCodes. thresholds: its own, `ordered`. missing: its codes of a row with no values, padded to `words`.
// kept_bits: by coded column 255, or 1 where the code is a parity.
__device__ __forceinline__ void encode_rows(
    const long long* __restrict__ indptr, const int* __restrict__ indices, const float* __restrict__ data,
    long long first, long long n, int tile_rows,
    const int* __restrict__ columns_of, const unsigned* __restrict__ missing, const int* __restrict__ offsets,
    const int* __restrict__ thresholds, const unsigned char* __restrict__ kept_bits, int words, unsigned* codes) {
    int lanes = blockDim.x / tile_rows, row = threadIdx.x / lanes, lane = threadIdx.x % lanes;
    for (int word = lane; word < words; word += lanes) codes[row * words + word] = missing[word];
    __syncthreads();
    if (first + row < n) {
        unsigned char* own = (unsigned char*)(codes + row * words);
        long long last_entry = indptr[first + row + 1];
        for (long long entry = indptr[first + row] + lane; entry < last_entry; entry += lanes) {
            float value = data[entry];
            if (isnan(value)) continue;
            int feature = indices[entry], place = ordered(value);
            for (int column = columns_of[feature]; column < columns_of[feature + 1]; column++) {
                int count = count_not_above(thresholds, offsets[column], offsets[column + 1], place);
                own[column] = (unsigned char)(count & kept_bits[column]);
            }
        }
    }
    __syncthreads();
}
